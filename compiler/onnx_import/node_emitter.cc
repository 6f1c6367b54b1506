#include "compiler/onnx_import/node_emitter.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/onnx_import/prepare.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/StringExtras.h"

namespace lindero::compiler {
namespace {

// Results beyond this stay for fold-constants: a weight is transposed there, once and only if it is
// used.
constexpr int64_t kMostFoldedReals = 4096;
constexpr int64_t kMostFoldedIntegers = 1 << 22;
// Any shape, whatever room is left.
constexpr int64_t kAlwaysFolded = 256;

// Attributes that are a yes or no.
constexpr llvm::StringLiteral kFlags =
    "allowzero antialias ceil_mode count_include_pad detect_negative detect_positive "
    "do_rotary exclude_outside exclusive fmod interleaved inverse is_causal keepdims "
    "largest noop_with_empty_axes onesided reverse rotary_interleaved select_last_index "
    "smooth_softmax sorted training_mode transA transB transBatchA transBatchB "
    "unidirectional upper";

}  // namespace

absl::Status checkNewElements(llvm::ArrayRef<int64_t> shape) {
  int64_t elements = 1;
  for (int64_t size : shape) {
    if (size < 0) return absl::InvalidArgumentError(absl::StrCat("it would have a size of ", size));
    if (size > kMostNewElements / elements) {
      return absl::InvalidArgumentError(
          absl::StrCat("it would make more than ", kMostNewElements, " elements"));
    }
    elements *= std::max<int64_t>(size, 1);
  }
  return absl::OkStatus();
}

absl::Status checkAttributes(const onnx::NodeProto& node) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == "epsilon" && !std::isfinite(attribute.f()))
      return absl::InvalidArgumentError("attribute epsilon is not finite");
    if (attribute.type() != onnx::AttributeProto::INT || attribute.i() == 0 || attribute.i() == 1)
      continue;
    if (!llvm::is_contained(llvm::split(kFlags, ' '), attribute.name())) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("attribute ", attribute.name(), " is ", attribute.i(), ", not 0 or 1"));
  }
  return absl::OkStatus();
}

absl::Status checkBroadcastsTo(const ir::Value* value, const ir::Value* parameter) {
  const llvm::ArrayRef<int64_t> to = value->type().shape, from = parameter->type().shape;
  const auto shape = ir::tensor::broadcast(to, from);
  if (shape && llvm::ArrayRef<int64_t>(*shape) == to) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a parameter of shape [", absl::StrJoin(from, ","),
                                                 "] does not broadcast to [",
                                                 absl::StrJoin(to, ","), "]"));
}

const onnx::AttributeProto* NodeEmitter::attribute(llvm::StringRef name) const {
  for (const onnx::AttributeProto& attribute : node_.attribute()) {
    if (attribute.name() == name.str()) return &attribute;
  }
  return nullptr;
}

void NodeEmitter::setTypes(std::vector<int> types, int output) {
  types_ = std::move(types);
  doubles_ = output == onnx::TensorProto::DOUBLE ||
             llvm::is_contained(types_, static_cast<int>(onnx::TensorProto::DOUBLE));
}

int NodeEmitter::onnxType(int i) const {
  return i < static_cast<int>(types_.size()) ? types_[i] : onnx::TensorProto::UNDEFINED;
}

int64_t NodeEmitter::intAttr(llvm::StringRef name, int64_t fallback) const {
  const onnx::AttributeProto* found = attribute(name);
  return found ? found->i() : fallback;
}

double NodeEmitter::floatAttr(llvm::StringRef name, double fallback) const {
  const onnx::AttributeProto* found = attribute(name);
  return found ? found->f() : fallback;
}

std::string NodeEmitter::stringAttr(llvm::StringRef name, const std::string& fallback) const {
  const onnx::AttributeProto* found = attribute(name);
  return found ? found->s() : fallback;
}

std::optional<std::vector<int64_t>> NodeEmitter::intsAttr(llvm::StringRef name) const {
  const onnx::AttributeProto* found = attribute(name);
  if (!found) return std::nullopt;
  return std::vector<int64_t>(found->ints().begin(), found->ints().end());
}

absl::StatusOr<int64_t> NodeEmitter::axis(int64_t value, int64_t rank) const {
  if (value < -rank || value >= rank) {
    return absl::InvalidArgumentError(absl::StrCat("axis ", value, " is outside of rank ", rank));
  }
  return value < 0 ? value + rank : value;
}

absl::StatusOr<std::vector<int64_t>> NodeEmitter::axes(llvm::ArrayRef<int64_t> values,
                                                       int64_t rank) const {
  std::vector<int64_t> result;
  for (int64_t value : values) {
    IR_ASSIGN_OR_RETURN(int64_t one, axis(value, rank));
    if (llvm::is_contained(result, one))
      return absl::InvalidArgumentError(absl::StrCat("axis ", one, " appears twice"));
    result.push_back(one);
  }
  return result;
}

absl::StatusOr<std::vector<int64_t>> NodeEmitter::knownIntegers(const ir::Value* value) const {
  const ir::Constant* constant = constantOf(value);
  if (!constant) return absl::UnimplementedError("its indices are more than can be evaluated");
  IR_ASSIGN_OR_RETURN(ir::tensor::Array array, ir::tensor::readConstant(*constant));
  return array.integers;
}

