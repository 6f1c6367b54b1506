#include "passes/import_cleanup/fuse_softmax/fuse_softmax.h"

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

struct Softmax {
  Value* x;
  int64_t axis;
  llvm::SmallVector<const Op*, 6> ops;
};

// The reduction of `value` along one axis that is kept, if `reduced` is that.
std::optional<int64_t> reducedAxis(const Value* reduced, llvm::StringRef name, const Value* value) {
  if (!isOp(reduced, name)) return std::nullopt;
  const Op* op = reduced->definingOp();
  if (op->operand(0) != value || !op->boolAttr("keepdims") || op->intsAttr("axes").size() != 1)
    return std::nullopt;
  return op->intsAttr("axes")[0];
}

// numerator / denominator with denominator the sum of the numerator, and that an exponential.
std::optional<Softmax> match(Value* numerator, Value* denominator) {
  if (!isOp(numerator, "tensor.exp")) return std::nullopt;
  std::optional<int64_t> axis = reducedAxis(denominator, "tensor.reduce_sum", numerator);
  if (!axis) return std::nullopt;
  const Op* exp = numerator->definingOp();
  Softmax softmax{exp->operand(0), *axis, {}};
  if (isOp(softmax.x, "tensor.sub")) {
    const Op* sub = softmax.x->definingOp();
    if (reducedAxis(sub->operand(1), "tensor.reduce_max", sub->operand(0)) == *axis) {
      softmax.ops = {sub->operand(1)->definingOp(), sub};
      softmax.x = sub->operand(0);
    }
  }
  softmax.ops.append({exp, denominator->definingOp()});
  return softmax;
}

std::optional<Softmax> match(const Op& op) {
  if (op.is("tensor.div")) return match(op.operand(0), op.operand(1));
  if (!op.is("tensor.mul")) return std::nullopt;
  for (unsigned i : {0, 1}) {
    if (!isOp(op.operand(i), "tensor.reciprocal")) continue;
    const Op* reciprocal = op.operand(i)->definingOp();
    std::optional<Softmax> softmax = match(op.operand(1 - i), reciprocal->operand(0));
    if (softmax) softmax->ops.push_back(reciprocal);
    if (softmax) return softmax;
  }
  return std::nullopt;
}

absl::StatusOr<bool> fuse(ir::Function& function) {
  bool changed = false;
  for (Op& op : llvm::make_early_inc_range(function.body().ops())) {
    std::optional<Softmax> softmax = match(op);
    if (!softmax) continue;
    softmax->ops.push_back(&op);
    ir::Builder builder = ir::Builder::before(&op);
    builder.setLocation(locationOf(softmax->ops));
    IR_ASSIGN_OR_RETURN(Value * fused, ir::tensor::create(builder, "tensor.softmax", {softmax->x},
                                                          {{"axis", softmax->axis}}));
    replaceOp(&op, fused);
    changed = true;
  }
  return changed;
}

}  // namespace

std::unique_ptr<Pass> createFuseSoftmax() {
  return makeFunctionPass("fuse-softmax",
                          "Recognizes a softmax written as exponentials over their sum", fuse);
}
absl::Status registerFuseSoftmax() { return registerPass(createFuseSoftmax); }

}  // namespace lindero::passes
