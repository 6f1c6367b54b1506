// ONNX ops that normalize, by statistics of the data or by stored ones.

#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "compiler/onnx_import/norms.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/DenseSet.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

Value* filled(NodeEmitter& e, int64_t width, double value) {
  return e.constant(Array::real({width}, std::vector<double>(width, value)));
}

llvm::ArrayRef<int64_t> withoutLeadingOnes(llvm::ArrayRef<int64_t> shape) {
  while (!shape.empty() && shape.front() == 1) shape = shape.drop_front();
  return shape;
}

// Is the value computed of constants alone?
bool isKnown(const Value* value) {
  llvm::SmallVector<const Value*> left = {value};
  llvm::DenseSet<const Value*> seen;
  while (!left.empty()) {
    const ir::Op* op = left.pop_back_val()->definingOp();
    if (op == nullptr) return false;
    for (const Value* operand : op->operands())
      if (seen.insert(operand).second) left.push_back(operand);
  }
  return true;
}

// Is there one known factor (or addend) per element of the axes that are normalized over?
bool isPerElement(const Value* parameter, llvm::ArrayRef<int64_t> normalized) {
  return !parameter ||
         (withoutLeadingOnes(parameter->type().shape) == withoutLeadingOnes(normalized) &&
          isKnown(parameter));
}

absl::StatusOr<Value*> broadcastTo(NodeEmitter& e, llvm::StringRef op, Value* x, Value* parameter) {
  if (!parameter) return x;
  IR_RETURN_IF_ERROR(checkBroadcastsTo(x, parameter));
  return e.emit(op, {x, parameter});
}

// Mean and 1 / standard deviation, which are outputs too.
absl::Status setStatistics(NodeEmitter& e, const Norm& norm) {
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(norm.axis, e.rank(0)));
  Ints axes;
  for (int64_t i = axis; i < e.rank(0); ++i) axes.push_back(i);
  const auto mean = [&](Value* value) {
    return e.emit("tensor.reduce_mean", {value}, {{"axes", axes}, {"keepdims", true}});
  };
  IR_ASSIGN_OR_RETURN(Value * center, mean(e.input(0)));
  IR_ASSIGN_OR_RETURN(Value * distance, e.emit("tensor.sub", {e.input(0), center}));
  IR_ASSIGN_OR_RETURN(Value * square, e.emit("tensor.mul", {distance, distance}));
  IR_ASSIGN_OR_RETURN(Value * variance, mean(square));
  IR_ASSIGN_OR_RETURN(variance, e.emit("tensor.add", {variance, e.scalar(norm.epsilon)}));
  IR_ASSIGN_OR_RETURN(Value * deviation, e.emit("tensor.sqrt", {variance}));
  IR_ASSIGN_OR_RETURN(Value * inverse, e.emit("tensor.reciprocal", {deviation}));
  e.setOutput(1, center);
  if (e.numOutputs() > 2) e.setOutput(2, inverse);
  return absl::OkStatus();
}

absl::Status layerNormalization(NodeEmitter& e, llvm::StringRef) {
  const Norm norm = {.axis = e.intAttr("axis", -1), .epsilon = e.floatAttr("epsilon", 1e-5f)};
  IR_ASSIGN_OR_RETURN(Value * y,
                      normalize(e, e.input(0), e.input(1), e.has(2) ? e.input(2) : nullptr, norm));
  e.setOutput(0, y);
  return e.numOutputs() > 1 ? setStatistics(e, norm) : absl::OkStatus();
}

absl::Status rmsNormalization(NodeEmitter& e, llvm::StringRef) {
  const Norm norm = {
      .axis = e.intAttr("axis", -1), .epsilon = e.floatAttr("epsilon", 1e-5f), .has_mean = false};
  IR_ASSIGN_OR_RETURN(Value * y, normalize(e, e.input(0), e.input(1), nullptr, norm));
  e.setOutput(0, y);
  return absl::OkStatus();
}

// Parameters of axis 1, as they broadcast to x.
absl::StatusOr<Value*> perChannel(NodeEmitter& e, Value* parameter) {
  if (e.rank(0) < 2 || parameter->type().elements() != e.shape(0)[1] ||
      parameter->type().shape.size() != 1)
    return absl::InvalidArgumentError("its parameters are not one per channel");
  Ints shape(e.rank(0) - 1, 1);
  shape[0] = e.shape(0)[1];
  return e.reshape(parameter, shape);
}

// x scale + shift with scale = gamma / sqrt(variance + epsilon), shift = beta - mean scale.
absl::Status batchNormalization(NodeEmitter& e, llvm::StringRef) {
  // Before opset 14, further outputs meant so.
  if (e.intAttr("training_mode", 0) || e.numOutputs() > 1)
    return absl::UnimplementedError("it is in training mode: export the model in evaluation mode");
  Value* epsilon = e.scalar(e.floatAttr("epsilon", 1e-5f));
  IR_ASSIGN_OR_RETURN(Value * variance, e.emit("tensor.add", {e.input(4), epsilon}));
  IR_ASSIGN_OR_RETURN(Value * deviation, e.emit("tensor.sqrt", {variance}));
  IR_ASSIGN_OR_RETURN(Value * scale, e.emit("tensor.div", {e.input(1), deviation}));
  IR_ASSIGN_OR_RETURN(Value * moved, e.emit("tensor.mul", {e.input(3), scale}));
  IR_ASSIGN_OR_RETURN(Value * shift, e.emit("tensor.sub", {e.input(2), moved}));
  IR_ASSIGN_OR_RETURN(scale, perChannel(e, scale));
  IR_ASSIGN_OR_RETURN(shift, perChannel(e, shift));
  IR_ASSIGN_OR_RETURN(Value * y, e.emit("tensor.mul", {e.input(0), scale}));
  return e.emitOutput("tensor.add", {y, shift});
}

