// ONNX ops that combine elements: products, reductions, softmax, LayerNormalization.

#include <numeric>

#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

absl::Status matmul(NodeEmitter& e, llvm::StringRef op) {
  return e.emitOutput(op, {e.input(0), e.input(1)});
}

absl::StatusOr<Value*> scaled(NodeEmitter& e, Value* value, double factor) {
  if (factor == 1) return value;
  return e.emit("tensor.mul", {value, e.constant(Array::real({}, {factor}))});
}

absl::StatusOr<Value*> transposedIf(NodeEmitter& e, bool transposed, Value* matrix) {
  if (!transposed) return matrix;
  return e.emit("tensor.transpose", {matrix}, {{"perm", Ints{1, 0}}});
}

// alpha * A' B' + beta * C in its parts: the passes know one form of a linear layer.
absl::Status gemm(NodeEmitter& e, llvm::StringRef) {
  if (e.rank(0) != 2 || e.rank(1) != 2)
    return absl::InvalidArgumentError("A and B must be matrices");
  IR_ASSIGN_OR_RETURN(Value * a, transposedIf(e, e.intAttr("transA", 0), e.input(0)));
  IR_ASSIGN_OR_RETURN(Value * b, transposedIf(e, e.intAttr("transB", 0), e.input(1)));
  IR_ASSIGN_OR_RETURN(Value * result, e.emit("tensor.matmul", {a, b}));
  IR_ASSIGN_OR_RETURN(result, scaled(e, result, e.floatAttr("alpha", 1)));
  if (e.has(2)) {
    IR_ASSIGN_OR_RETURN(Value * addend, scaled(e, e.input(2), e.floatAttr("beta", 1)));
    IR_ASSIGN_OR_RETURN(result, e.emit("tensor.add", {result, addend}));
  }
  e.setOutput(0, result);
  return absl::OkStatus();
}

absl::Status softmax(NodeEmitter& e, llvm::StringRef op) {
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", -1), e.rank(0)));
  return e.emitOutput(op, {e.input(0)}, {{"axis", axis}});
}

// Axes are an attribute up to opset 17 (ReduceSum: 12), an input since.
absl::Status reduce(NodeEmitter& e, llvm::StringRef op) {
  Ints axes = e.intsAttr("axes").value_or(Ints());
  if (e.has(1)) {
    IR_ASSIGN_OR_RETURN(axes, e.constantInts(1));
  }
  if (axes.empty() && e.intAttr("noop_with_empty_axes", 0)) {
    e.setOutput(0, e.input(0));
    return absl::OkStatus();
  }
  if (axes.empty()) {
    axes.resize(e.rank(0));
    std::iota(axes.begin(), axes.end(), 0);
  }
  IR_ASSIGN_OR_RETURN(axes, e.axes(axes, e.rank(0)));
  return e.emitOutput(op, {e.input(0)},
                      {{"axes", axes}, {"keepdims", e.intAttr("keepdims", 1) != 0}});
}

absl::Status argmax(NodeEmitter& e, llvm::StringRef op) {
  if (e.intAttr("select_last_index", 0))
    return absl::UnimplementedError("ties must go to the first index");
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", 0), e.rank(0)));
  return e.emitOutput(op, {e.input(0)},
                      {{"axis", axis}, {"keepdims", e.intAttr("keepdims", 1) != 0}});
}

// Scale and bias may be of any shape that broadcasts to X.
absl::Status layerNormalizationInParts(NodeEmitter& e) {
  const int64_t width = e.shape(0).back();
  Array ones = Array::zeros(ir::Element::kFloat, {width});
  Value* zeros = e.constant(ones);
  ones.reals.assign(width, 1.0);
  IR_ASSIGN_OR_RETURN(Value * y, e.emit("tensor.layernorm", {e.input(0), e.constant(ones), zeros},
                                        {{"epsilon", e.floatAttr("epsilon", 1e-5f)}}));
  IR_ASSIGN_OR_RETURN(y, e.emit("tensor.mul", {y, e.input(1)}));
  if (e.has(2)) {
    IR_ASSIGN_OR_RETURN(y, e.emit("tensor.add", {y, e.input(2)}));
  }
  e.setOutput(0, y);
  return absl::OkStatus();
}

absl::Status layerNormalization(NodeEmitter& e, llvm::StringRef op) {
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", -1), e.rank(0)));
  const int64_t width = e.shape(0).back();
  if (axis != e.rank(0) - 1)
    return absl::UnimplementedError(
        "it normalizes over several axes; only the last one is supported");
  const bool per_column = e.input(1)->type().elements() == width &&
                          (!e.has(2) || e.input(2)->type().elements() == width);
  if (!per_column) return layerNormalizationInParts(e);
  IR_ASSIGN_OR_RETURN(Value * gamma, e.reshape(e.input(1), {width}));
  Value* beta = nullptr;
  if (e.has(2)) {
    IR_ASSIGN_OR_RETURN(beta, e.reshape(e.input(2), {width}));
  } else {
    beta = e.constant(Array::zeros(ir::Element::kFloat, {width}));
  }
  return e.emitOutput(op, {e.input(0), gamma, beta}, {{"epsilon", e.floatAttr("epsilon", 1e-5f)}});
}

constexpr NamedEmitter kEmitters[] = {
    {"ArgMax", argmax, "tensor.argmax"},
    {"Gemm", gemm},
    {"LayerNormalization", layerNormalization, "tensor.layernorm"},
    {"MatMul", matmul, "tensor.matmul"},
    {"ReduceMax", reduce, "tensor.reduce_max"},
    {"ReduceMean", reduce, "tensor.reduce_mean"},
    {"ReduceMin", reduce, "tensor.reduce_min"},
    {"ReduceSum", reduce, "tensor.reduce_sum"},
    {"Softmax", softmax, "tensor.softmax"},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> layerEmitters() { return kEmitters; }

}  // namespace lindero::compiler
