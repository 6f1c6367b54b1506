#include "passes/import_cleanup/close_scores/close_scores.h"

#include <cmath>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/close_scores/guards.h"
#include "passes/import_cleanup/support/closed_parts.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

ir::Builder builderBefore(Op& op) {
  ir::Builder builder = ir::Builder::before(&op);
  builder.setLocation(op.location());
  return builder;
}

// A number that is added to all scores of a row changes nothing; single precision has the sums with
// this one to within 2^-8.
constexpr double kKeepsScores = -65536;

// What a row gets in which every score is closed.
enum class NoneOpen { kRefused, kUniform, kZero, kAsOpen };

class ScoreCloser {
 public:
  explicit ScoreCloser(Op& softmax) : softmax_(softmax), finder_(builderBefore(softmax)) {}

  // True if the softmax reads a tensor.mask now.
  absl::StatusOr<bool> run() {
    Value* scores = softmax_.operand(0);
    const auto rank = static_cast<int64_t>(scores->type().shape.size());
    if (softmax_.intAttr("axis") != rank - 1) return false;
    IR_ASSIGN_OR_RETURN(const ClosedParts parts, finder_.of(scores));
    const bool closes = parts.computed && parts.rest != nullptr && !parts.everything;
    if (closes) {
      IR_ASSIGN_OR_RETURN(Value * rest, finder_.expanded(parts.rest, scores->type().shape));
      IR_ASSIGN_OR_RETURN(Value * open, openRows(parts, rest));
      ir::NamedAttribute level{"masked", parts.level};
      llvm::ArrayRef<ir::NamedAttribute> attributes = level;
      if (std::isinf(parts.level)) attributes = {};
      IR_ASSIGN_OR_RETURN(Value * masked, emit("tensor.mask", {rest, open}, attributes));
      softmax_.setOperand(0, masked);
      if (scores->users().empty() && scores->definingOp() != nullptr)
        eraseDead(scores->definingOp());
    }
    finder_.eraseUnread();
    return closes;
  }

 private:
  static constexpr int kDeepest = 64;

  absl::StatusOr<NoneOpen> noneOpen(const ClosedParts& parts) {
    const auto& shape = parts.closed->type().shape;
    // A mask of keys closes all for all queries: a run on nothing.
    if (shape.size() < 2 || shape[shape.size() - 2] == 1) return NoneOpen::kRefused;
    if (parts.added && parts.level >= kKeepsScores) return NoneOpen::kAsOpen;
    if (!std::isinf(parts.level)) return parts.exact ? NoneOpen::kUniform : NoneOpen::kRefused;
    IR_ASSIGN_OR_RETURN(const bool guarded, isGuarded());
    return guarded ? NoneOpen::kZero : NoneOpen::kRefused;
  }

  struct Reader {
    Op* op;
    Value* probabilities;  // as it reads them: perhaps with more leading axes of one element
  };

  llvm::SmallVector<Reader, 2> readers() const {
    auto rows = [](const Value* value) {
      llvm::ArrayRef<int64_t> shape = value->type().shape;
      return shape.drop_while([](int64_t size) { return size == 1; });
    };
    llvm::SmallVector<Reader, 2> readers;
    Value* p = softmax_.result();
    for (Op* reader : p->users()) {
      if (!reader->is("tensor.reshape") || rows(reader->result()) != rows(p)) {
        readers.push_back({reader, p});
        continue;
      }
      for (Op* next : reader->result()->users()) readers.push_back({next, reader->result()});
    }
    return readers;
  }

  // Is everything that reads the probabilities p a choice of 0 in place of rows that are closed, at
  // -inf, and of p elsewhere?
  absl::StatusOr<bool> isGuarded() {
    for (const auto& [reader, p] : readers()) {
      if (choosesNumbers(*reader, p)) continue;
      const Value* mask =
          reader->is("tensor.where") && reader->operand(2) == p ? maskOfGuard(*reader) : nullptr;
      if (mask == nullptr) return false;
      IR_ASSIGN_OR_RETURN(const bool alone, closesAlone(*mask, softmax_.operand(0), 0));
      if (!alone) return false;
    }
    return true;
  }

  // Is it where(is_nan(p), 0, p), or the condition of that?
  static bool choosesNumbers(const Op& reader, const Value* p) {
    auto chooses = [p](const Op* choice) {
      return choice->is("tensor.where") && isOp(choice->operand(0), "tensor.is_nan") &&
             choice->operand(0)->definingOp()->operand(0) == p &&
             scalarOf(choice->operand(1)) == 0 && choice->operand(2) == p;
    };
    return reader.is("tensor.is_nan") ? llvm::all_of(reader.result()->users(), chooses)
                                      : chooses(&reader);
  }

