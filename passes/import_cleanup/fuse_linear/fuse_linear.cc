#include "passes/import_cleanup/fuse_linear/fuse_linear.h"

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
using Ints = std::vector<int64_t>;

absl::StatusOr<Value*> reshape(ir::Builder& builder, Value* value, llvm::ArrayRef<int64_t> shape) {
  if (llvm::ArrayRef<int64_t>(value->type().shape) == shape) return value;
  return ir::tensor::create(builder, "tensor.reshape", {value}, {{"shape", shape.vec()}});
}

// matmul(x, constant) -> linear; null if the op is none.
absl::StatusOr<Value*> fuseProduct(Op& op) {
  if (!op.is("tensor.matmul") || isConstant(op.operand(0)) || !isConstant(op.operand(1)))
    return nullptr;
  Value* x = op.operand(0);
  Value* w = op.operand(1);
  if (w->type().shape.size() != 2 || x->type().elements() == 0) return nullptr;
  const int64_t in = w->type().shape[0];
  ir::Builder builder = ir::Builder::before(&op);
  builder.setLocation(op.location());
  IR_ASSIGN_OR_RETURN(x, reshape(builder, x, {x->type().elements() / in, in}));
  IR_ASSIGN_OR_RETURN(Value * y, ir::tensor::create(builder, "tensor.linear", {x, w}));
  return reshape(builder, y, op.result()->type().shape);
}

// The linear that makes a value, seen through a reshape that keeps its columns, if nothing else
// reads it.
Op* linearOf(Value* value) {
  if (!value->hasOneUse()) return nullptr;
  if (isOp(value, "tensor.reshape")) {
    Value* source = value->definingOp()->operand(0);
    const auto& shape = value->type().shape;
    if (!isOp(source, "tensor.linear") || !source->hasOneUse() || shape.empty() ||
        shape.back() != source->type().shape.back()) {
      return nullptr;
    }
    value = source;
  }
  return isOp(value, "tensor.linear") ? value->definingOp() : nullptr;
}

// What an elementwise op does to each column of a linear: y * factor + addend.
struct ColumnMap {
  Op* linear;
  std::optional<Array> factor, addend;
  Value* constant;  // that brings it
};

std::optional<ColumnMap> matchColumnMap(const Op& op, bool scales) {
  const bool product = op.is("tensor.mul"), quotient = op.is("tensor.div");
  const bool sum = op.is("tensor.add"), difference = op.is("tensor.sub");
  if (!(sum || difference || (scales && (product || quotient)))) return std::nullopt;
  std::optional<WithConstant> parts = splitConstant(op);
  if (!parts || ((quotient || difference) && parts->constant_first)) return std::nullopt;
  Op* linear = linearOf(parts->value);
  if (!linear || !(parts->value->type() == op.result()->type())) return std::nullopt;
  std::optional<Array> vector = columnVector(parts->constant, linear->result()->type().shape[1]);
  if (!vector) return std::nullopt;
  for (double& value : vector->reals) value = quotient ? 1 / value : difference ? -value : value;
  ColumnMap map{linear, {}, {}, parts->constant};
  (product || quotient ? map.factor : map.addend) = std::move(vector);
  return map;
}

