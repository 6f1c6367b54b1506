#include "passes/quantize/whole.h"

#include <cmath>

#include "ir/core/op_table.h"
#include "ir/tensor/array.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "passes/quantize/general.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

bool isWholeConstant(const Value& value) {
  const ir::Constant* constant = constantOf(value);
  if (constant == nullptr) return false;
  absl::StatusOr<ir::tensor::Array> array = ir::tensor::readConstant(*constant);
  return array.ok() && llvm::all_of(array->reals, [](double x) { return x == std::floor(x); });
}

bool keepsWhole(const Op& op) {
  if (op.is("tensor.activation")) {
    const llvm::StringRef function = op.stringAttr("function");
    return function.starts_with("where(") || function == "relu(x)";
  }
  return isCopy(op) || llvm::StringSwitch<bool>(op.name())
                           .Cases("tensor.add", "tensor.sub", "tensor.mul", "tensor.neg", true)
                           .Cases("tensor.reduce_sum", "tensor.matmul", "tensor.linear", true)
                           .Case("tensor.select_rows", true)
                           .Default(false);
}

}  // namespace

llvm::DenseSet<const Value*> wholeValues(const ir::Function& function) {
  llvm::DenseSet<const Value*> whole;
  for (const Op& op : function.body().ops()) {
    if (op.numResults() != 1) continue;
    const bool given = op.is("tensor.embedding") && op.has("exact");
    const bool kept =
        keepsWhole(op) &&
        llvm::any_of(op.operands(), [&](const Value* v) { return whole.contains(v); }) &&
        llvm::all_of(op.operands(), [&](const Value* operand) {
          return whole.contains(operand) || isWholeConstant(*operand) ||
                 operand->type().element != ir::Element::kFloat;
        });
    if (given || kept) whole.insert(op.result());
  }
  return whole;
}

}  // namespace lindero::passes
