#include "passes/import_cleanup/close_scores/guards.h"

#include <cmath>
#include <limits>
#include <vector>

#include "ir/core/status_macros.h"
#include "ir/tensor/array.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/quantize/general.h"

namespace lindero::passes {
namespace {

using ir::Element;
using ir::Op;
using ir::Value;
using ir::tensor::Array;

// Finds, by element, what may be no finite number: 1, else 0. Inputs are finite.
class InfiniteElements {
 public:
  absl::StatusOr<Array> of(const Value& value) {
    const auto& shape = value.type().shape;
    Array none = Array::zeros(Element::kFloat, shape);
    if (value.type().element != Element::kFloat) return none;
    if (std::optional<Array> array = arrayOf(&value)) {
      for (size_t i = 0; i < array->reals.size(); ++i)
        none.reals[i] = !std::isfinite(array->reals[i]);
      return none;
    }
    Array all = spread(Array::real({}, {1}), shape);
    const Op* op = value.definingOp();
    if (op == nullptr) return none;
    if (++visits_ > kMostVisits) return all;
    if (isCopy(*op)) return copied(*op);
    const bool choice = op->is("tensor.where");
    if (!choice && !op->is("tensor.add") && !op->is("tensor.sub") && !op->is("tensor.mul") &&
        !op->is("tensor.neg") && !op->is("tensor.cast"))
      return all;
    const std::optional<Array> condition = choice ? arrayOf(op->operand(0)) : std::nullopt;
    for (auto [i, operand] : llvm::enumerate(op->operands().drop_front(choice ? 1 : 0))) {
      IR_ASSIGN_OR_RETURN(Array part, of(*operand));
      part = spread(part, shape);
      const Array where = condition ? spread(*condition, shape) : part;
      for (size_t k = 0; k < part.reals.size(); ++k) {
        if (condition && (where.reals[k] != 0) != (i == 0)) continue;
        none.reals[k] = std::max(none.reals[k], part.reals[k]);
      }
    }
    return none;
  }

 private:
  static constexpr int kMostVisits = 256;

  absl::StatusOr<Array> copied(const Op& op) {
    std::vector<double> from;
    for (const Value* operand : copiedOperands(op)) {
      IR_ASSIGN_OR_RETURN(const Array part, of(*operand));
      llvm::append_range(from, part.reals);
    }
    IR_ASSIGN_OR_RETURN(const std::vector<int64_t> elements, copiedElements(op));
    Array result = Array::zeros(Element::kFloat, op.result()->type().shape);
    for (auto [i, element] : llvm::enumerate(elements)) result.reals[i] = from[element];
    return result;
  }

  int visits_ = 0;
};

}  // namespace

Value* maskOfGuard(const Op& choice) {
  if (!choice.is("tensor.where") || scalarOf(choice.operand(1)) != 0) return nullptr;
  if (!isOp(choice.operand(0), "tensor.equal")) return nullptr;
  const auto split = splitConstant(*choice.operand(0)->definingOp());
  if (!split || scalarOf(split->constant) != -std::numeric_limits<double>::infinity())
    return nullptr;
  if (!isOp(split->value, "tensor.reduce_max")) return nullptr;
  const Op& most = *split->value->definingOp();
  Value* mask = most.operand(0);
  const auto last = static_cast<int64_t>(mask->type().shape.size()) - 1;
  const bool rows = most.boolAttr("keepdims") && most.intsAttr("axes") == llvm::ArrayRef(last) &&
                    split->value->type().shape == choice.operand(0)->type().shape &&
                    choice.operand(2)->type().shape == choice.result()->type().shape;
  return rows ? mask : nullptr;
}

absl::StatusOr<bool> hasFiniteRows(const Value& mask) {
  IR_ASSIGN_OR_RETURN(const Array infinite, InfiniteElements().of(mask));
  const int64_t keys = mask.type().shape.back();
  if (keys == 0) return false;
  for (size_t row = 0; row < infinite.reals.size(); row += keys) {
    const auto elements = llvm::ArrayRef(infinite.reals).slice(row, keys);
    if (llvm::all_of(elements, [](double x) { return x != 0; })) return false;
  }
  return true;
}

}  // namespace lindero::passes
