// ONNX ops that combine elements: products, softmax, argmax.

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
    IR_RETURN_IF_ERROR(checkBroadcastsTo(result, e.input(2)));
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

// Ties go to the first index; to the last one if the axis is read backwards.
absl::Status argExtreme(NodeEmitter& e, Value* x) {
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", 0), e.rank(0)));
  const bool last = e.intAttr("select_last_index", 0) != 0, keep = e.intAttr("keepdims", 1) != 0;
  const int64_t size = e.shape(0)[axis];
  if (last && size > 1) {
    IR_ASSIGN_OR_RETURN(
        x, e.emit("tensor.slice", {x},
                  {{"axis", axis}, {"start", size - 1}, {"size", size}, {"step", int64_t{-1}}}));
  }
  IR_ASSIGN_OR_RETURN(Value * index,
                      e.emit("tensor.argmax", {x}, {{"axis", axis}, {"keepdims", keep}}));
  if (last && size > 1) {
    IR_ASSIGN_OR_RETURN(index,
                        e.emit("tensor.sub", {e.constant(Array::integer({}, {size - 1})), index}));
  }
  e.setOutput(0, index);
  return absl::OkStatus();
}

absl::Status argmax(NodeEmitter& e, llvm::StringRef) { return argExtreme(e, e.input(0)); }

absl::Status argmin(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(Value * negative, e.emit("tensor.neg", {e.input(0)}));
  return argExtreme(e, negative);
}

constexpr NamedEmitter kEmitters[] = {
    {"ArgMax", argmax},
    {"ArgMin", argmin},
    {"Gemm", gemm},
    {"MatMul", matmul, "tensor.matmul"},
    {"Softmax", softmax, "tensor.softmax"},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> layerEmitters() { return kEmitters; }

}  // namespace lindero::compiler
