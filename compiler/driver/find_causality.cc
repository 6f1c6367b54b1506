#include "compiler/driver/find_causality.h"

#include <map>
#include <optional>

#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/support/whole_range.h"

namespace lindero::compiler {
namespace {

using ir::Op;
using ir::Value;

class Positions {
 public:
  explicit Positions(const Value& tokens) {
    const auto& shape = tokens.type().shape;
    const auto longest = llvm::max_element(shape);
    // Of a batch of one.
    known_ = !shape.empty() && tokens.type().elements() == *longest;
    axes_[&tokens] = longest - shape.begin();
  }

  // False if the op may mix positions.
  bool visit(const Op& op) {
    if (op.def().terminator || llvm::none_of(op.operands(), [&](const Value* v) { return has(v); }))
      return true;
    if (!known_ || op.numResults() != 1) return false;
    const std::optional<int64_t> axis = follow(op);
    if (!axis) return false;
    axes_[op.result()] = *axis;
    return true;
  }

 private:
  bool has(const Value* value) const { return axes_.count(value) > 0; }
  int64_t of(const Op& op, unsigned i) const { return axes_.at(op.operand(i)); }
  static int64_t rank(const Value* value) {
    return static_cast<int64_t>(value->type().shape.size());
  }

  std::optional<int64_t> follow(const Op& op) const {
    const Value* first = op.operand(0);
    const bool alone = has(first) && llvm::none_of(op.operands().drop_front(),
                                                   [&](const Value* v) { return has(v); });
    if (op.is("tensor.embedding")) return alone ? std::optional(of(op, 0)) : std::nullopt;
    if (op.is("tensor.attention")) return attended(op);
    if (op.is("tensor.concat")) {
      const std::optional<int64_t> axis = shared(op, 0);
      return axis != op.intAttr("axis") ? axis : std::nullopt;
    }
    if (passes::isElementwise(op)) return shared(op, rank(op.result()));
    if (!alone) return std::nullopt;
    const int64_t axis = of(op, 0), last = rank(first) - 1;
    if (op.is("tensor.linear") || op.is("tensor.layernorm"))
      return axis != last ? std::optional(axis) : std::nullopt;
    if (op.is("tensor.argmax")) return chosen(op, axis, last);
    if (op.is("tensor.matmul"))
      return axis == last - 1 && rank(op.operand(1)) == 2 ? std::optional(axis) : std::nullopt;
    if (op.is("tensor.softmax") || op.is("tensor.slice"))
      return axis != op.intAttr("axis") ? std::optional(axis) : std::nullopt;
    if (op.is("tensor.transpose")) {
      const std::vector<int64_t> perm = op.intsAttr("perm");
      return llvm::find(perm, axis) - perm.begin();
    }
    return op.is("tensor.reshape") ? reshaped(*first, axis, *op.result()) : std::nullopt;
  }

  // The axis that all operands with positions have in common, in a result of that rank (0: theirs).
  std::optional<int64_t> shared(const Op& op, int64_t rank_of_result) const {
    std::optional<int64_t> found;
    for (const Value* operand : op.operands()) {
      if (!has(operand)) continue;
      const int64_t own = axes_.at(operand),
                    added = rank_of_result > 0 ? rank_of_result - rank(operand) : 0;
      if (found && *found != own + added) return std::nullopt;
      found = own + added;
    }
    return found;
  }

  static std::optional<int64_t> chosen(const Op& argmax, int64_t axis, int64_t last) {
    const int64_t among = argmax.intAttrOr("axis", last);
    if (among == axis) return std::nullopt;
    const bool kept = argmax.has("keepdims") && argmax.boolAttr("keepdims");
    return among < axis && !kept ? axis - 1 : axis;
  }

  std::optional<int64_t> attended(const Op& op) const {
    if (!op.boolAttr("causal")) return std::nullopt;
    for (unsigned i = 0; i < op.numOperands(); ++i) {
      if (!has(op.operand(i)) || of(op, i) != 0) return std::nullopt;
    }
    return 0;
  }

  // As many elements before it, and as long.
  std::optional<int64_t> reshaped(const Value& from, int64_t axis, const Value& to) const {
    int64_t before = 1, count = 1;
    for (int64_t i = 0; i < axis; ++i) before *= from.type().shape[i];
    for (int64_t i = 0; i < rank(&to); ++i) {
      if (count == before && to.type().shape[i] == from.type().shape[axis]) return i;
      count *= to.type().shape[i];
    }
    return std::nullopt;
  }

  bool known_ = false;
  std::map<const Value*, int64_t> axes_;  // that of the tokens
};

// The input that is looked up, if no other one is read.
const Value* tokensOf(const ir::Function& function) {
  const Value* tokens = nullptr;
  for (const auto& argument : function.body().arguments()) {
    if (argument->users().empty()) continue;
    const bool looked_up = llvm::all_of(argument->users(), [&](const Op* reader) {
      return reader->is("tensor.embedding") && reader->operand(0) == argument.get();
    });
    if (tokens != nullptr || !looked_up) return nullptr;
    tokens = argument.get();
  }
  return tokens;
}

}  // namespace

const Op* findMixing(const ir::Function& function) {
  const Value* tokens = tokensOf(function);
  if (tokens == nullptr) return nullptr;
  Positions positions(*tokens);
  for (const Op& op : function.body().ops()) {
    if (!positions.visit(op)) return &op;
  }
  return nullptr;
}

bool isCausal(const ir::Function& function) {
  return tokensOf(function) != nullptr && findMixing(function) == nullptr;
}

}  // namespace lindero::compiler
