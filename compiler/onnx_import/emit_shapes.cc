// ONNX ops whose result is known when compiling: constants and shapes.

#include <cmath>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

// Of integers, so that their difference is one.
constexpr double kMostBound = double(int64_t{1} << 62);

absl::Status setConstant(NodeEmitter& e, const Array& array) {
  e.setOutput(0, e.constant(array));
  return absl::OkStatus();
}

absl::Status constant(NodeEmitter& e, llvm::StringRef) {
  if (const onnx::AttributeProto* value = e.attribute("value")) {
    IR_ASSIGN_OR_RETURN(Value * result, e.constant(value->t()));
    e.setOutput(0, result);
    return absl::OkStatus();
  }
  if (e.attribute("value_int"))
    return setConstant(e, Array::integer({}, {e.intAttr("value_int", 0)}));
  if (e.attribute("value_float"))
    return setConstant(e, Array::real({}, {e.floatAttr("value_float", 0)}));
  if (std::optional<Ints> values = e.intsAttr("value_ints")) {
    const int64_t count = values->size();
    return setConstant(e, Array::integer({count}, *std::move(values)));
  }
  if (const onnx::AttributeProto* values = e.attribute("value_floats")) {
    return setConstant(e, Array::real({values->floats_size()},
                                      {values->floats().begin(), values->floats().end()}));
  }
  return absl::UnimplementedError("a constant that is not made of numbers");
}

// Sizes of axes start to end.
absl::Status shape(NodeEmitter& e, llvm::StringRef) {
  const int64_t rank = e.rank(0);
  auto clamp = [&](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const int64_t start = clamp(e.intAttr("start", 0)), end = clamp(e.intAttr("end", rank));
  Ints sizes;
  for (int64_t axis = start; axis < end; ++axis) sizes.push_back(e.shape(0)[axis]);
  const int64_t count = sizes.size();
  return setConstant(e, Array::integer({count}, std::move(sizes)));
}

absl::Status size(NodeEmitter& e, llvm::StringRef) {
  return setConstant(e, Array::integer({}, {e.input(0)->type().elements()}));
}

absl::Status range(NodeEmitter& e, llvm::StringRef) {
  std::vector<Array> bounds;
  for (int i = 0; i < 3; ++i) {
    IR_ASSIGN_OR_RETURN(Array bound, e.constantInput(i));
    if (bound.elements() != 1)
      return absl::InvalidArgumentError("start, limit and delta must be scalars");
    bounds.push_back(std::move(bound));
  }
  const bool real = bounds[0].isReal();
  auto value = [&](int i) { return real ? bounds[i].reals[0] : double(bounds[i].integers[0]); };
  if (value(2) == 0) return absl::InvalidArgumentError("delta is 0");
  if (!real && (std::abs(value(0)) > kMostBound || std::abs(value(1)) > kMostBound))
    return absl::InvalidArgumentError("start or limit is beyond 2^62");
  const double span =
      real ? value(1) - value(0) : double(bounds[1].integers[0] - bounds[0].integers[0]);
  const double count = std::ceil(span / value(2));
  if (!(count <= double(kMostNewElements)) || !e.hasRoomFor(std::max<int64_t>(0, int64_t(count))))
    return absl::InvalidArgumentError(absl::StrCat("it would have ", count, " elements"));
  Array result = Array::zeros(bounds[0].element, {std::max<int64_t>(0, int64_t(count))});
  for (int64_t i = 0; i < result.elements(); ++i) {
    if (real) {
      result.reals[i] = value(0) + double(i) * value(2);
    } else {
      result.integers[i] = bounds[0].integers[0] + i * bounds[2].integers[0];
    }
  }
  return setConstant(e, result);
}

absl::Status constantOfShape(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(Ints sizes, e.constantInts(0));
  Array value = Array::real({1}, {0});
  if (const onnx::AttributeProto* attribute = e.attribute("value")) {
    IR_ASSIGN_OR_RETURN(ir::Constant scalar, makeConstant({.tensor = &attribute->t()}));
    IR_ASSIGN_OR_RETURN(value, ir::tensor::readConstant(scalar));
  }
  if (value.elements() != 1) return absl::InvalidArgumentError("its value is not one element");
  IR_RETURN_IF_ERROR(checkNewElements(sizes));
  // As an expansion, it takes no memory where nobody needs to know its elements now.
  value.shape.clear();
  Value* scalar = e.constant(value);
  if (sizes.empty()) {
    e.setOutput(0, scalar);
    return absl::OkStatus();
  }
  return e.emitOutput("tensor.expand", {scalar}, {{"shape", sizes}});
}

constexpr NamedEmitter kEmitters[] = {
    {"Constant", constant}, {"ConstantOfShape", constantOfShape},
    {"Range", range},       {"Shape", shape},
    {"Size", size},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> shapeEmitters() { return kEmitters; }

}  // namespace lindero::compiler
