// ONNX ops that move elements: what the tensor dialect says with reshape, transpose, slice, concat,
// gather and expand.

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using Ints = std::vector<int64_t>;

absl::Status reshapeOutput(NodeEmitter& e, llvm::ArrayRef<int64_t> shape) {
  IR_ASSIGN_OR_RETURN(Value * result, e.reshape(e.input(0), shape));
  e.setOutput(0, result);
  return absl::OkStatus();
}

// 0 copies the input's size (unless allowzero), one -1 takes what is left.
absl::Status reshape(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(Ints shape, e.constantInts(1));
  const int64_t elements = e.input(0)->type().elements();
  constexpr int64_t kMost = int64_t{1} << 40;  // what no tensor has; known stays below its square
  int64_t known = 1;
  auto unknown = shape.end();
  for (auto it = shape.begin(); it != shape.end(); ++it) {
    const int64_t index = it - shape.begin();
    if (*it == 0 && !e.intAttr("allowzero", 0)) {
      if (index >= e.rank(0))
        return absl::InvalidArgumentError(
            absl::StrCat("the shape's 0 on axis ", index, " copies no axis"));
      *it = e.shape(0)[index];
    }
    if (*it == -1 && unknown == shape.end()) {
      unknown = it;
    } else if (*it < 0 || *it > kMost || known > kMost) {
      return absl::InvalidArgumentError(
          absl::StrCat("a tensor of ", elements, " elements does not take that shape"));
    } else {
      known *= *it;
    }
  }
  if (unknown != shape.end()) {
    if (known == 0)
      return absl::InvalidArgumentError("the shape has a 0, so that its -1 may be anything");
    *unknown = elements / known;
  }
  return reshapeOutput(e, shape);
}

absl::Status squeeze(NodeEmitter& e, llvm::StringRef) {
  Ints axes;
  if (e.has(1)) {
    IR_ASSIGN_OR_RETURN(Ints given, e.constantInts(1));
    IR_ASSIGN_OR_RETURN(axes, e.axes(given, e.rank(0)));
  }
  Ints shape;
  for (int64_t axis = 0; axis < e.rank(0); ++axis) {
    const bool one = e.shape(0)[axis] == 1;
    const bool listed = llvm::is_contained(axes, axis);
    if (listed && !one)
      return absl::InvalidArgumentError(
          absl::StrCat("axis ", axis, " has size ", e.shape(0)[axis], ", not 1"));
    if (!(listed || (axes.empty() && !e.has(1) && one))) shape.push_back(e.shape(0)[axis]);
  }
  return reshapeOutput(e, shape);
}

absl::Status unsqueeze(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(Ints given, e.constantInts(1));
  IR_ASSIGN_OR_RETURN(Ints axes, e.axes(given, e.rank(0) + int64_t(given.size())));
  Ints shape(e.shape(0).begin(), e.shape(0).end());
  std::sort(axes.begin(), axes.end());
  for (int64_t axis : axes) shape.insert(shape.begin() + axis, 1);
  return reshapeOutput(e, shape);
}

absl::Status flatten(NodeEmitter& e, llvm::StringRef) {
  const int64_t given = e.intAttr("axis", 1);
  if (given < -e.rank(0) || given > e.rank(0))
    return absl::InvalidArgumentError(
        absl::StrCat("axis ", given, " is outside of rank ", e.rank(0)));
  const int64_t axis = given < 0 ? given + e.rank(0) : given;
  int64_t rows = 1, columns = 1;
  for (int64_t i = 0; i < e.rank(0); ++i) (i < axis ? rows : columns) *= e.shape(0)[i];
  return reshapeOutput(e, {rows, columns});
}

absl::Status transpose(NodeEmitter& e, llvm::StringRef op) {
  Ints reversed(e.rank(0));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  return e.emitOutput(op, {e.input(0)}, {{"perm", e.intsAttr("perm").value_or(reversed)}});
}

