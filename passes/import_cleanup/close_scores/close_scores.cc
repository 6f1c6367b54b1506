#include "passes/import_cleanup/close_scores/close_scores.h"

#include <cmath>
#include <limits>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/close_scores/guards.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/import_cleanup/support/whole_range.h"
#include "passes/quantize/general.h"
#include "passes/quantize/masks.h"

namespace lindero::passes {
namespace {

using ir::Element;
using ir::Op;
using ir::Value;
using ir::tensor::Array;

// What scores are made of.
struct Parts {
  Value* rest = nullptr;                                    // without what closes them; null: zero
  Value* closed = nullptr;                                  // truth values; null: nothing is
  bool everything = false;                                  // all is closed, whatever `closed` says
  bool computed = false;                                    // `closed` depends on the inputs
  double level = -std::numeric_limits<double>::infinity();  // the most that closes
  bool exact = true;  // closed ones are at `level`, whatever the scores are

  bool closes() const { return everything || closed != nullptr; }
};

// Added to a score of ordinary size, this is all that is left, in double precision too.
constexpr double kAbsorbs = -1e30;

// What a row gets in which every score is closed.
enum class NoneOpen { kRefused, kUniform, kZero };

class ScoreCloser {
 public:
  explicit ScoreCloser(Op& softmax) : softmax_(softmax), builder_(ir::Builder::before(&softmax)) {
    builder_.setLocation(softmax.location());
  }

  // True if the softmax reads a tensor.mask now.
  absl::StatusOr<bool> run() {
    Value* scores = softmax_.operand(0);
    const auto rank = static_cast<int64_t>(scores->type().shape.size());
    if (softmax_.intAttr("axis") != rank - 1) return false;
    IR_ASSIGN_OR_RETURN(Parts parts, partsOf(scores, 0));
    const bool closes = parts.computed && parts.rest != nullptr && !parts.everything;
    if (closes) {
      IR_ASSIGN_OR_RETURN(Value * rest, expanded(parts.rest, scores->type().shape));
      IR_ASSIGN_OR_RETURN(Value * open, openRows(parts, rest));
      ir::NamedAttribute level{"masked", parts.level};
      llvm::ArrayRef<ir::NamedAttribute> attributes = level;
      if (std::isinf(parts.level)) attributes = {};
      IR_ASSIGN_OR_RETURN(Value * masked, emit("tensor.mask", {rest, open}, attributes));
      softmax_.setOperand(0, masked);
      if (scores->users().empty() && scores->definingOp() != nullptr)
        eraseDead(scores->definingOp());
    }
    for (Op* op : llvm::reverse(made_)) {
      if (op->result()->users().empty()) op->erase();
    }
    return closes;
  }

 private:
  using Result = absl::StatusOr<Parts>;
  static constexpr int kDeepest = 64, kMostVisits = 1024;

  Result partsOf(Value* value, int depth) {
    const Parts leaf{.rest = value};
    if (isConstant(value)) return ofConstant(value);
    Op* op = value->definingOp();
    if (op == nullptr || depth > kDeepest || value->type().element != Element::kFloat) return leaf;
    if (++visits_ > kMostVisits) return leaf;  // not a tree: what many read is visited as often
    Parts parts = leaf;
    if (op->is("tensor.add") || op->is("tensor.sub")) {
      IR_ASSIGN_OR_RETURN(parts, ofSum(*op, depth));
    } else if (op->is("tensor.where")) {
      IR_ASSIGN_OR_RETURN(parts, ofChoice(*op, depth));
    } else if (op->is("tensor.mul") || op->is("tensor.div")) {
      IR_ASSIGN_OR_RETURN(parts, ofProduct(*op, depth));
    } else if (op->is("tensor.min")) {
      IR_ASSIGN_OR_RETURN(parts, ofMinimum(*op, depth));
    } else if (op->is("tensor.max")) {
      IR_ASSIGN_OR_RETURN(parts, ofMaximum(*op, depth));
    } else if (op->is("tensor.concat")) {
      IR_ASSIGN_OR_RETURN(parts, ofJoined(*op, depth));
    } else if (copiesOne(*op)) {
      IR_ASSIGN_OR_RETURN(parts, ofCopy(*op, depth));
    }
    return parts.closes() ? parts : leaf;
  }

