#include "compiler/onnx_import/value_types.h"

#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/functions.h"
#include "compiler/onnx_import/prepare.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/STLExtras.h"
#include "onnx/defs/data_type_utils.h"
#include "onnx/defs/schema.h"

namespace lindero::compiler {
namespace {

using ir::Element;
using ir::Value;
using onnx::TensorProto;

constexpr int64_t kWidest = 64, kWide = 32;  // bits

bool changesBits(const onnx::NodeProto& node) {
  const std::string& op = node.op_type();
  return op == "BitCast" || op == "BitShift" || op.starts_with("Bitwise");
}

// Ops whose results may be beyond the type that their operands have. What others make of integers
// is among those that they read, or in range by itself. (One of 32 bits and more that is computed
// is refused from 2^26 on, but a table of an input's function may hold it on the way.)
bool leavesType(const onnx::NodeProto& node) {
  static const std::set<std::string> ops = {
      "Abs",
      "Add",
      "Cast",
      "CastLike",
      "Col2Im",
      "CumProd",
      "CumSum",
      "Div",
      "Gemm",
      "MatMul",
      "Mul",
      "Neg",
      "PRelu",
      "Pow",
      "Range",
      "ReduceL1",
      "ReduceL2",
      "ReduceProd",
      "ReduceSum",
      "ReduceSumSquare",
      "ScatterElements",
      "ScatterND",
      "Shrink",
      "Sub",
      "Sum",
  };
  return ops.contains(qualifiedOp(node));
}

// What the node's attributes say, if they do.
int typeByAttribute(const onnx::NodeProto& node) {
  const bool constant = node.op_type() == "Constant";
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    const std::string& name = attribute.name();
    if (name == "to" || name == "dtype" || name == "output_dtype" || name == "output_datatype")
      return static_cast<int>(attribute.i());
    if (name == "value" && attribute.has_t()) return attribute.t().data_type();
    if (constant && (name == "value_int" || name == "value_ints")) return TensorProto::INT64;
    if (constant && (name == "value_float" || name == "value_floats")) return TensorProto::FLOAT;
  }
  return TensorProto::UNDEFINED;
}

template <typename Formals>
const auto& formalAt(const Formals& formals, int i) {
  return formals[std::min(static_cast<size_t>(i), formals.size() - 1)];  // the last may be variadic
}

bool copies(const ir::Op& op) {
  return op.is("tensor.reshape") || op.is("tensor.transpose") || op.is("tensor.slice") ||
         op.is("tensor.expand");
}

bool within(const IntegerType& type, int64_t low, int64_t high) {
  if (type.bits == kWidest) return type.is_signed || low >= 0;
  const int64_t count = int64_t{1} << type.bits, least = type.is_signed ? -count / 2 : 0;
  return least <= low && high < least + count;
}

// Is it an input, or was it wrapped around, so that the type has room for it? An input that is
// computed with is far below 2^31 wherever it is accepted (whole_range.h).
bool staysWithin(const Value* value, const IntegerType& type) {
  constexpr int kMostCopies = 8;
  const ir::Op* op = value->definingOp();
  for (int i = 0; i < kMostCopies && op != nullptr && copies(*op); ++i)
    op = op->operand(0)->definingOp();
  if (op == nullptr) return type.is_signed && type.bits >= kWide;
  if (op->is("tensor.cast")) return op->operand(0)->type().element == Element::kBool;
  if (!op->is("tensor.wrap")) return false;
  const int64_t bits = op->intAttr("bits");
  if (op->boolAttr("signed")) return type.is_signed && bits <= type.bits;
  return type.is_signed ? bits < type.bits : bits <= type.bits;
}

// Of constants at once; of others by an op.
absl::StatusOr<Value*> heldAsReal(NodeEmitter& e, Value* value, const char* type) {
  return e.emit("tensor.narrow", {value}, {{"type", std::string(type)}});
}

// A constant that was computed in double precision.
absl::StatusOr<Value*> heldAsFloat(NodeEmitter& e, Value* value) {
  const ir::Constant* constant = e.constantOf(value);
  if (constant == nullptr || constant->scalar != ir::Scalar::kF64) return value;
  IR_ASSIGN_OR_RETURN(ir::tensor::Array array, ir::tensor::readConstant(*constant));
  for (double& x : array.reals) x = static_cast<float>(x);
  return e.constant(array);
}

}  // namespace