  // Are the scores a sum with the mask, of which nothing else closes any?
  absl::StatusOr<bool> closesAlone(const Value& mask, Value* scores, int depth) {
    if (scores == &mask) return true;
    if (!isOp(scores, "tensor.add") || depth > kDeepest) return false;
    for (int i : {0, 1}) {
      Op& sum = *scores->definingOp();
      IR_ASSIGN_OR_RETURN(const bool alone, closesAlone(mask, sum.operand(i), depth + 1));
      if (!alone) continue;
      IR_ASSIGN_OR_RETURN(const ClosedParts other, finder_.of(sum.operand(1 - i)));
      return !other.closes();
    }
    return false;
  }

  // 1 where nothing closes the score, or its whole row; what such a row gets is part of it.
  absl::StatusOr<Value*> openRows(const ClosedParts& parts, Value*& rest) {
    IR_ASSIGN_OR_RETURN(Value * open, emit("tensor.not", {parts.closed}));
    IR_ASSIGN_OR_RETURN(open, emit("tensor.cast", {open}, {{"to", std::string("float")}}));
    const auto rank = static_cast<int64_t>(open->type().shape.size());
    if (rank == 0) return open;
    IR_ASSIGN_OR_RETURN(Value * count,
                        emit("tensor.reduce_sum", {open},
                             {{"axes", std::vector<int64_t>{rank - 1}}, {"keepdims", true}}));
    auto function = [&](const char* text) {
      return emit("tensor.activation", {count}, {{"function", std::string(text)}});
    };
    IR_ASSIGN_OR_RETURN(const NoneOpen none, noneOpen(parts));
    if (none == NoneOpen::kRefused) {
      IR_ASSIGN_OR_RETURN(const bool guarded, isGuarded());
      if (guarded) IR_RETURN_IF_ERROR(replaceGuards(softmax_.result()));
      IR_ASSIGN_OR_RETURN(Value * some, function("reciprocal(where(greater(x, 0), 1, 0))"));
      return emit("tensor.mul", {open, some});
    }
    IR_ASSIGN_OR_RETURN(Value * some, function("where(greater(x, 0), 1, 0)"));
    IR_ASSIGN_OR_RETURN(Value * opened, function("where(greater(x, 0), 0, 1)"));
    IR_ASSIGN_OR_RETURN(open, emit("tensor.add", {open, opened}));
    if (none == NoneOpen::kAsOpen) return open;
    if (none == NoneOpen::kUniform) {
      IR_ASSIGN_OR_RETURN(rest, emit("tensor.mul", {rest, some}));
      return open;
    }
    ir::Builder after = ir::Builder::after(&softmax_);
    after.setLocation(softmax_.location());
    IR_ASSIGN_OR_RETURN(Value * kept,
                        ir::tensor::create(after, "tensor.mul", {softmax_.result(), some}));
    IR_RETURN_IF_ERROR(replaceGuards(kept));
    return open;
  }

  absl::Status replaceGuards(Value* probabilities) {
    llvm::SmallVector<Reader, 2> guards = readers();
    llvm::erase_if(guards, [](const Reader& reader) { return !reader.op->is("tensor.where"); });
    for (const auto& [guard, p] : guards) {
      Value* value = probabilities;
      const llvm::ArrayRef<int64_t> shape = p->type().shape;
      if (shape != llvm::ArrayRef<int64_t>(value->type().shape)) {
        ir::Builder before = ir::Builder::before(guard);
        before.setLocation(guard->location());
        IR_ASSIGN_OR_RETURN(
            value, ir::tensor::create(before, "tensor.reshape", {value}, {{"shape", shape.vec()}}));
      }
      replaceOp(guard, value);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Value*> emit(llvm::StringRef name, llvm::ArrayRef<Value*> operands,
                              llvm::ArrayRef<ir::NamedAttribute> attributes = {}) {
    return finder_.emit(name, operands, attributes);
  }

  Op& softmax_;
  PartsFinder finder_;
};

// The probabilities, where the guard of a softmax never finds a row that is closed.
absl::StatusOr<Value*> withoutGuard(Op& op) {
  const Value* mask = maskOfGuard(op);
  if (mask == nullptr) return nullptr;
  IR_ASSIGN_OR_RETURN(const bool idle, hasFiniteRows(*mask));
  return idle ? op.operand(2) : nullptr;
}

absl::StatusOr<bool> closeScores(ir::Function& function) {
  IR_ASSIGN_OR_RETURN(bool changed, rewriteOps(function, withoutGuard));
  std::vector<Op*> softmaxes;
  for (Op& op : function.body().ops())
    if (op.is("tensor.softmax")) softmaxes.push_back(&op);
  for (Op* softmax : softmaxes) {
    IR_ASSIGN_OR_RETURN(const bool closed, ScoreCloser(*softmax).run());
    changed |= closed;
  }
  eraseUnusedConstants(*function.module());
  return changed;
}

}  // namespace

std::unique_ptr<Pass> createCloseScores() {
  return makeFunctionPass("close-scores", "Makes masks of scores that are computed tensor.mask",
                          closeScores);
}
absl::Status registerCloseScores() { return registerPass(createCloseScores); }

}  // namespace lindero::passes