absl::Status expand(NodeEmitter& e, llvm::StringRef op) {
  IR_ASSIGN_OR_RETURN(Ints shape, e.constantInts(1));
  auto result = ir::tensor::broadcast(e.shape(0), shape);
  if (!result || llvm::any_of(shape, [](int64_t size) { return size < 0; })) {
    return absl::InvalidArgumentError("the input does not broadcast to that shape");
  }
  IR_RETURN_IF_ERROR(checkNewElements(*result));
  return e.emitOutput(op, {e.input(0)}, {{"shape", Ints(result->begin(), result->end())}});
}

// [a, b] tiled r by s is [1, a, 1, b] expanded to [r, a, s, b].
absl::Status tile(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(Ints repeats, e.constantInts(1));
  if (int64_t(repeats.size()) != e.rank(0))
    return absl::InvalidArgumentError("it needs one repeat count per axis");
  Ints split, expanded, joined;
  for (int64_t axis = 0; axis < e.rank(0); ++axis) {
    const int64_t size = e.shape(0)[axis];
    if (repeats[axis] < 0 || repeats[axis] > 1 << 20)
      return absl::InvalidArgumentError(absl::StrCat("repeat count ", repeats[axis]));
    split.insert(split.end(), {1, size});
    expanded.insert(expanded.end(), {repeats[axis], size});
    joined.push_back(repeats[axis] * size);
  }
  IR_RETURN_IF_ERROR(checkNewElements(expanded));
  IR_ASSIGN_OR_RETURN(Value * result, e.reshape(e.input(0), split));
  IR_ASSIGN_OR_RETURN(result, e.emit("tensor.expand", {result}, {{"shape", expanded}}));
  IR_ASSIGN_OR_RETURN(result, e.reshape(result, joined));
  e.setOutput(0, result);
  return absl::OkStatus();
}

absl::StatusOr<Value*> sliceAxis(NodeEmitter& e, Value* value, int64_t axis, int64_t start,
                                 int64_t size, int64_t step) {
  const int64_t extent = value->type().shape[axis];
  if (start == 0 && size == extent && step == 1) return value;
  // With fewer than two elements the step says nothing, and may be too large for the op.
  if (size < 2) step = 1;
  if (step == 1)
    return e.emit("tensor.slice", {value}, {{"axis", axis}, {"start", start}, {"size", size}});
  return e.emit("tensor.slice", {value},
                {{"axis", axis}, {"start", start}, {"size", size}, {"step", step}});
}

// Bounds count from the end if negative, and are clamped to the axis.
absl::StatusOr<Value*> sliceBounds(NodeEmitter& e, Value* value, int64_t axis, int64_t start,
                                   int64_t end, int64_t step) {
  const int64_t extent = value->type().shape[axis];
  if (step == 0) return absl::InvalidArgumentError("a slice has step 0");
  auto clamp = [&](int64_t bound, int64_t low, int64_t high) {
    return std::clamp(bound < 0 ? bound + extent : bound, low, high);
  };
  const int64_t first =
      step > 0 ? clamp(start, 0, extent) : clamp(start, 0, std::max<int64_t>(extent - 1, 0));
  const int64_t last = step > 0 ? clamp(end, 0, extent) : clamp(end, -1, extent - 1);
  const int64_t span = step > 0 ? last - first : first - last;
  // A step of magnitude beyond the axis picks one element; that also keeps -step from overflowing.
  const int64_t stride =
      std::max<int64_t>(1, step > 0 ? std::min(step, extent + 1) : -std::max(step, -extent - 1));
  const int64_t size = extent == 0 || span <= 0 ? 0 : (span + stride - 1) / stride;
  return sliceAxis(e, value, axis, size == 0 ? 0 : first, size, step > 0 ? stride : -stride);
}

absl::Status slice(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(Ints starts, e.constantInts(1));
  IR_ASSIGN_OR_RETURN(Ints ends, e.constantInts(2));
  Ints axes(starts.size()), steps(starts.size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (e.has(3)) {
    IR_ASSIGN_OR_RETURN(axes, e.constantInts(3));
  }
  if (e.has(4)) {
    IR_ASSIGN_OR_RETURN(steps, e.constantInts(4));
  }
  IR_ASSIGN_OR_RETURN(axes, e.axes(axes, e.rank(0)));
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    return absl::InvalidArgumentError("starts, ends, axes and steps differ in length");
  }
  Value* result = e.input(0);
  for (size_t i = 0; i < axes.size(); ++i) {
    IR_ASSIGN_OR_RETURN(result, sliceBounds(e, result, axes[i], starts[i], ends[i], steps[i]));
  }
  e.setOutput(0, result);
  return absl::OkStatus();
}