  Result ofConstant(Value* value) {
    Parts parts{.rest = value};
    std::optional<Array> array = arrayOf(value);
    if (!array || !array->isReal()) return parts;
    Array closed = Array::zeros(Element::kBool, array->shape);
    bool any = false, all = true, zero = true;
    std::optional<double> first;
    for (size_t i = 0; i < array->reals.size(); ++i) {
      double& x = array->reals[i];
      closed.integers[i] = x <= kMasked;
      any |= x <= kMasked;
      all &= x <= kMasked;
      if (x <= kMasked) {
        parts.exact &= x == first.value_or(x);
        first = x;
        parts.level = std::max(parts.level, x);
        x = 0;
      }
      zero &= x == 0;
    }
    if (zero) parts.rest = nullptr;
    if (!any) return parts;
    if (!zero) parts.rest = constant(*array);
    parts.everything = all;
    if (!all) parts.closed = constant(closed);
    return parts;
  }

  Result ofSum(Op& op, int depth) {
    IR_ASSIGN_OR_RETURN(const Parts a, partsOf(op.operand(0), depth + 1));
    Parts b;
    if (op.is("tensor.add")) {
      IR_ASSIGN_OR_RETURN(b, partsOf(op.operand(1), depth + 1));
    } else {
      IR_ASSIGN_OR_RETURN(b, ofMultiple(op.operand(1), -1));
      if (!b.closes()) b.rest = op.operand(1);
    }
    IR_ASSIGN_OR_RETURN(Parts sum, either(a, b));
    sum.exact &= !(a.closes() && b.closes()) && sum.level <= kAbsorbs;
    if (a.rest == nullptr && !op.is("tensor.sub")) {
      sum.rest = b.rest;
    } else if (b.rest == nullptr) {
      sum.rest = a.rest;
    } else if (a.rest != nullptr) {
      IR_ASSIGN_OR_RETURN(sum.rest, emit(op.name(), {a.rest, b.rest}));
    } else {
      IR_ASSIGN_OR_RETURN(sum.rest, emit("tensor.neg", {b.rest}));
    }
    return sum;
  }

  // Closed where one of them is; not yet what the rest is.
  Result either(const Parts& a, const Parts& b) {
    Parts parts;
    parts.exact = a.exact && b.exact;
    parts.everything = a.everything || b.everything;
    parts.computed = a.computed || b.computed;
    parts.level = std::max(a.level, b.level);
    IR_ASSIGN_OR_RETURN(parts.closed, disjunction(a.closed, b.closed));
    return parts;
  }

  Result ofChoice(Op& op, int depth) {
    Value* condition = op.operand(0);
    IR_ASSIGN_OR_RETURN(const Parts a, partsOf(op.operand(1), depth + 1));
    IR_ASSIGN_OR_RETURN(const Parts b, partsOf(op.operand(2), depth + 1));
    if (!a.closes() && !b.closes()) return Parts{.rest = op.result()};
    IR_ASSIGN_OR_RETURN(Parts parts, either(a, b));
    parts.exact &= !(a.closes() && b.closes()) || a.level == b.level;
    parts.everything = a.everything && b.everything;
    parts.computed |= !isConstant(condition);
    IR_ASSIGN_OR_RETURN(Value * inverse, emit("tensor.not", {condition}));
    // condition and a closed, or neither condition nor b open
    Value *first = condition, *second = inverse;
    if (!a.everything) {
      first = nullptr;
      if (a.closed != nullptr) {
        IR_ASSIGN_OR_RETURN(first, emit("tensor.and", {condition, a.closed}));
      }
    }
    if (!b.everything) {
      second = nullptr;
      if (b.closed != nullptr) {
        IR_ASSIGN_OR_RETURN(second, emit("tensor.and", {inverse, b.closed}));
      }
    }
    IR_ASSIGN_OR_RETURN(parts.closed, disjunction(first, second));
    if (a.everything || b.everything) {
      parts.rest = a.everything ? b.rest : a.rest;
    } else if (a.rest != nullptr || b.rest != nullptr) {
      Value* zero = constant(Array::real({}, {0}));
      IR_ASSIGN_OR_RETURN(parts.rest, emit("tensor.where", {condition, a.rest ? a.rest : zero,
                                                            b.rest ? b.rest : zero}));
    }
    return parts;
  }