const ir::Constant* NodeEmitter::constantOf(const ir::Value* value) const {
  const ir::Op* op = value->definingOp();
  return op && op->is("tensor.constant") ? module_.constants().find(op->symbolAttr("value"))
                                         : nullptr;
}

absl::StatusOr<ir::tensor::Array> NodeEmitter::constantInput(int i) const {
  const ir::Constant* constant = constantOf(inputs_[i]);
  if (!constant) {
    return absl::UnimplementedError(
        absl::StrCat("input ", i, " ('", node_.input(i),
                     "') depends on the data; it must be known when compiling"));
  }
  return ir::tensor::readConstant(*constant);
}

absl::StatusOr<std::vector<int64_t>> NodeEmitter::constantInts(int i) const {
  IR_ASSIGN_OR_RETURN(ir::tensor::Array array, constantInput(i));
  if (array.isReal() || array.rank() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", i, " ('", node_.input(i), "') is not a list of integers"));
  }
  return array.integers;
}

ir::Value* NodeEmitter::addConstant(const ir::Constant& constant, ir::Element element) {
  return builder_.value("tensor.constant", {}, ir::Type::tensor(element, constant.shape),
                        {{"value", ir::Symbol{constant.name}}});
}

bool NodeEmitter::hasRoomFor(int64_t elements) const {
  return elements <= kAlwaysFolded || !room_ || elements <= *room_;
}

void NodeEmitter::takeRoom(int64_t elements) {
  if (room_ && elements > kAlwaysFolded) *room_ -= elements;
}

ir::Value* NodeEmitter::constant(const ir::tensor::Array& array) {
  takeRoom(array.elements());
  const std::string name = printable(node_.output(0));
  if (doubles_ && array.isReal() && !areFloats(array.reals)) {
    return addConstant(module_.constants().addOwned<double>(name, array.shape, array.reals),
                       array.element);
  }
  return addConstant(ir::tensor::writeConstant(module_.constants(), name, array), array.element);
}

absl::StatusOr<ir::Value*> NodeEmitter::constant(const onnx::TensorProto& tensor) {
  IR_ASSIGN_OR_RETURN(ir::Constant made, makeConstant({.tensor = &tensor}));
  IR_ASSIGN_OR_RETURN(ir::Element element, elementOf(tensor.data_type()));
  made.name = printable(node_.output(0));
  return addConstant(module_.constants().add(std::move(made)), element);
}

absl::StatusOr<ir::Value*> NodeEmitter::foldIfCheap(ir::Value* value) {
  const int64_t most =
      value->type().element == ir::Element::kFloat ? kMostFoldedReals : kMostFoldedIntegers;
  if (value->type().elements() > most) return value;
  ir::Op* op = value->definingOp();
  std::vector<ir::tensor::Array> arrays;
  int64_t read = 0;
  for (const ir::Value* operand : op->operands()) {
    const ir::Constant* constant = constantOf(operand);
    if (!constant || constant->elements() > kMostFoldedIntegers) return value;
    read += constant->elements();
  }
  if (!hasRoomFor(value->type().elements() + read)) return value;
  takeRoom(read);
  for (const ir::Value* operand : op->operands()) {
    IR_ASSIGN_OR_RETURN(ir::tensor::Array array, ir::tensor::readConstant(*constantOf(operand)));
    arrays.push_back(std::move(array));
  }
  std::vector<const ir::tensor::Array*> operands;
  for (const ir::tensor::Array& array : arrays) operands.push_back(&array);
  IR_ASSIGN_OR_RETURN(ir::tensor::Array result, ir::tensor::evaluate(*op, operands));
  op->erase();
  return constant(result);
}

absl::StatusOr<ir::Value*> NodeEmitter::emit(llvm::StringRef op,
                                             llvm::ArrayRef<ir::Value*> operands,
                                             llvm::ArrayRef<ir::NamedAttribute> attributes) {
  IR_ASSIGN_OR_RETURN(ir::Value * value, ir::tensor::create(builder_, op, operands, attributes));
  return foldIfCheap(value);
}

absl::StatusOr<ir::Value*> NodeEmitter::reshape(ir::Value* value, llvm::ArrayRef<int64_t> shape) {
  if (llvm::ArrayRef<int64_t>(value->type().shape) == shape) return value;
  return emit("tensor.reshape", {value}, {{"shape", shape.vec()}});
}

absl::StatusOr<ir::Value*> NodeEmitter::transpose(ir::Value* value, llvm::ArrayRef<int64_t> perm) {
  if (std::is_sorted(perm.begin(), perm.end())) return value;
  return emit("tensor.transpose", {value}, {{"perm", perm.vec()}});
}

absl::StatusOr<ir::Value*> NodeEmitter::gather(ir::Value* value, int64_t axis,
                                               llvm::ArrayRef<int64_t> sizes,
                                               std::vector<int64_t> indices) {
  ir::Value* list = constant(ir::tensor::Array::integer(sizes, std::move(indices)));
  return emit("tensor.gather", {value, list}, {{"axis", axis}});
}

absl::Status NodeEmitter::emitOutput(llvm::StringRef op, llvm::ArrayRef<ir::Value*> operands,
                                     llvm::ArrayRef<ir::NamedAttribute> attributes) {
  IR_ASSIGN_OR_RETURN(outputs_[0], emit(op, operands, attributes));
  return absl::OkStatus();
}

}  // namespace lindero::compiler
