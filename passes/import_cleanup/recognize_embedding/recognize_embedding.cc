#include "passes/import_cleanup/recognize_embedding/recognize_embedding.h"

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

absl::StatusOr<Value*> fuseGather(Op& op) {
  if (!op.is("tensor.gather") || op.intAttr("axis") != 0) return nullptr;
  Value* table = op.operand(0);
  Value* ids = op.operand(1);
  if (!isConstant(table) || table->type().element != ir::Element::kFloat || isConstant(ids))
    return nullptr;
  ir::Builder builder = ir::Builder::before(&op);
  builder.setLocation(op.location());
  if (table->type().shape.size() == 2)
    return ir::tensor::create(builder, "tensor.embedding", {ids, table});
  // What stands under an id, of whatever shape, is a row.
  std::optional<Array> rows = arrayOf(table);
  if (!rows || rows->elements() == 0) return nullptr;
  rows->shape = {rows->shape[0], rows->elements() / rows->shape[0]};
  Value* matrix = makeConstant(builder, *rows, constantOf(table)->name);
  IR_ASSIGN_OR_RETURN(Value * found,
                      ir::tensor::create(builder, "tensor.embedding", {ids, matrix}));
  const auto& shape = op.result()->type().shape;
  return ir::tensor::create(builder, "tensor.reshape", {found},
                            {{"shape", std::vector<int64_t>(shape.begin(), shape.end())}});
}

// The constant, broadcast to the shape of the embedding.
std::optional<Array> broadcastTo(const Value* constant, const ir::Type& type) {
  std::optional<Array> array = arrayOf(constant);
  auto shape = ir::tensor::broadcast(constant->type().shape, type.shape);
  if (!array || !array->isReal() || !shape || *shape != type.shape) return std::nullopt;
  Array full = Array::zeros(ir::Element::kFloat, type.shape);
  const auto strides = ir::tensor::rowMajorStrides(array->shape),
             sizes = ir::tensor::rowMajorStrides(type.shape);
  const size_t added = type.shape.size() - array->shape.size();
  for (int64_t i = 0; i < full.elements(); ++i) {
    int64_t from = 0;
    for (size_t axis = 0; axis < array->shape.size(); ++axis) {
      if (array->shape[axis] == 1) continue;
      from += i / sizes[added + axis] % array->shape[axis] * strides[axis];
    }
    full.reals[i] = array->reals[from];
  }
  return full;
}

struct Absorbed {
  Op* embedding;
  Value* constant;
};

std::optional<Absorbed> matchUser(const Op& op) {
  std::optional<WithConstant> parts = splitConstant(op);
  if (!parts || !isOp(parts->value, "tensor.embedding") || !parts->value->hasOneUse() ||
      parts->value->definingOp()->has("exact"))
    return std::nullopt;
  if (!(parts->value->type() == op.result()->type())) return std::nullopt;
  return Absorbed{parts->value->definingOp(), parts->constant};
}

absl::StatusOr<Value*> absorbAddend(Op& op) {
  std::optional<Absorbed> match = op.is("tensor.add") ? matchUser(op) : std::nullopt;
  if (!match) return nullptr;
  Op& embedding = *match->embedding;
  ir::Builder builder = ir::Builder::before(&op);
  builder.setLocation(locationOf({&embedding, &op}));
  Value* addend = match->constant;
  const bool first = embedding.numOperands() < 3;
  if (!first || !(addend->type() == op.result()->type())) {
    std::optional<Array> sum = broadcastTo(match->constant, op.result()->type());
    if (!sum) return nullptr;
    if (!first) {
      std::optional<Array> before = arrayOf(embedding.operand(2));
      if (!before) return nullptr;
      for (size_t i = 0; i < sum->reals.size(); ++i) sum->reals[i] += before->reals[i];
      if (!fitsSingle(*sum)) return nullptr;
    }
    addend = makeConstant(builder, *sum,
                          constantOf(first ? match->constant : embedding.operand(2))->name);
  }
  return ir::tensor::create(builder, "tensor.embedding",
                            {embedding.operand(0), embedding.operand(1), addend});
}

absl::StatusOr<Value*> absorbScale(Op& op) {
  std::optional<Absorbed> match = op.is("tensor.mul") ? matchUser(op) : std::nullopt;
  std::optional<double> factor = match ? scalarOf(match->constant) : std::nullopt;
  if (!factor) return nullptr;
  ir::Builder builder = ir::Builder::before(&op);
  builder.setLocation(locationOf({match->embedding, &op}));
  llvm::SmallVector<Array, 2> scaled;
  for (const Value* constant : match->embedding->operands().drop_front()) {
    std::optional<Array> array = arrayOf(constant);
    if (!array) return nullptr;
    for (double& value : array->reals) value *= *factor;
    if (!fitsSingle(*array)) return nullptr;
    scaled.push_back(*std::move(array));
  }
  llvm::SmallVector<Value*, 3> operands = {match->embedding->operand(0)};
  for (auto [i, array] : llvm::enumerate(scaled)) {
    const Value* constant = match->embedding->operand(i + 1);
    operands.push_back(makeConstant(builder, array, constantOf(constant)->name));
  }
  return ir::tensor::create(builder, "tensor.embedding", operands);
}

absl::StatusOr<Value*> rewrite(Op& op) {
  for (auto rule : {fuseGather, absorbAddend, absorbScale}) {
    IR_ASSIGN_OR_RETURN(Value * fused, rule(op));
    if (fused) return fused;
  }
  return nullptr;
}

absl::StatusOr<bool> recognize(ir::Function& function) { return rewriteOps(function, rewrite); }

}  // namespace

std::unique_ptr<Pass> createRecognizeEmbedding() {
  return makeFunctionPass("recognize-embedding", "Recognizes token embeddings with positions",
                          recognize);
}
absl::Status registerRecognizeEmbedding() { return registerPass(createRecognizeEmbedding); }

}  // namespace lindero::passes
