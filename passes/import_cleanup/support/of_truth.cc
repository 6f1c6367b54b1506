#include "passes/import_cleanup/support/of_truth.h"

#include <cmath>
#include <tuple>

#include "ir/core/op_table.h"
#include "ir/tensor/scalar_functions.h"
#include "llvm/ADT/SmallVector.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

double single(double x) { return static_cast<float>(x); }

std::optional<double> castTo(llvm::StringRef type, double x) {
  if (type == "float") return single(x);
  if (type == "bool") return x != 0;
  if (type == "int" && std::abs(x) < 0x1p62) return std::trunc(x);
  return std::nullopt;
}

}  // namespace

std::optional<TwoNumbers> twoNumbersOf(
    const ir::Op& op,
    llvm::function_ref<std::optional<TwoNumbers>(const ir::Value*)> numbersOfOperand) {
  llvm::SmallVector<TwoNumbers, 3> operands;
  for (const ir::Value* operand : op.operands()) {
    const std::optional<double> constant = scalarOf(operand);
    const std::optional<TwoNumbers> two =
        constant ? TwoNumbers{*constant, *constant} : numbersOfOperand(operand);
    if (!two) return std::nullopt;
    operands.push_back(*two);
  }
  if (operands.empty() || operands.size() > 3) return std::nullopt;
  if (op.is("tensor.cast")) {
    const auto zero = castTo(op.stringAttr("to"), operands[0].at_zero),
               one = castTo(op.stringAttr("to"), operands[0].at_one);
    if (!zero || !one) return std::nullopt;
    return TwoNumbers{*zero, *one};
  }
  llvm::StringRef name = op.name();
  if (!name.consume_front("tensor.")) return std::nullopt;
  const ir::tensor::ScalarFunction* function = ir::tensor::findScalarFunction(name);
  const bool divides = op.is("tensor.div") && op.result()->type().element == ir::Element::kInt;
  if (function == nullptr || function->operands.size() != operands.size() || divides)
    return std::nullopt;
  operands.resize(3, {0, 0});
  const auto [a, b, c] = std::tuple(operands[0], operands[1], operands[2]);
  const TwoNumbers made = {function->apply(a.at_zero, b.at_zero, c.at_zero),
                           function->apply(a.at_one, b.at_one, c.at_one)};
  if (op.result()->type().element != ir::Element::kFloat) return made;
  return TwoNumbers{single(made.at_zero), single(made.at_one)};
}

}  // namespace lindero::passes
