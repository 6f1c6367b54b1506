#include "passes/import_cleanup/fuse_attention/fuse_attention.h"

#include <cmath>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "passes/import_cleanup/fuse_attention/attention_pattern.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

// Some columns of a constant whose last axis they count.
Value* gatherColumns(ir::Builder& builder, Value* constant, const Ints& columns) {
  std::optional<Array> from = arrayOf(constant);
  if (!from) return nullptr;
  const int64_t width = from->shape.back(), count = columns.size();
  Array to;
  to.shape = from->shape;
  to.shape.back() = count;
  for (int64_t row = 0; row < from->elements() / width; ++row) {
    for (int64_t column : columns) to.reals.push_back(from->reals[row * width + column]);
  }
  return makeConstant(builder, to, constantOf(constant)->name);
}

// The columns as a [T, heads * depth] value of their own; null if they are interleaved and come
// from no linear.
absl::StatusOr<Value*> materialize(const HeadColumns& heads, const AttentionPattern& pattern) {
  ir::Builder builder = ir::Builder::before(pattern.mix);
  builder.setLocation(locationOf(heads.chain));
  Ints columns;
  bool consecutive = true;
  for (int64_t h = 0; h < pattern.heads; ++h) {
    for (int64_t i = 0; i < pattern.depth; ++i) {
      columns.push_back(heads.offset + h * heads.head_stride + i * heads.stride);
      consecutive &= columns.back() == heads.offset + int64_t(columns.size()) - 1;
    }
  }
  Value* source = heads.source;
  const Ints matrix = {pattern.tokens, heads.width};
  if (consecutive) {
    if (llvm::ArrayRef<int64_t>(source->type().shape) != llvm::ArrayRef<int64_t>(matrix)) {
      IR_ASSIGN_OR_RETURN(
          source, ir::tensor::create(builder, "tensor.reshape", {source}, {{"shape", matrix}}));
    }
    const int64_t size = columns.size();
    if (size == heads.width) return source;
    return ir::tensor::create(builder, "tensor.slice", {source},
                              {{"axis", int64_t{1}}, {"start", heads.offset}, {"size", size}});
  }
  if (!isOp(source, "tensor.linear") || source->type().shape[0] != pattern.tokens) return nullptr;
  const Op* linear = source->definingOp();
  llvm::SmallVector<Value*, 3> operands = {linear->operand(0)};
  for (Value* constant : linear->operands().drop_front()) {
    operands.push_back(gatherColumns(builder, constant, columns));
    if (!operands.back()) return nullptr;
  }
  builder.setLocation(linear->location());
  return ir::tensor::create(builder, "tensor.linear", operands);
}

// [T, heads * depth] as the product with v had it: heads first.
absl::StatusOr<Value*> splitHeads(ir::Builder& builder, Value* value,
                                  const AttentionPattern& pattern) {
  const ir::Type& type = pattern.mix->result()->type();
  if (type.shape.size() == 2) return value;
  const Ints split = {pattern.tokens, pattern.heads, pattern.depth};
  IR_ASSIGN_OR_RETURN(value,
                      ir::tensor::create(builder, "tensor.reshape", {value}, {{"shape", split}}));
  return ir::tensor::create(builder, "tensor.transpose", {value}, {{"perm", Ints{1, 0, 2}}});
}

absl::StatusOr<bool> fuse(const Op& softmax) {
  auto pattern = matchAttention(softmax);
  if (!pattern.ok()) return false;
  ir::Builder builder = ir::Builder::before(pattern->mix);
  builder.setLocation(locationOf(pattern->ops));
  llvm::SmallVector<Value*, 3> operands;
  for (const HeadColumns* heads : {&pattern->q, &pattern->k, &pattern->v}) {
    IR_ASSIGN_OR_RETURN(Value * operand, materialize(*heads, *pattern));
    if (!operand) {
      for (Value* made : operands) {
        if (made->users().empty() && made->definingOp()) eraseDead(made->definingOp());
      }
      return false;
    }
    operands.push_back(operand);
  }
  llvm::SmallVector<ir::NamedAttribute, 4> attributes = {
      {"heads", pattern->heads}, {"scale", pattern->scale}, {"causal", pattern->causal}};
  if (std::isfinite(pattern->masked)) attributes.push_back({"masked", pattern->masked});
  IR_ASSIGN_OR_RETURN(Value * result,
                      ir::tensor::create(builder, "tensor.attention", operands, attributes));
  IR_ASSIGN_OR_RETURN(result, splitHeads(builder, result, *pattern));
  pattern->mix->result()->replaceAllUsesWith(result);
  eraseDead(pattern->mix);
  return true;
}

absl::StatusOr<bool> fuseAll(ir::Function& function) {
  std::vector<Op*> softmaxes;
  for (Op& op : function.body().ops()) {
    if (op.is("tensor.softmax")) softmaxes.push_back(&op);
  }
  bool changed = false;
  for (const Op* softmax : softmaxes) {
    IR_ASSIGN_OR_RETURN(const bool fused, fuse(*softmax));
    changed |= fused;
  }
  if (changed) eraseUnusedConstants(*function.module());
  return changed;
}

}  // namespace

std::unique_ptr<Pass> createFuseAttention() {
  return makeFunctionPass("fuse-attention", "Recognizes attention with its masks, scales and heads",
                          fuseAll);
}
absl::Status registerFuseAttention() { return registerPass(createFuseAttention); }

}  // namespace lindero::passes