absl::StatusOr<Value*> absorb(Op& op, const ColumnMap& map) {
  Op& linear = *map.linear;
  Value* w = linear.operand(1);
  Value* bias = linear.numOperands() == 3 ? linear.operand(2) : nullptr;
  const int64_t out = w->type().shape[1];
  ir::Builder builder = ir::Builder::before(&op);
  builder.setLocation(locationOf({&linear, &op}));
  std::optional<Array> weights = map.factor ? arrayOf(w) : std::nullopt;
  std::optional<Array> sum = bias ? arrayOf(bias) : std::nullopt;
  if ((map.factor && !weights) || (bias && !sum)) return nullptr;
  if (weights) {
    for (int64_t i = 0; i < weights->elements(); ++i)
      weights->reals[i] *= map.factor->reals[i % out];
  }
  if (sum) {
    for (int64_t i = 0; i < out; ++i) {
      double& value = sum->reals[i];
      value = map.factor ? value * map.factor->reals[i] : value + map.addend->reals[i];
    }
  }
  if ((weights && !fitsSingle(*weights)) || (sum && !fitsSingle(*sum))) return nullptr;
  if (weights) w = makeConstant(builder, *weights, constantOf(w)->name);
  if (sum) {
    bias = makeConstant(builder, *sum, constantOf(bias)->name);
  } else if (map.addend) {
    const bool verbatim =
        op.is("tensor.add") && map.constant->type() == ir::Type::tensor(ir::Element::kFloat, {out});
    bias = verbatim ? map.constant
                    : makeConstant(builder, *map.addend, constantOf(map.constant)->name);
  }
  llvm::SmallVector<Value*, 3> operands = {linear.operand(0), w};
  if (bias) operands.push_back(bias);
  IR_ASSIGN_OR_RETURN(Value * y, ir::tensor::create(builder, "tensor.linear", operands));
  return reshape(builder, y, op.result()->type().shape);
}

// linear(x * c): the factor moves into the weights.
absl::StatusOr<Value*> absorbInputScale(Op& op) {
  if (!op.is("tensor.linear") || !op.operand(0)->hasOneUse()) return nullptr;
  Op* scale = op.operand(0)->definingOp();
  if (!scale || !(scale->is("tensor.mul") || scale->is("tensor.div"))) return nullptr;
  std::optional<WithConstant> parts = splitConstant(*scale);
  if (!parts || (scale->is("tensor.div") && parts->constant_first)) return nullptr;
  std::optional<double> factor = scalarOf(parts->constant);
  std::optional<Array> weights = arrayOf(op.operand(1));
  if (!factor || !weights || !(parts->value->type() == op.operand(0)->type())) return nullptr;
  for (double& value : weights->reals)
    value = scale->is("tensor.mul") ? value * *factor : value / *factor;
  if (!fitsSingle(*weights)) return nullptr;
  ir::Builder builder = ir::Builder::before(&op);
  builder.setLocation(locationOf({scale, &op}));
  llvm::SmallVector<Value*, 3> operands(op.operands().begin(), op.operands().end());
  operands[0] = parts->value;
  operands[1] = makeConstant(builder, *weights, constantOf(op.operand(1))->name);
  return ir::tensor::create(builder, "tensor.linear", operands);
}

absl::StatusOr<Value*> rewrite(Op& op, const FuseLinearOptions& options) {
  IR_ASSIGN_OR_RETURN(Value * fused, fuseProduct(op));
  if (fused) return fused;
  if (std::optional<ColumnMap> map = matchColumnMap(op, options.fold_scales))
    return absorb(op, *map);
  return options.fold_scales ? absorbInputScale(op) : fused;
}

absl::StatusOr<bool> fuseAll(ir::Function& function, const FuseLinearOptions& options) {
  return rewriteOps(function, [&](Op& op) { return rewrite(op, options); });
}

constexpr llvm::StringLiteral kName = "fuse-linear";
constexpr llvm::StringLiteral kSummary =
    "Makes products with constant matrices linear layers with bias";

}  // namespace

std::unique_ptr<Pass> createFuseLinear(FuseLinearOptions options) {
  return makeFunctionPass(kName, kSummary,
                          [options](ir::Function& function) { return fuseAll(function, options); });
}

absl::Status registerFuseLinear() {
  return registerPass(kName, kSummary,
                      [](const PassOptions& given) -> absl::StatusOr<std::unique_ptr<Pass>> {
                        FuseLinearOptions options;
                        OptionReader reader(kName, given);
                        reader.read("fold_scales", options.fold_scales);
                        if (absl::Status status = reader.finish(); !status.ok()) return status;
                        return createFuseLinear(options);
                      });
}

}  // namespace lindero::passes
