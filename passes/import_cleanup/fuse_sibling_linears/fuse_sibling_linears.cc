#include "passes/import_cleanup/fuse_sibling_linears/fuse_sibling_linears.h"

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/MapVector.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

// Places the columns of `part` in those of `whole` from `start` on.
void copyColumns(const Array& part, Array& whole, int64_t start) {
  const int64_t width = part.shape.back(), stride = whole.shape.back();
  for (int64_t row = 0, rows = width ? part.elements() / width : 0; row < rows; ++row) {
    std::copy_n(part.reals.begin() + row * width, width,
                whole.reals.begin() + row * stride + start);
  }
}

struct Joined {
  Array weights, bias;
  bool has_bias = false;
};

// Nothing if some weights are not at hand.
std::optional<Joined> join(llvm::ArrayRef<Op*> siblings) {
  int64_t out = 0;
  for (const Op* op : siblings) out += op->result()->type().shape[1];
  const int64_t in = siblings[0]->operand(0)->type().shape[1];
  Joined joined{Array::zeros(ir::Element::kFloat, {in, out}),
                Array::zeros(ir::Element::kFloat, {out})};
  int64_t start = 0;
  for (const Op* op : siblings) {
    std::optional<Array> weights = arrayOf(op->operand(1));
    if (!weights) return std::nullopt;
    copyColumns(*weights, joined.weights, start);
    if (op->numOperands() == 3) {
      std::optional<Array> bias = arrayOf(op->operand(2));
      if (!bias) return std::nullopt;
      copyColumns(*bias, joined.bias, start);
      joined.has_bias = true;
    }
    start += op->result()->type().shape[1];
  }
  return joined;
}

absl::StatusOr<bool> fuse(llvm::ArrayRef<Op*> siblings) {
  std::optional<Joined> joined = join(siblings);
  if (!joined) return false;
  ir::Builder builder = ir::Builder::before(siblings[0]);
  builder.setLocation(locationOf(siblings));
  llvm::SmallVector<Value*, 3> operands = {siblings[0]->operand(0)};
  operands.push_back(
      makeConstant(builder, joined->weights, constantOf(siblings[0]->operand(1))->name));
  if (joined->has_bias) {
    const Value* named =
        siblings[0]->numOperands() == 3 ? siblings[0]->operand(2) : siblings[0]->operand(1);
    operands.push_back(makeConstant(builder, joined->bias, constantOf(named)->name));
  }
  IR_ASSIGN_OR_RETURN(Value * wide, ir::tensor::create(builder, "tensor.linear", operands));
  int64_t start = 0;
  for (Op* op : siblings) {
    const int64_t size = op->result()->type().shape[1];
    ir::Builder here = ir::Builder::before(op);
    here.setLocation(op->location());
    IR_ASSIGN_OR_RETURN(
        Value * part, ir::tensor::create(here, "tensor.slice", {wide},
                                         {{"axis", int64_t{1}}, {"start", start}, {"size", size}}));
    op->result()->replaceAllUsesWith(part);
    eraseDead(op);
    start += size;
  }
  return true;
}

absl::StatusOr<bool> fuseAll(ir::Function& function) {
  llvm::MapVector<Value*, llvm::SmallVector<Op*, 4>> readers;
  for (Op& op : function.body().ops()) {
    if (op.is("tensor.linear")) readers[op.operand(0)].push_back(&op);
  }
  bool changed = false;
  for (auto& [x, siblings] : readers) {
    if (siblings.size() < 2) continue;
    IR_ASSIGN_OR_RETURN(const bool fused, fuse(siblings));
    changed |= fused;
  }
  if (changed) eraseUnusedConstants(*function.module());
  return changed;
}

}  // namespace

std::unique_ptr<Pass> createFuseSiblingLinears() {
  return makeFunctionPass("fuse-sibling-linears", "Makes linears that read the same value one",
                          fuseAll);
}
absl::Status registerFuseSiblingLinears() { return registerPass(createFuseSiblingLinears); }

}  // namespace lindero::passes