// Sizes are given, or as equal as they get (the last part may be smaller).
absl::Status split(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", 0), e.rank(0)));
  const int64_t extent = e.shape(0)[axis], parts = e.numOutputs();
  const int64_t chunk = (extent + parts - 1) / parts;
  Ints sizes;
  if (e.has(1)) {
    IR_ASSIGN_OR_RETURN(sizes, e.constantInts(1));
  } else if (const int64_t wanted = e.intAttr("num_outputs", parts); wanted != parts) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_outputs is ", wanted, ", and it has ", parts, " outputs"));
  } else {
    for (int64_t i = 0; i < parts; ++i)
      sizes.push_back(std::clamp<int64_t>(extent - i * chunk, 0, chunk));
  }
  if (int64_t(sizes.size()) != parts)
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", parts, " outputs for ", sizes.size(), " sizes"));
  int64_t start = 0;
  for (int64_t i = 0; i < parts; ++i) {
    if (sizes[i] < 0 || sizes[i] > extent - start)
      return absl::InvalidArgumentError("the sizes exceed the axis");
    IR_ASSIGN_OR_RETURN(Value * part, sliceAxis(e, e.input(0), axis, start, sizes[i], 1));
    e.setOutput(static_cast<int>(i), part);
    start += sizes[i];
  }
  return absl::OkStatus();
}

absl::Status concat(NodeEmitter& e, llvm::StringRef op) {
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", 0), e.rank(0)));
  llvm::SmallVector<Value*, 4> parts;
  for (int i = 0; i < e.numInputs(); ++i) {
    if (e.shape(i)[axis] != 0) parts.push_back(e.input(i));
  }
  if (parts.size() <= 1) {
    e.setOutput(0, parts.empty() ? e.input(0) : parts[0]);
    return absl::OkStatus();
  }
  return e.emitOutput(op, parts, {{"axis", axis}});
}

absl::Status gather(NodeEmitter& e, llvm::StringRef op) {
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", 0), e.rank(0)));
  const int64_t extent = e.shape(0)[axis];
  if (const absl::StatusOr<Ints> known = e.knownIntegers(e.input(1)); known.ok()) {
    for (int64_t index : *known) {
      if (index < -extent || index >= extent)
        return absl::InvalidArgumentError(
            absl::StrCat("index ", index, " is outside of an axis of ", extent));
    }
  }
  return e.emitOutput(op, {e.input(0), e.input(1)}, {{"axis", axis}});
}

absl::Status trilu(NodeEmitter& e, llvm::StringRef op) {
  int64_t diagonal = 0;
  if (e.has(1)) {
    IR_ASSIGN_OR_RETURN(ir::tensor::Array k, e.constantInput(1));
    if (k.integers.size() != 1) return absl::InvalidArgumentError("k is not one integer");
    diagonal = k.integers[0];
  }
  return e.emitOutput(op, {e.input(0)}, {{"upper", e.intAttr("upper", 1) != 0}, {"k", diagonal}});
}

constexpr NamedEmitter kEmitters[] = {
    {"Concat", concat, "tensor.concat"},
    {"Expand", expand, "tensor.expand"},
    {"Flatten", flatten},
    {"Gather", gather, "tensor.gather"},
    {"Reshape", reshape},
    {"Slice", slice},
    {"Split", split},
    {"Squeeze", squeeze},
    {"Tile", tile},
    {"Transpose", transpose, "tensor.transpose"},
    {"Trilu", trilu, "tensor.trilu"},
    {"Unsqueeze", unsqueeze},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> layoutEmitters() { return kEmitters; }

}  // namespace lindero::compiler