int outputType(const onnx::NodeProto& node, int64_t opset, llvm::ArrayRef<TypedValue> inputs,
               int i) {
  if (const int type = typeByAttribute(node); i == 0 && type != TensorProto::UNDEFINED) return type;
  const onnx::OpSchema* schema = schemaOf(node, opset);
  if (schema == nullptr || schema->outputs().empty()) return TensorProto::UNDEFINED;
  const auto& output = formalAt(schema->outputs(), i);
  for (int k = 0; k < static_cast<int>(inputs.size()) && !schema->inputs().empty(); ++k) {
    if (inputs[k].type != TensorProto::UNDEFINED &&
        formalAt(schema->inputs(), k).GetTypeStr() == output.GetTypeStr())
      return inputs[k].type;
  }
  if (output.GetTypes().size() != 1) return TensorProto::UNDEFINED;
  return onnx::Utils::DataTypeUtils::ToTypeProto(*output.GetTypes().begin())
      .tensor_type()
      .elem_type();
}

absl::StatusOr<Value*> withType(ir::Builder& builder, Value* input, int onnx_type) {
  const std::optional<IntegerType> type = integerTypeOf(onnx_type);
  if (!type || (type->is_signed && type->bits >= kWide)) return input;
  return ir::tensor::create(builder, "tensor.wrap", {input},
                            {{"bits", type->bits}, {"signed", type->is_signed}});
}

absl::Status checkUnsigned(const NodeEmitter& e, const onnx::NodeProto& node,
                           llvm::ArrayRef<TypedValue> inputs) {
  static const std::set<std::string> same = {
      "Add",        "BitCast", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr",
      "BitwiseXor", "Concat",  "Equal",    "Expand",     "Flatten",    "Gather",
      "Identity",   "Mul",     "Reshape",  "Shape",      "Slice",      "Split",
      "Squeeze",    "Sub",     "Tile",     "Transpose",  "Unsqueeze",  "Where"};
  for (const TypedValue& input : inputs) {
    if (input.type != TensorProto::UINT64 || same.contains(qualifiedOp(node))) continue;
    const ir::Constant* constant = input.value ? e.constantOf(input.value) : nullptr;
    const ir::IntegerFacts* facts = constant ? constant->integerFacts() : nullptr;
    if (facts != nullptr && facts->low < 0)
      return absl::UnimplementedError(
          "it reads integers of 2^63 or more; export the model with smaller ones");
  }
  return absl::OkStatus();
}

absl::StatusOr<Value*> heldAs(NodeEmitter& e, const onnx::NodeProto& node, Value* value,
                              int onnx_type) {
  // Runtimes compute with reals of 16 bits in single precision: only casts say what they hold.
  const bool casts = node.op_type() == "Cast" || node.op_type() == "CastLike";
  const bool truth = casts && e.input(0)->type().element == Element::kBool;
  if (casts && !truth && onnx_type != e.onnxType(0)) {
    if (onnx_type == TensorProto::FLOAT16) return heldAsReal(e, value, "f16");
    if (onnx_type == TensorProto::BFLOAT16) return heldAsReal(e, value, "bf16");
  }
  if (onnx_type == TensorProto::FLOAT) return heldAsFloat(e, value);
  const std::optional<IntegerType> type = integerTypeOf(onnx_type);
  // Of 64 bits, those with a sign are what the dialect has; the others leave their range by ops on
  // their bits, too.
  const bool widest = type && type->bits == kWidest;
  if (!type || (widest && type->is_signed) || !(leavesType(node) || (widest && changesBits(node))))
    return value;
  if (value->type().element != Element::kInt || staysWithin(value, *type)) return value;
  if (const ir::Constant* constant = e.constantOf(value)) {
    const ir::IntegerFacts* facts = constant->integerFacts();
    if (facts == nullptr || within(*type, facts->low, facts->high)) return value;
  }
  return e.emit("tensor.wrap", {value}, {{"bits", type->bits}, {"signed", type->is_signed}});
}

}  // namespace lindero::compiler
