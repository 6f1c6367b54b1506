// ONNX ops between reals and the integers of quantized files.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/Sequence.h"

namespace lindero::compiler {
namespace {

using ir::Element;
using ir::Value;
using Ints = std::vector<int64_t>;

// Scale or zero point (an input) in a shape that broadcasts to x: one for all elements, one for
// each index of an axis, or one for each block of indices.
absl::StatusOr<Value*> parameter(NodeEmitter& e, int input) {
  Value* given = e.input(input);
  if (given->type().elements() == 1) return e.reshape(given, {});
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", 1), e.rank(0)));
  const int64_t size = e.shape(0)[axis], block = std::min(e.intAttr("block_size", 0), size);
  if (block > 0 && e.rank(input) == e.rank(0) && e.shape(input)[axis] * block >= size) {
    Ints blocks;
    for (const int64_t i : llvm::seq<int64_t>(size)) blocks.push_back(i / block);
    return e.gather(given, axis, {size}, blocks);
  }
  if (block > 0 || e.rank(input) != 1 || e.shape(input)[0] != size) {
    return absl::InvalidArgumentError(
        absl::StrCat("its scale or zero point does not fit axis ", axis, " of its input"));
  }
  Ints shape(e.rank(0), 1);
  shape[axis] = size;
  return e.reshape(given, shape);
}

// A real that became an integer, and a real again, lost its fraction.
absl::StatusOr<Value*> toReal(NodeEmitter& e, Value* value) {
  if (value->type().element == Element::kFloat) return value;
  const ir::Op* cast = value->definingOp();
  if (cast != nullptr && cast->is("tensor.cast") &&
      cast->operand(0)->type().element == Element::kFloat) {
    return e.emit("tensor.activation", {cast->operand(0)},
                  {{"function", std::string("where(less(x, 0), ceil(x), floor(x))")}});
  }
  return e.emit("tensor.cast", {value}, {{"to", std::string("float")}});
}

// (x - zero point) * scale.
absl::Status dequantize(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(Value * x, toReal(e, e.input(0)));
  if (e.has(2)) {
    IR_ASSIGN_OR_RETURN(Value * zero, parameter(e, 2));
    IR_ASSIGN_OR_RETURN(zero, toReal(e, zero));
    IR_ASSIGN_OR_RETURN(x, e.emit("tensor.sub", {x, zero}));
  }
  IR_ASSIGN_OR_RETURN(Value * scale, parameter(e, 1));
  return e.emitOutput("tensor.mul", {x, scale});
}

struct Bounds {
  double low, high;
};

absl::StatusOr<Bounds> boundsOf(int64_t onnx_type) {
  switch (onnx_type) {
    case onnx::TensorProto::INT8:
      return Bounds{-128, 127};
    case onnx::TensorProto::UINT8:
      return Bounds{0, 255};
    case onnx::TensorProto::INT16:
      return Bounds{-32768, 32767};
    case onnx::TensorProto::UINT16:
      return Bounds{0, 65535};
    default:
      return absl::UnimplementedError("it quantizes to a type that is none of 8 or 16 bits");
  }
}

// x / scale, rounded, halves to even, + zero point; saturated.
absl::Status quantize(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Bounds bounds, boundsOf(e.intAttr("output_dtype", 0)));
  IR_ASSIGN_OR_RETURN(Value * scale, parameter(e, 1));
  IR_ASSIGN_OR_RETURN(Value * y, e.emit("tensor.div", {e.input(0), scale}));
  IR_ASSIGN_OR_RETURN(y, e.emit("tensor.round", {y}));
  if (e.has(2)) {
    IR_ASSIGN_OR_RETURN(Value * zero, parameter(e, 2));
    IR_ASSIGN_OR_RETURN(zero, toReal(e, zero));
    IR_ASSIGN_OR_RETURN(y, e.emit("tensor.add", {y, zero}));
  }
  IR_ASSIGN_OR_RETURN(y, e.emit("tensor.max", {y, e.scalar(bounds.low)}));
  IR_ASSIGN_OR_RETURN(y, e.emit("tensor.min", {y, e.scalar(bounds.high)}));
  return e.emitOutput("tensor.cast", {y}, {{"to", std::string("int")}});
}

constexpr NamedEmitter kEmitters[] = {
    {"DequantizeLinear", dequantize},
    {"QuantizeLinear", quantize},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> quantizationEmitters() { return kEmitters; }

}  // namespace lindero::compiler