absl::Status instanceNormalization(NodeEmitter& e, llvm::StringRef) {
  if (e.rank(0) < 3) return absl::InvalidArgumentError("its input has no axes beyond the channels");
  const Norm norm = {.axis = 2, .epsilon = e.floatAttr("epsilon", 1e-5f)};
  IR_ASSIGN_OR_RETURN(Value * scale, perChannel(e, e.input(1)));
  IR_ASSIGN_OR_RETURN(Value * bias, perChannel(e, e.input(2)));
  IR_ASSIGN_OR_RETURN(Value * y, normalize(e, e.input(0), scale, bias, norm));
  e.setOutput(0, y);
  return absl::OkStatus();
}

// x / ||x||_2 = x / sqrt(mean(x^2)) / sqrt(width) is an RMSNorm, which keeps the digits of small
// rows. Epsilon is below every square but zero's, whose rows stay what they are.
absl::StatusOr<Value*> toUnitLength(NodeEmitter& e, int64_t axis) {
  const int64_t last = e.rank(0) - 1, width = e.shape(0)[axis];
  Ints perm(e.rank(0));
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[axis], perm[last]);
  const ir::NamedAttribute swapped = {"perm", perm};
  Value* x = e.input(0);
  if (axis != last) {
    IR_ASSIGN_OR_RETURN(x, e.emit("tensor.transpose", {x}, {swapped}));
  }
  Value* gamma = filled(e, width, 1 / std::sqrt(static_cast<double>(width)));
  IR_ASSIGN_OR_RETURN(
      x, normalize(e, x, gamma, nullptr, {.axis = last, .epsilon = 1e-100, .has_mean = false}));
  return axis == last ? x : e.emit("tensor.transpose", {x}, {swapped});
}

absl::Status lpNormalization(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", -1), e.rank(0)));
  const int64_t p = e.intAttr("p", 2);
  if (p != 1 && p != 2) return absl::InvalidArgumentError(absl::StrCat("p is ", p, ", not 1 or 2"));
  // Scaling a row does not change x / ||x||_1.
  IR_ASSIGN_OR_RETURN(Value * x, toUnitLength(e, axis));
  if (p == 2) {
    e.setOutput(0, x);
    return absl::OkStatus();
  }
  IR_ASSIGN_OR_RETURN(Value * size, e.emit("tensor.abs", {x}));
  IR_ASSIGN_OR_RETURN(Value * norm, e.emit("tensor.reduce_sum", {size},
                                           {{"axes", Ints{axis}}, {"keepdims", true}}));
  // Rows of zeros stay what they are.
  IR_ASSIGN_OR_RETURN(Value * zero, e.emit("tensor.equal", {norm, e.scalar(0)}));
  IR_ASSIGN_OR_RETURN(norm, e.emit("tensor.where", {zero, e.scalar(1), norm}));
  return e.emitOutput("tensor.div", {x, norm});
}

constexpr NamedEmitter kEmitters[] = {
    {"BatchNormalization", batchNormalization}, {"InstanceNormalization", instanceNormalization},
    {"LayerNormalization", layerNormalization}, {"LpNormalization", lpNormalization},
    {"RMSNormalization", rmsNormalization},
};

}  // namespace

// The tensor op takes one axis, and parameters of each of its elements. What else there is comes
// around it.
absl::StatusOr<Value*> normalize(NodeEmitter& e, Value* x, Value* gamma, Value* beta,
                                 const Norm& norm) {
  const Ints shape(x->type().shape.begin(), x->type().shape.end());
  const int64_t rank = shape.size();
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(norm.axis, rank));
  const llvm::ArrayRef<int64_t> normalized = llvm::ArrayRef<int64_t>(shape).drop_front(axis);
  int64_t width = 1;
  for (int64_t size : normalized) width *= size;
  Ints flat(shape.begin(), shape.begin() + axis);
  flat.push_back(width);
  const bool per_element = isPerElement(gamma, normalized) && isPerElement(beta, normalized);
  Value* scale = per_element ? gamma : nullptr;
  Value* shift = per_element ? beta : nullptr;
  if (!scale) scale = filled(e, width, 1);
  if (!shift) shift = filled(e, width, 0);
  IR_ASSIGN_OR_RETURN(scale, e.reshape(scale, {width}));
  IR_ASSIGN_OR_RETURN(shift, e.reshape(shift, {width}));
  IR_ASSIGN_OR_RETURN(Value * y, e.reshape(x, flat));
  auto normal = norm.has_mean
                    ? e.emit("tensor.layernorm", {y, scale, shift}, {{"epsilon", norm.epsilon}})
                    : e.emit("tensor.layernorm", {y, scale, shift},
                             {{"epsilon", norm.epsilon}, {"has_mean", false}});
  IR_ASSIGN_OR_RETURN(y, std::move(normal));
  IR_ASSIGN_OR_RETURN(y, e.reshape(y, shape));
  if (per_element) return y;
  IR_ASSIGN_OR_RETURN(y, broadcastTo(e, "tensor.mul", y, gamma));
  return broadcastTo(e, "tensor.add", y, beta);
}

llvm::ArrayRef<NamedEmitter> normEmitters() { return kEmitters; }

}  // namespace lindero::compiler