  Result ofProduct(Op& op, int depth) {
    std::optional<WithConstant> split = splitConstant(op);
    std::optional<double> factor = split ? scalarOf(split->constant) : std::nullopt;
    if (!factor || !std::isfinite(*factor) || (op.is("tensor.div") && split->constant_first))
      return Parts{.rest = op.result()};
    if (op.is("tensor.div")) factor = 1 / *factor;
    IR_ASSIGN_OR_RETURN(Parts parts, ofMultiple(split->value, *factor));
    if (parts.closes()) return parts;
    if (!(*factor > 0)) return Parts{.rest = op.result()};
    IR_ASSIGN_OR_RETURN(parts, partsOf(split->value, depth + 1));
    parts.level *= *factor;
    if (!parts.closes() || parts.level > kMasked) return Parts{.rest = op.result()};
    if (parts.rest == nullptr) return parts;
    llvm::SmallVector<Value*, 2> operands = {parts.rest, split->constant};
    if (split->constant_first) std::swap(operands[0], operands[1]);
    IR_ASSIGN_OR_RETURN(parts.rest, emit(op.name(), operands));
    return parts;
  }

  // A factor times what is a whole number and not negative: closed where it is not 0.
  Result ofMultiple(Value* value, double factor) {
    const Parts none{.rest = value};
    if (value->type().element != Element::kFloat) return none;
    if (isOp(value, "tensor.mul")) {
      std::optional<WithConstant> split = splitConstant(*value->definingOp());
      std::optional<double> more = split ? scalarOf(split->constant) : std::nullopt;
      if (more) return ofMultiple(split->value, factor * *more);
    }
    const std::optional<WholeRange> range = ranges_.of(value);
    if (!(factor <= kMasked) || !std::isfinite(factor) || !range || range->low < 0 ||
        isConstant(value))
      return none;
    Parts parts;
    parts.level = factor;
    parts.exact = range->high <= 1;
    parts.computed = true;
    IR_ASSIGN_OR_RETURN(parts.closed,
                        emit("tensor.greater", {value, constant(Array::real({}, {0}))}));
    return parts;
  }

  // A floor far below: where it takes the place of a score, that is closed.
  Result ofMaximum(Op& op, int depth) {
    std::optional<WithConstant> split = splitConstant(op);
    std::optional<double> floor = split ? scalarOf(split->constant) : std::nullopt;
    if (!floor || *floor > kMasked) return Parts{.rest = op.result()};
    IR_ASSIGN_OR_RETURN(Parts parts, partsOf(split->value, depth + 1));
    // A score above zero lifts what absorbs nothing above the floor.
    parts.exact |= parts.level <= std::min(*floor, kAbsorbs);
    parts.level = std::max(parts.level, *floor);
    return parts;
  }

  // Of masks alone.
  Result ofMinimum(Op& op, int depth) {
    IR_ASSIGN_OR_RETURN(const Parts a, partsOf(op.operand(0), depth + 1));
    IR_ASSIGN_OR_RETURN(const Parts b, partsOf(op.operand(1), depth + 1));
    if (!a.closes() || !b.closes() || a.rest != nullptr || b.rest != nullptr)
      return Parts{.rest = op.result()};
    IR_ASSIGN_OR_RETURN(Parts parts, either(a, b));
    parts.exact &= a.level == b.level;
    return parts;
  }

