#include "passes/quantize/whole.h"

#include <cmath>

#include "ir/core/op_table.h"
#include "ir/tensor/array.h"
#include "ir/tensor/expression.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringSwitch.h"
#include "passes/quantize/general.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

bool isWhole(double x) { return x == std::floor(x); }

bool isWholeConstant(const Value& value) {
  const ir::Constant* constant = constantOf(value);
  if (constant == nullptr) return false;
  absl::StatusOr<ir::tensor::Array> array = ir::tensor::readConstant(*constant);
  return array.ok() && llvm::all_of(array->reals, isWhole);
}

// Of the whole numbers that a table's keys hold with their margin.
constexpr int kMostWhole = 1 << 11;

bool isWholeFunction(llvm::StringRef text) {
  absl::StatusOr<ir::tensor::Expression> function = ir::tensor::Expression::parse(text);
  return function.ok() && llvm::all_of(llvm::seq_inclusive(-kMostWhole, kMostWhole), [&](int x) {
           const double y = (*function)(x);
           return !std::isfinite(y) || isWhole(y);
         });
}

bool keepsWhole(const Op& op) {
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
        llvm::any_of(op.operands(), [&](const Value* v) { return whole.contains(v); }) &&
        (op.is("tensor.activation") ? isWholeFunction(op.stringAttr("function"))
                                    : keepsWhole(op)) &&
        llvm::all_of(op.operands(), [&](const Value* operand) {
          return whole.contains(operand) || isWholeConstant(*operand) ||
                 operand->type().element != ir::Element::kFloat;
        });
    if (given || kept) whole.insert(op.result());
  }
  return whole;
}

}  // namespace lindero::passes
