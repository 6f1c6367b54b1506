// ONNX ops whose result is a choice of elements: by conditions or lengths that are known when
// compiling, or the largest few.

#include <numeric>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

// Of TopK: each costs a maximum over the axis.
constexpr int64_t kMostChosen = 64;

bool isTrue(const Array& array, int64_t i) {
  return array.isReal() ? array.reals[i] != 0 : array.integers[i] != 0;
}

// The slices of an axis, or elements, where the condition is true.
absl::Status compress(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Array condition, e.constantInput(1));
  Value* x = e.input(0);
  int64_t axis = 0;
  if (e.attribute("axis")) {
    IR_ASSIGN_OR_RETURN(axis, e.axis(e.intAttr("axis", 0), e.rank(0)));
  } else {
    IR_ASSIGN_OR_RETURN(x, e.reshape(x, {x->type().elements()}));
  }
  if (condition.elements() > x->type().shape[axis])
    return absl::InvalidArgumentError("its condition is longer than the axis");
  Ints chosen;
  for (int64_t i = 0; i < condition.elements(); ++i)
    if (isTrue(condition, i)) chosen.push_back(i);
  const int64_t count = static_cast<int64_t>(chosen.size());
  IR_ASSIGN_OR_RETURN(Value * y, e.gather(x, axis, {count}, std::move(chosen)));
  e.setOutput(0, y);
  return absl::OkStatus();
}

// Indices per axis, [rank, count].
absl::Status nonZero(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Array x, e.constantInput(0));
  Ints places;
  for (int64_t i = 0; i < x.elements(); ++i)
    if (isTrue(x, i)) places.push_back(i);
  const auto strides = ir::tensor::rowMajorStrides(x.shape);
  Ints indices;
  for (int64_t axis = 0; axis < e.rank(0); ++axis)
    for (const int64_t place : places) indices.push_back(place / strides[axis] % x.shape[axis]);
  const auto count = static_cast<int64_t>(places.size());
  e.setOutput(0, e.constant(Array::integer({e.rank(0), count}, std::move(indices))));
  return absl::OkStatus();
}

// The first steps of each sequence turned around.
absl::Status reverseSequence(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Ints lengths, e.constantInts(1));
  const int64_t batch_axis = e.intAttr("batch_axis", 1), time_axis = e.intAttr("time_axis", 0);
  if (e.rank(0) < 2 || batch_axis + time_axis != 1 || batch_axis * time_axis != 0)
    return absl::InvalidArgumentError("its axes of time and batch are not the first two");
  const llvm::ArrayRef<int64_t> shape = e.shape(0);
  const int64_t batches = shape[batch_axis], times = shape[time_axis];
  if (int64_t(lengths.size()) != batches)
    return absl::InvalidArgumentError("it has not one length for each sequence");
  Ints from(batches * times);
  for (int64_t batch = 0; batch < batches; ++batch) {
    if (lengths[batch] < 0 || lengths[batch] > times)
      return absl::InvalidArgumentError("a sequence is longer than its axis");
    for (int64_t time = 0; time < times; ++time) {
      const int64_t source = time < lengths[batch] ? lengths[batch] - 1 - time : time;
      const auto place = [&](int64_t t) {
        return time_axis == 0 ? t * batches + batch : batch * times + t;
      };
      from[place(time)] = place(source);
    }
  }
  Ints rows = {batches * times};
  rows.insert(rows.end(), shape.begin() + 2, shape.end());
  IR_ASSIGN_OR_RETURN(Value * x, e.reshape(e.input(0), rows));
  IR_ASSIGN_OR_RETURN(x, e.gather(x, 0, {batches * times}, std::move(from)));
  IR_ASSIGN_OR_RETURN(x, e.reshape(x, shape));
  e.setOutput(0, x);
  return absl::OkStatus();
}

// One maximum after the other; what was chosen counts as less than all others. Reals are picked
// from the input, so that what is compared with them finds them there.
absl::Status topK(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Ints given, e.constantInts(1));
  const int64_t rank = e.rank(0);
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", -1), rank));
  const int64_t size = e.shape(0)[axis], k = given.size() == 1 ? given[0] : -1;
  if (k < 1 || k > size) return absl::InvalidArgumentError("its k is no number of elements");
  if (k > kMostChosen) {
    return absl::UnimplementedError(
        absl::StrCat("the ", k, " largest elements: ", kMostChosen, " are supported"));
  }
  const bool real = e.input(0)->type().element == ir::Element::kFloat;
  const bool largest = e.intAttr("largest", 1) != 0;
  Value* x = e.input(0);
  if (!largest) {
    IR_ASSIGN_OR_RETURN(x, e.emit("tensor.neg", {x}));
  }
  Value* const all_values = x;
  Value* one = real ? e.scalar(1) : e.constant(Array::integer({}, {1}));
  Ints all(rank), list(rank, 1), numbers(size);
  std::iota(all.begin(), all.end(), 0);
  std::iota(numbers.begin(), numbers.end(), 0);
  list[axis] = size;
  IR_ASSIGN_OR_RETURN(Value * least,
                      e.emit("tensor.reduce_min", {x}, {{"axes", all}, {"keepdims", false}}));
  IR_ASSIGN_OR_RETURN(least, e.emit("tensor.sub", {least, one}));
  Value* counting = e.constant(Array::integer(list, std::move(numbers)));
  std::vector<Value*> values, indices;
  for (int64_t i = 0; i < k; ++i) {
    IR_ASSIGN_OR_RETURN(Value * place,
                        e.emit("tensor.argmax", {x}, {{"axis", axis}, {"keepdims", true}}));
    IR_ASSIGN_OR_RETURN(Value * chosen, e.emit("tensor.equal", {counting, place}));
    Value* picked = x;
    if (real) {
      IR_ASSIGN_OR_RETURN(picked, e.emit("tensor.where", {chosen, all_values, e.scalar(0)}));
    }
    IR_ASSIGN_OR_RETURN(Value * value,
                        e.emit(real ? "tensor.reduce_sum" : "tensor.reduce_max", {picked},
                               {{"axes", Ints{axis}}, {"keepdims", true}}));
    values.push_back(value);
    indices.push_back(place);
    if (i + 1 == k) break;
    IR_ASSIGN_OR_RETURN(x, e.emit("tensor.where", {chosen, least, x}));
  }
  IR_ASSIGN_OR_RETURN(Value * y, e.emit("tensor.concat", values, {{"axis", axis}}));
  if (!largest) {
    IR_ASSIGN_OR_RETURN(y, e.emit("tensor.neg", {y}));
  }
  e.setOutput(0, y);
  if (e.numOutputs() < 2) return absl::OkStatus();
  IR_ASSIGN_OR_RETURN(Value * places, e.emit("tensor.concat", indices, {{"axis", axis}}));
  e.setOutput(1, places);
  return absl::OkStatus();
}

constexpr NamedEmitter kEmitters[] = {
    {"Compress", compress},
    {"NonZero", nonZero},
    {"ReverseSequence", reverseSequence},
    {"TopK", topK},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> selectionEmitters() { return kEmitters; }

}  // namespace lindero::compiler
