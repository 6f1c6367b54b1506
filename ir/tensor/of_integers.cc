#include "ir/tensor/of_integers.h"

#include "ir/core/op_table.h"
#include "ir/tensor/scalar_functions.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::ir::tensor {
namespace {

bool isConstant(const Value* value) {
  return value->definingOp() != nullptr && value->definingOp()->is("tensor.constant");
}

// Does each element of the result come from one of each operand?
bool isByElement(const Op& op) {
  if (op.is("tensor.matmul")) {
    const auto &a = op.operand(0)->type().shape, &b = op.operand(1)->type().shape;
    return a.size() >= 2 && b.size() >= 2 && a.back() == 1;
  }
  if (op.is("tensor.gather")) return isConstant(op.operand(1));
  return llvm::StringSwitch<bool>(op.name())
      .Cases("tensor.cast", "tensor.activation", "tensor.concat", "tensor.expand", true)
      .Cases("tensor.reshape", "tensor.select_rows", "tensor.slice", "tensor.transpose", true)
      .Default(findScalarFunction(op.name().drop_front(strlen("tensor."))) != nullptr);
}

}  // namespace

llvm::DenseSet<const Value*> realsOfIntegers(const Function& function) {
  llvm::DenseSet<const Value*> known, reals;
  for (const auto& argument : function.body().arguments()) {
    if (argument->type().element != Element::kFloat) known.insert(argument.get());
  }
  for (const Op& op : function.body().ops()) {
    if (op.numResults() != 1 || !isByElement(op)) continue;
    auto isKnown = [&](const Value* operand) { return known.contains(operand); };
    const bool all = llvm::all_of(op.operands(), [&](const Value* operand) {
      return isKnown(operand) || isConstant(operand);
    });
    if (!all || llvm::none_of(op.operands(), isKnown)) continue;
    known.insert(op.result());
    if (op.result()->type().element == Element::kFloat) reals.insert(op.result());
  }
  return reals;
}

void roundToSingle(std::vector<double>& reals) {
  for (double& x : reals) x = static_cast<float>(x);
}

}  // namespace lindero::ir::tensor