  Result ofCopy(Op& op, int depth) {
    Value* operand = op.operand(0);
    IR_ASSIGN_OR_RETURN(Parts parts, partsOf(operand, depth + 1));
    if (!parts.closes()) return parts;
    for (Value** part : {&parts.rest, &parts.closed}) {
      if (*part == nullptr) continue;
      IR_ASSIGN_OR_RETURN(Value * whole, expanded(*part, operand->type().shape));
      llvm::SmallVector<Value*, 2> operands(op.operands().begin(), op.operands().end());
      operands[0] = whole;
      IR_ASSIGN_OR_RETURN(*part, emit(op.name(), operands, op.attributes()));
    }
    return parts;
  }

  // Beside each other: of keys that are always open, say, and those that a mask is about.
  Result ofJoined(Op& op, int depth) {
    std::vector<Parts> list;
    Parts joined;
    joined.everything = true;
    bool rests = false;
    for (Value* operand : op.operands()) {
      IR_ASSIGN_OR_RETURN(const Parts parts, partsOf(operand, depth + 1));
      rests |= parts.rest != nullptr;
      joined.everything &= parts.everything;
      joined.computed |= parts.computed;
      if (parts.closes()) joined.level = std::max(joined.level, parts.level);
      list.push_back(parts);
    }
    if (llvm::none_of(list, [](const Parts& parts) { return parts.closes(); }))
      return Parts{.rest = op.result()};
    llvm::SmallVector<Value*, 4> rest, closed;
    for (auto [parts, operand] : llvm::zip(list, op.operands())) {
      const auto& shape = operand->type().shape;
      if (parts.closes()) joined.exact &= parts.exact && parts.level == joined.level;
      Array all = Array::zeros(Element::kBool, {});
      all.integers[0] = parts.everything;
      Value* which = parts.everything || !parts.closed ? constant(all) : parts.closed;
      IR_ASSIGN_OR_RETURN(which, expanded(which, shape));
      closed.push_back(which);
      if (!rests) continue;
      Value* score = parts.rest ? parts.rest : constant(Array::real({}, {0}));
      IR_ASSIGN_OR_RETURN(score, expanded(score, shape));
      rest.push_back(score);
    }
    if (!joined.everything) {
      IR_ASSIGN_OR_RETURN(joined.closed, emit("tensor.concat", closed, op.attributes()));
    }
    if (rests) {
      IR_ASSIGN_OR_RETURN(joined.rest, emit("tensor.concat", rest, op.attributes()));
    }
    return joined;
  }

  absl::StatusOr<NoneOpen> noneOpen(const Parts& parts) {
    const auto& shape = parts.closed->type().shape;
    // A mask of keys closes all for all queries: a run on nothing.
    if (shape.size() < 2 || shape[shape.size() - 2] == 1) return NoneOpen::kRefused;
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
      IR_ASSIGN_OR_RETURN(const Parts other, partsOf(sum.operand(1 - i), depth + 1));
      return !other.closes();
    }
    return false;
  }

  // 1 where nothing closes the score, or its whole row; what such a row gets is part of it.
  absl::StatusOr<Value*> openRows(const Parts& parts, Value*& rest) {
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

  absl::StatusOr<Value*> disjunction(Value* a, Value* b) {
    if (a == nullptr || b == nullptr) return a != nullptr ? a : b;
    return emit("tensor.or", {a, b});
  }

  absl::StatusOr<Value*> expanded(Value* value, llvm::ArrayRef<int64_t> shape) {
    if (llvm::ArrayRef<int64_t>(value->type().shape) == shape) return value;
    return emit("tensor.expand", {value}, {{"shape", shape.vec()}});
  }

  absl::StatusOr<Value*> emit(llvm::StringRef name, llvm::ArrayRef<Value*> operands,
                              llvm::ArrayRef<ir::NamedAttribute> attributes = {}) {
    IR_ASSIGN_OR_RETURN(Value * value, ir::tensor::create(builder_, name, operands, attributes));
    made_.push_back(value->definingOp());
    return value;
  }

  Value* constant(const Array& array) {
    Value* value = makeConstant(builder_, array, "mask");
    made_.push_back(value->definingOp());
    return value;
  }

  Op& softmax_;
  ir::Builder builder_;
  WholeRanges ranges_;
  std::vector<Op*> made_;
  int visits_ = 0;
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
