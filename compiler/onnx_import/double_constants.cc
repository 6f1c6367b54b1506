#include "compiler/onnx_import/double_constants.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/problems.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::compiler {
namespace {

// What a value is computed of.
struct Origin {
  bool reals = false;     // inputs of reals, among others
  bool integers = false;  // integer inputs
  bool rounded = false;   // constants that single precision does not hold
};

bool isRounded(const ir::Constant& constant) {
  if (constant.scalar != ir::Scalar::kF64 || constant.declaredOnly()) return false;
  return llvm::any_of(constant.as<double>(), [](double x) {
    const auto single = static_cast<float>(x);
    return std::isfinite(single) && single != x;
  });
}

bool compares(const ir::Op& op) {
  return op.is("tensor.equal") || op.is("tensor.less") || op.is("tensor.less_or_equal") ||
         op.is("tensor.greater") || op.is("tensor.greater_or_equal") || op.is("tensor.sign");
}

bool makesWhole(const ir::Op& op) {
  if (op.is("tensor.floor") || op.is("tensor.ceil") || op.is("tensor.round")) return true;
  return op.is("tensor.cast") && op.operand(0)->type().element == ir::Element::kFloat &&
         op.stringAttr("to") != "float";
}

}  // namespace

absl::Status checkDoubleConstants(const ir::Function& function) {
  llvm::DenseMap<const ir::Value*, Origin> origins;
  for (const auto& argument : function.body().arguments()) {
    const bool real = argument->type().element == ir::Element::kFloat;
    origins[argument.get()] = {.reals = real, .integers = !real};
  }
  ir::Problems problems;
  for (const ir::Op& op : function.body().ops()) {
    Origin all;
    if (op.is("tensor.constant")) {
      const ir::Constant* constant = function.module()->constants().find(op.symbolAttr("value"));
      all.rounded = constant != nullptr && isRounded(*constant);
    }
    for (const ir::Value* operand : op.operands()) {
      const Origin one = origins.lookup(operand);
      all.reals |= one.reals, all.integers |= one.integers, all.rounded |= one.rounded;
    }
    if (op.numResults() == 1) origins[op.result()] = all;
    if (!all.rounded || !all.integers || all.reals || !(compares(op) || makesWhole(op))) continue;
    problems.add(absl::UnimplementedError(
        absl::StrCat(ir::describe(op),
                     ": it decides by a constant of doubles that single precision does not hold; "
                     "export it as float32")));
    origins[op.result()].rounded = false;  // said once
  }
  return problems.status();
}

}  // namespace lindero::compiler
