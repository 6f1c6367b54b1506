// ONNX ops on the bits of integers. Those of 64 bits are in two's complement, also where the file's
// type has no sign.

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;

constexpr int64_t kWidest = 64;

Value* integer(NodeEmitter& e, int64_t value) { return e.constant(Array::integer({}, {value})); }

// The integer type of an input.
absl::StatusOr<IntegerType> typeOf(NodeEmitter& e, int i) {
  const std::optional<IntegerType> type = integerTypeOf(e.onnxType(i));
  if (type) return *type;
  return absl::UnimplementedError(
      absl::StrCat("the file does not say what integers input ", i, " has"));
}

absl::StatusOr<Value*> shared(NodeEmitter& e) {
  return e.emit("tensor.bit_and", {e.input(0), e.input(1)});
}

absl::Status bitwiseAnd(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(Value * both, shared(e));
  e.setOutput(0, both);
  return absl::OkStatus();
}

// a + b counts the shared bits twice.
absl::Status bitwiseOr(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(Value * both, shared(e));
  IR_ASSIGN_OR_RETURN(Value * sum, e.emit("tensor.add", {e.input(0), e.input(1)}));
  return e.emitOutput("tensor.sub", {sum, both});
}

absl::Status bitwiseXor(NodeEmitter& e, llvm::StringRef op) {
  IR_RETURN_IF_ERROR(bitwiseOr(e, op));
  IR_ASSIGN_OR_RETURN(Value * both, shared(e));
  return e.emitOutput("tensor.sub", {e.outputs()[0], both});
}

// -1 - x, or without a sign what is left to the largest.
absl::Status bitwiseNot(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const IntegerType type, typeOf(e, 0));
  const bool whole = type.is_signed || type.bits == kWidest;
  Value* most = integer(e, whole ? -1 : (int64_t{1} << type.bits) - 1);
  return e.emitOutput("tensor.sub", {most, e.input(0)});
}

// Distances below zero, or of the width and more, shift all bits out.
absl::StatusOr<Value*> isInRange(NodeEmitter& e, int64_t bits) {
  IR_ASSIGN_OR_RETURN(Value * low, e.emit("tensor.greater_or_equal", {e.input(1), integer(e, 0)}));
  IR_ASSIGN_OR_RETURN(Value * high, e.emit("tensor.less", {e.input(1), integer(e, bits)}));
  return e.emit("tensor.and", {low, high});
}

// 2^distance of distances in range, or 2^(from - distance). 2^64 is 0.
absl::StatusOr<Value*> powerOfTwo(NodeEmitter& e, int64_t bits, int64_t from) {
  IR_ASSIGN_OR_RETURN(Value * distance, e.emit("tensor.max", {e.input(1), integer(e, 0)}));
  IR_ASSIGN_OR_RETURN(distance, e.emit("tensor.min", {distance, integer(e, bits - 1)}));
  if (from > 0) {
    IR_ASSIGN_OR_RETURN(distance, e.emit("tensor.sub", {integer(e, from), distance}));
  }
  return e.emit("tensor.pow", {integer(e, 2), distance});
}

absl::Status bitShift(NodeEmitter& e, llvm::StringRef) {
  const std::string direction = e.stringAttr("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    return absl::InvalidArgumentError(absl::StrCat("direction is '", direction, "'"));
  IR_ASSIGN_OR_RETURN(const IntegerType type, typeOf(e, 0));
  const bool left = direction == "LEFT";
  // Of all but the sign, the sign is left.
  const int64_t bits = type.is_signed && !left ? type.bits - 1 : type.bits;
  IR_ASSIGN_OR_RETURN(Value * in_range, isInRange(e, bits));
  IR_ASSIGN_OR_RETURN(Value * factor, powerOfTwo(e, bits, 0));
  Value *x = e.input(0), *zero = integer(e, 0);
  if (left) {
    IR_ASSIGN_OR_RETURN(Value * y, e.emit("tensor.mul", {x, factor}));
    if (type.bits < kWidest) {
      IR_ASSIGN_OR_RETURN(
          y, e.emit("tensor.wrap", {y}, {{"bits", type.bits}, {"signed", type.is_signed}}));
    }
    return e.emitOutput("tensor.where", {in_range, y, zero});
  }
  // What is shifted out goes first: then the quotient is one of whole numbers, with any sign.
  IR_ASSIGN_OR_RETURN(Value * below, e.emit("tensor.sub", {factor, integer(e, 1)}));
  IR_ASSIGN_OR_RETURN(Value * lost, e.emit("tensor.bit_and", {x, below}));
  IR_ASSIGN_OR_RETURN(Value * rest, e.emit("tensor.sub", {x, lost}));
  IR_ASSIGN_OR_RETURN(Value * y, e.emit("tensor.div", {rest, factor}));
  if (!type.is_signed &&
      type.bits == kWidest) {  // what came in from the left are no copies of a sign
    IR_ASSIGN_OR_RETURN(Value * kept, powerOfTwo(e, bits, kWidest));
    IR_ASSIGN_OR_RETURN(kept, e.emit("tensor.sub", {kept, integer(e, 1)}));
    IR_ASSIGN_OR_RETURN(y, e.emit("tensor.bit_and", {y, kept}));
  }
  Value* out = zero;
  if (type.is_signed) {
    IR_ASSIGN_OR_RETURN(out, e.emit("tensor.sign", {x}));
    IR_ASSIGN_OR_RETURN(out, e.emit("tensor.min", {out, zero}));
  }
  return e.emitOutput("tensor.where", {in_range, y, out});
}

constexpr NamedEmitter kEmitters[] = {
    {"BitShift", bitShift},   {"BitwiseAnd", bitwiseAnd}, {"BitwiseNot", bitwiseNot},
    {"BitwiseOr", bitwiseOr}, {"BitwiseXor", bitwiseXor},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> bitEmitters() { return kEmitters; }

}  // namespace lindero::compiler
