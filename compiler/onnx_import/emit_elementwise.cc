// ONNX ops that work element by element.

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"

namespace lindero::compiler {
namespace {

using ir::Element;
using ir::Value;

// The tensor dialect has an op of the same operands and meaning.
absl::Status direct(NodeEmitter& e, llvm::StringRef op) {
  llvm::SmallVector<Value*, 3> operands;
  for (int i = 0; i < e.numInputs(); ++i) operands.push_back(e.input(i));
  return e.emitOutput(op, operands);
}

// Variadic in ONNX, binary in the tensor dialect.
absl::Status foldLeft(NodeEmitter& e, llvm::StringRef op) {
  Value* result = e.input(0);
  for (int i = 1; i < e.numInputs(); ++i) {
    IR_ASSIGN_OR_RETURN(result, e.emit(op, {result, e.input(i)}));
  }
  e.setOutput(0, result);
  return absl::OkStatus();
}

absl::Status mean(NodeEmitter& e, llvm::StringRef) {
  IR_RETURN_IF_ERROR(foldLeft(e, "tensor.add"));
  return e.emitOutput("tensor.div", {e.outputs()[0], e.scalar(e.numInputs())});
}

absl::Status exclusiveOr(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(Value * same, e.emit("tensor.equal", {e.input(0), e.input(1)}));
  return e.emitOutput("tensor.not", {same});
}

absl::Status isInf(NodeEmitter& e, llvm::StringRef) {
  const bool positive = e.intAttr("detect_positive", 1) != 0;
  const bool negative = e.intAttr("detect_negative", 1) != 0;
  Value* x = e.input(0);
  if (positive && negative) {
    IR_ASSIGN_OR_RETURN(x, e.emit("tensor.abs", {x}));
  }
  const double infinity = std::numeric_limits<double>::infinity();
  if (positive || negative)
    return e.emitOutput("tensor.equal", {x, e.scalar(positive ? infinity : -infinity)});
  return e.emitOutput("tensor.less", {x, x});
}

// Exact, where a difference from a multiple is not.
absl::Status fmodOfConstants(NodeEmitter& e) {
  IR_ASSIGN_OR_RETURN(const ir::tensor::Array a, e.constantInput(0));
  IR_ASSIGN_OR_RETURN(const ir::tensor::Array b, e.constantInput(1));
  const auto shape = ir::tensor::broadcast(a.shape, b.shape);
  if (!shape) return absl::InvalidArgumentError("its inputs do not broadcast");
  IR_RETURN_IF_ERROR(checkNewElements(*shape));
  ir::tensor::Array rest = ir::tensor::Array::zeros(Element::kFloat, *shape);
  const std::vector<int64_t> from_a = ir::tensor::broadcastElements(a.shape, *shape);
  const std::vector<int64_t> from_b = ir::tensor::broadcastElements(b.shape, *shape);
  for (size_t i = 0; i < rest.reals.size(); ++i)
    rest.reals[i] = std::fmod(a.reals[from_a[i]], b.reals[from_b[i]]);
  e.setOutput(0, e.constant(rest));
  return absl::OkStatus();
}

// r = a - trunc(a / b) b has the sign of a; without fmod the result has that of b. Quotients of
// reals are truncated here; those of integers are.
absl::Status mod(NodeEmitter& e, llvm::StringRef) {
  Value *a = e.input(0), *b = e.input(1);
  const bool real = a->type().element == Element::kFloat;
  if (real && e.constantOf(a) != nullptr && e.constantOf(b) != nullptr && e.intAttr("fmod", 0))
    return fmodOfConstants(e);
  IR_ASSIGN_OR_RETURN(Value * quotient, e.emit("tensor.div", {a, b}));
  if (real) {
    IR_ASSIGN_OR_RETURN(
        quotient, e.emit("tensor.activation", {quotient},
                         {{"function", std::string("where(less(x, 0), ceil(x), floor(x))")}}));
  }
  IR_ASSIGN_OR_RETURN(Value * multiple, e.emit("tensor.mul", {quotient, b}));
  IR_ASSIGN_OR_RETURN(Value * rest, e.emit("tensor.sub", {a, multiple}));
  if (!e.intAttr("fmod", 0)) {
    IR_ASSIGN_OR_RETURN(Value * sign, e.emit("tensor.sign", {rest}));
    IR_ASSIGN_OR_RETURN(Value * other, e.emit("tensor.sign", {b}));
    IR_ASSIGN_OR_RETURN(sign, e.emit("tensor.mul", {sign, other}));
    Value* zero = real ? e.scalar(0) : e.constant(ir::tensor::Array::integer({}, {0}));
    IR_ASSIGN_OR_RETURN(Value * opposite, e.emit("tensor.less", {sign, zero}));
    IR_ASSIGN_OR_RETURN(Value * moved, e.emit("tensor.add", {rest, b}));
    IR_ASSIGN_OR_RETURN(rest, e.emit("tensor.where", {opposite, moved, rest}));
  }
  e.setOutput(0, rest);
  return absl::OkStatus();
}

absl::Status identity(NodeEmitter& e, llvm::StringRef) {
  e.setOutput(0, e.input(0));
  return absl::OkStatus();
}

// Compiled models only infer: dropout lets everything through.
absl::Status dropout(NodeEmitter& e, llvm::StringRef op) {
  if (e.has(2)) {
    IR_ASSIGN_OR_RETURN(ir::tensor::Array training, e.constantInput(2));
    if (llvm::is_contained(training.integers, 1)) {
      return absl::UnimplementedError(
          "it is in training mode: export the model in evaluation mode");
    }
  }
  if (e.numOutputs() > 1) {  // the mask of what is let through
    ir::tensor::Array all = ir::tensor::Array::zeros(Element::kBool, {});
    all.integers = {1};
    const auto& shape = e.shape(0);
    IR_RETURN_IF_ERROR(checkNewElements(shape));
    IR_ASSIGN_OR_RETURN(Value * mask,
                        e.emit("tensor.expand", {e.constant(all)},
                               {{"shape", std::vector<int64_t>(shape.begin(), shape.end())}}));
    e.setOutput(1, mask);
  }
  return identity(e, op);
}

absl::StatusOr<Value*> castTo(NodeEmitter& e, Value* value, Element element) {
  if (value->type().element == element) return value;
  const char* to = element == Element::kFloat ? "float" : element == Element::kInt ? "int" : "bool";
  return e.emit("tensor.cast", {value}, {{"to", std::string(to)}});
}

// An integer of 32 or 64 bits of a constant. Of reals below these processors make the least one, as
// of the logarithm of zero, which buckets of distances choose nowhere. (So does the interpreter, in
// 64 bits.) Of others that have none, and of NaN, they make what they like.
absl::StatusOr<Value*> toWideInteger(NodeEmitter& e, Value* result, const IntegerType& type) {
  if (e.input(0)->type().element != Element::kFloat) return result;
  const absl::StatusOr<ir::tensor::Array> known = e.constantInput(0);
  if (!known.ok()) return result;
  const double most = std::ldexp(1, static_cast<int>(type.is_signed ? type.bits - 1 : type.bits));
  bool below = false;
  for (double x : known->reals) {
    if (std::trunc(x) >= (type.is_signed ? -most : 0) && std::trunc(x) < most) continue;
    if (!type.is_signed || !(x < 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("it makes an integer of ", type.bits, " bits of ", x,
                       ", which has none; export the model with a constant in range"));
    }
    below = true;
  }
  if (!below || type.bits == 64) return result;
  const auto least = e.constant(ir::tensor::Array::integer({}, {-(int64_t{1} << (type.bits - 1))}));
  return e.emit("tensor.max", {result, least});
}

// All floats are one type here and all integers another, so most casts vanish. What the type holds
// of the result, all ops are asked for (heldAs).
absl::Status castToType(NodeEmitter& e, Element element, int to) {
  IR_ASSIGN_OR_RETURN(Value * result, castTo(e, e.input(0), element));
  if (const std::optional<IntegerType> type = integerTypeOf(to); type && type->bits >= 32) {
    IR_ASSIGN_OR_RETURN(result, toWideInteger(e, result, *type));
  }
  e.setOutput(0, result);
  return absl::OkStatus();
}

absl::Status cast(NodeEmitter& e, llvm::StringRef) {
  const int to = static_cast<int>(e.intAttr("to", 0));
  IR_ASSIGN_OR_RETURN(const Element element, elementOf(to));
  return castToType(e, element, to);
}

absl::Status castLike(NodeEmitter& e, llvm::StringRef) {
  return castToType(e, e.input(1)->type().element, e.onnxType(1));
}

bool isWhole(const absl::StatusOr<ir::tensor::Array>& array) {
  return array.ok() && llvm::all_of(array->reals, [](double x) { return x == std::floor(x); });
}

// The exponent may be of another type than the base.
absl::Status pow(NodeEmitter& e, llvm::StringRef op) {
  Value* base = e.input(0);
  const Element element = base->type().element;
  if (element == Element::kInt && e.input(1)->type().element == Element::kFloat &&
      !isWhole(e.constantInput(1))) {
    IR_ASSIGN_OR_RETURN(base, castTo(e, base, Element::kFloat));
  }
  IR_ASSIGN_OR_RETURN(Value * exponent, castTo(e, e.input(1), base->type().element));
  IR_ASSIGN_OR_RETURN(Value * power, e.emit(op, {base, exponent}));
  IR_ASSIGN_OR_RETURN(power, castTo(e, power, element));
  e.setOutput(0, power);
  return absl::OkStatus();
}

absl::Status clip(NodeEmitter& e, llvm::StringRef) {
  Value* result = e.input(0);
  for (const auto& [i, op] : {std::pair(1, "tensor.max"), std::pair(2, "tensor.min")}) {
    if (!e.has(i)) continue;
    IR_RETURN_IF_ERROR(checkBroadcastsTo(result, e.input(i)));
    IR_ASSIGN_OR_RETURN(result, e.emit(op, {result, e.input(i)}));
  }
  e.setOutput(0, result);
  return absl::OkStatus();
}

constexpr NamedEmitter kEmitters[] = {
    {"Abs", direct, "tensor.abs"},
    {"Add", direct, "tensor.add"},
    {"And", direct, "tensor.and"},
    {"Cast", cast},
    {"CastLike", castLike},
    {"Ceil", direct, "tensor.ceil"},
    {"Clip", clip},
    {"Cos", direct, "tensor.cos"},
    {"Div", direct, "tensor.div"},
    {"Dropout", dropout},
    {"Equal", direct, "tensor.equal"},
    {"Erf", direct, "tensor.erf"},
    {"Exp", direct, "tensor.exp"},
    {"Floor", direct, "tensor.floor"},
    {"Greater", direct, "tensor.greater"},
    {"GreaterOrEqual", direct, "tensor.greater_or_equal"},
    {"Identity", identity},
    {"IsInf", isInf},
    {"IsNaN", direct, "tensor.is_nan"},
    {"Less", direct, "tensor.less"},
    {"LessOrEqual", direct, "tensor.less_or_equal"},
    {"Max", foldLeft, "tensor.max"},
    {"Mean", mean},
    {"Min", foldLeft, "tensor.min"},
    {"Mod", mod},
    {"Mul", direct, "tensor.mul"},
    {"Neg", direct, "tensor.neg"},
    {"Not", direct, "tensor.not"},
    {"Or", direct, "tensor.or"},
    {"Pow", pow, "tensor.pow"},
    {"Reciprocal", direct, "tensor.reciprocal"},
    {"Relu", direct, "tensor.relu"},
    {"Round", direct, "tensor.round"},
    {"Sigmoid", direct, "tensor.sigmoid"},
    {"Sign", direct, "tensor.sign"},
    {"Sin", direct, "tensor.sin"},
    {"Sqrt", direct, "tensor.sqrt"},
    {"Sub", direct, "tensor.sub"},
    {"Sum", foldLeft, "tensor.add"},
    {"Tanh", direct, "tensor.tanh"},
    {"Where", direct, "tensor.where"},
    {"Xor", exclusiveOr},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> elementwiseEmitters() { return kEmitters; }

}  // namespace lindero::compiler
