// ONNX ops that pick or replace elements by index: gathers from a flattened tensor.
//
// Indices may be computed, unless said otherwise. Where the flattened tensor is more than the axis
// that an index is of, the index is first looked up in the list 0 .. n-1: that makes one that
// counts from the end count from the start, and keeps one that is out of range an error, which in
// the flattened tensor might be another element's.

#include <numeric>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using ir::tensor::product;
using Ints = std::vector<int64_t>;

// Updates of one place, each with a step of its own.
constexpr size_t kMostJoined = 64;

Value* integer(NodeEmitter& e, int64_t value) { return e.constant(Array::integer({}, {value})); }

Ints shapeOf(const Value* value) {
  return Ints(value->type().shape.begin(), value->type().shape.end());
}

Value* counting(NodeEmitter& e, int64_t count) {
  Ints numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return e.constant(Array::integer({count}, std::move(numbers)));
}

// The indices of an axis of n, counted from its start.
absl::StatusOr<Value*> fromStart(NodeEmitter& e, Value* indices, int64_t n) {
  IR_RETURN_IF_ERROR(checkNewElements({n}));
  return e.emit("tensor.gather", {counting(e, n), indices}, {{"axis", int64_t{0}}});
}

absl::StatusOr<Value*> timesInteger(NodeEmitter& e, Value* value, int64_t factor) {
  if (factor == 1) return value;
  return e.emit("tensor.mul", {value, integer(e, factor)});
}

// For each element of a tensor of shape `outer`, where an element of the same index, but for 0 on
// the axis `skip`, is in a tensor of shape `inner`.
Array places(llvm::ArrayRef<int64_t> outer, llvm::ArrayRef<int64_t> inner, int64_t skip) {
  const auto strides = ir::tensor::rowMajorStrides(inner);
  Array result = Array::zeros(ir::Element::kInt, outer);
  Ints index(outer.size(), 0);
  for (int64_t& place : result.integers) {
    for (size_t axis = 0; axis < outer.size(); ++axis)
      place += int64_t(axis) == skip ? 0 : index[axis] * strides[axis];
    for (size_t axis = outer.size(); axis-- > 0;) {
      if (++index[axis] < outer[axis]) break;
      index[axis] = 0;
    }
  }
  return result;
}

// Do the indices, per axis other than `axis`, cover a part of the data?
absl::Status checkIndexShape(NodeEmitter& e, int64_t axis) {
  bool fits = e.rank(0) == e.rank(1);
  for (int64_t i = 0; fits && i < e.rank(0); ++i)
    fits = i == axis || e.shape(1)[i] <= e.shape(0)[i];
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError("its indices do not fit the shape of its data");
}

// Where each index points in the flattened data.
absl::StatusOr<Value*> flatIndices(NodeEmitter& e, Value* indices, int64_t axis) {
  const bool whole = e.input(0)->type().elements() == e.shape(0)[axis];
  if (whole && !e.knownIntegers(indices).ok()) return indices;
  IR_ASSIGN_OR_RETURN(Value * flat, fromStart(e, indices, e.shape(0)[axis]));
  IR_ASSIGN_OR_RETURN(flat, timesInteger(e, flat, ir::tensor::rowMajorStrides(e.shape(0))[axis]));
  const Array base = places(shapeOf(indices), shapeOf(e.input(0)), axis);
  if (llvm::all_of(base.integers, [](int64_t place) { return place == 0; })) return flat;
  return e.emit("tensor.add", {flat, e.constant(base)});
}

absl::Status gatherElements(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", 0), e.rank(0)));
  IR_RETURN_IF_ERROR(checkIndexShape(e, axis));
  IR_RETURN_IF_ERROR(checkNewElements(e.shape(1)));
  IR_ASSIGN_OR_RETURN(Value * data, e.reshape(e.input(0), {e.input(0)->type().elements()}));
  IR_ASSIGN_OR_RETURN(Value * flat, flatIndices(e, e.input(1), axis));
  return e.emitOutput("tensor.gather", {data, flat}, {{"axis", int64_t{0}}});
}

// Indices [..., k] of the axes from `first` on, as indices of these axes flattened. [...] begins
// with as many axes as `first` says, each of which keeps to its own part of the data.
absl::StatusOr<Value*> flatTuples(NodeEmitter& e, Value* tuples, llvm::ArrayRef<int64_t> data,
                                  int64_t first) {
  Ints shape = shapeOf(tuples);
  const int64_t k = shape.back(), last = int64_t(shape.size()) - 1;
  shape.pop_back();
  const auto strides = ir::tensor::rowMajorStrides(data.take_front(first + k));
  const int64_t all = product(data.take_front(first + k));
  Value* flat = nullptr;
  for (int64_t i = 0; i < k; ++i) {
    Value* one = tuples;
    if (k > 1) {
      IR_ASSIGN_OR_RETURN(
          one, e.emit("tensor.slice", {one}, {{"axis", last}, {"start", i}, {"size", int64_t{1}}}));
    }
    if (k > 1 || all != data[first + i] || e.knownIntegers(one).ok()) {
      IR_ASSIGN_OR_RETURN(one, fromStart(e, one, data[first + i]));
    }
    IR_ASSIGN_OR_RETURN(one, e.reshape(one, shape));
    IR_ASSIGN_OR_RETURN(one, timesInteger(e, one, strides[first + i]));
    if (flat) {
      IR_ASSIGN_OR_RETURN(one, e.emit("tensor.add", {flat, one}));
    }
    flat = one;
  }
  if (product(data.take_front(first)) <= 1) return flat;
  Ints batches = shape;
  std::fill(batches.begin() + first, batches.end(), 1);
  Array base = Array::zeros(ir::Element::kInt, batches);
  const int64_t each = product(data.slice(first, k));
  std::iota(base.integers.begin(), base.integers.end(), 0);
  for (int64_t& place : base.integers) place *= each;
  return e.emit("tensor.add", {flat, e.constant(base)});
}

absl::Status gatherND(NodeEmitter& e, llvm::StringRef) {
  const int64_t first = e.intAttr("batch_dims", 0);
  if (e.rank(1) < 1) return absl::InvalidArgumentError("its indices have no axis");
  const int64_t k = e.shape(1).back();
  if (first < 0 || first >= e.rank(1) || first > e.rank(0) || k < 1 || k > e.rank(0) - first)
    return absl::InvalidArgumentError("its indices do not fit the rank of its data");
  const llvm::ArrayRef<int64_t> data = e.shape(0), tuples = e.shape(1);
  if (data.take_front(first) != tuples.take_front(first))
    return absl::InvalidArgumentError("its data and indices differ in their batch axes");
  const llvm::ArrayRef<int64_t> rest = data.drop_front(first + k);
  Ints result = tuples.drop_back().vec(), rows = {product(data.take_front(first + k))};
  result.insert(result.end(), rest.begin(), rest.end());
  rows.insert(rows.end(), rest.begin(), rest.end());
  IR_RETURN_IF_ERROR(checkNewElements(result));
  IR_ASSIGN_OR_RETURN(Value * x, e.reshape(e.input(0), rows));
  IR_ASSIGN_OR_RETURN(Value * flat, flatTuples(e, e.input(1), data, first));
  return e.emitOutput("tensor.gather", {x, flat}, {{"axis", int64_t{0}}});
}

// Rows of data, those at `targets` replaced by rows of updates: a gather from both.
absl::StatusOr<Value*> replaced(NodeEmitter& e, Value* data, Value* updates,
                                llvm::ArrayRef<int64_t> targets) {
  const int64_t rows = data->type().shape[0];
  Ints from(rows);
  std::iota(from.begin(), from.end(), 0);
  for (size_t i = 0; i < targets.size(); ++i) {
    int64_t& source = from[targets[i]];
    if (source >= rows) return absl::UnimplementedError("two of its indices are the same place");
    source = rows + int64_t(i);
  }
  if (targets.empty()) return data;
  IR_ASSIGN_OR_RETURN(Value * both,
                      e.emit("tensor.concat", {data, updates}, {{"axis", int64_t{0}}}));
  return e.gather(both, 0, {rows}, std::move(from));
}

// Rows of data, those at `targets` joined with rows of updates by `op`: in one step the first
// update of each place, in the next one the second, and so on.
absl::StatusOr<Value*> joined(NodeEmitter& e, llvm::StringRef op, Value* data, Value* updates,
                              llvm::ArrayRef<int64_t> targets) {
  const int64_t rows = data->type().shape[0], count = static_cast<int64_t>(targets.size());
  if (targets.empty()) return data;
  Value* neutral = data;  // of a maximum or minimum
  const bool row = op == "tensor.add" || op == "tensor.mul";
  if (row) {
    Ints shape = shapeOf(data);
    shape[0] = 1;
    Array same = Array::zeros(data->type().element, shape);
    const int one = op == "tensor.mul" ? 1 : 0;
    std::fill(same.reals.begin(), same.reals.end(), one);
    std::fill(same.integers.begin(), same.integers.end(), one);
    neutral = e.constant(same);
  }
  IR_ASSIGN_OR_RETURN(Value * source,
                      e.emit("tensor.concat", {updates, neutral}, {{"axis", int64_t{0}}}));
  Ints none(rows, count);
  if (!row) std::iota(none.begin(), none.end(), count);
  std::vector<Ints> steps;
  Ints seen(rows, 0);
  for (int64_t i = 0; i < count; ++i) {
    const auto step = static_cast<size_t>(seen[targets[i]]++);
    if (step == kMostJoined)
      return absl::UnimplementedError(
          absl::StrCat("more than ", kMostJoined, " of its indices are the same place"));
    if (step == steps.size()) steps.push_back(none);
    steps[step][targets[i]] = i;
  }
  for (Ints& step : steps) {
    IR_ASSIGN_OR_RETURN(Value * picked, e.gather(source, 0, {rows}, std::move(step)));
    IR_ASSIGN_OR_RETURN(data, e.emit(op, {data, picked}));
  }
  return data;
}

// By the reduction that the node names.
absl::StatusOr<Value*> scattered(NodeEmitter& e, Value* data, Value* updates,
                                 llvm::ArrayRef<int64_t> targets) {
  const std::string reduction = e.stringAttr("reduction", "none");
  if (reduction == "none") return replaced(e, data, updates, targets);
  for (const char* op : {"add", "mul", "max", "min"})
    if (reduction == op) return joined(e, absl::StrCat("tensor.", op), data, updates, targets);
  return absl::InvalidArgumentError(absl::StrCat("it has an unknown reduction '", reduction, "'"));
}

absl::Status checkScatter(NodeEmitter& e) {
  IR_RETURN_IF_ERROR(e.constantInput(1).status());
  IR_RETURN_IF_ERROR(checkNewElements(e.shape(0)));
  return checkNewElements(e.shape(2));
}

absl::Status scatterElements(NodeEmitter& e, llvm::StringRef) {
  IR_RETURN_IF_ERROR(checkScatter(e));
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", 0), e.rank(0)));
  IR_RETURN_IF_ERROR(checkIndexShape(e, axis));
  if (e.shape(1) != e.shape(2))
    return absl::InvalidArgumentError("its indices and updates differ in shape");
  IR_ASSIGN_OR_RETURN(Value * flat, flatIndices(e, e.input(1), axis));
  IR_ASSIGN_OR_RETURN(flat, fromStart(e, flat, e.input(0)->type().elements()));
  IR_ASSIGN_OR_RETURN(const Ints targets, e.knownIntegers(flat));
  IR_ASSIGN_OR_RETURN(Value * data, e.reshape(e.input(0), {e.input(0)->type().elements()}));
  IR_ASSIGN_OR_RETURN(Value * updates, e.reshape(e.input(2), {e.input(2)->type().elements()}));
  IR_ASSIGN_OR_RETURN(Value * y, scattered(e, data, updates, targets));
  IR_ASSIGN_OR_RETURN(y, e.reshape(y, e.shape(0)));
  e.setOutput(0, y);
  return absl::OkStatus();
}

absl::Status scatterND(NodeEmitter& e, llvm::StringRef) {
  IR_RETURN_IF_ERROR(checkScatter(e));
  const int64_t k = e.rank(1) < 1 ? 0 : e.shape(1).back();
  if (k < 1 || k > e.rank(0))
    return absl::InvalidArgumentError("its indices do not fit the rank of its data");
  const llvm::ArrayRef<int64_t> data = e.shape(0), outer = llvm::ArrayRef(e.shape(1)).drop_back();
  const llvm::ArrayRef<int64_t> rest = data.drop_front(k);
  Ints expected = outer.vec();
  expected.insert(expected.end(), rest.begin(), rest.end());
  if (llvm::ArrayRef<int64_t>(e.shape(2)) != llvm::ArrayRef<int64_t>(expected))
    return absl::InvalidArgumentError("its updates do not fit its data and indices");
  IR_ASSIGN_OR_RETURN(Value * flat, flatTuples(e, e.input(1), data, 0));
  // A gather would count from the end itself.
  IR_ASSIGN_OR_RETURN(flat, fromStart(e, flat, product(data.take_front(k))));
  IR_ASSIGN_OR_RETURN(const Ints targets, e.knownIntegers(flat));
  const int64_t inner = product(rest);
  IR_ASSIGN_OR_RETURN(Value * x, e.reshape(e.input(0), {product(data.take_front(k)), inner}));
  IR_ASSIGN_OR_RETURN(Value * updates, e.reshape(e.input(2), {product(outer), inner}));
  IR_ASSIGN_OR_RETURN(Value * y, scattered(e, x, updates, targets));
  IR_ASSIGN_OR_RETURN(y, e.reshape(y, data));
  e.setOutput(0, y);
  return absl::OkStatus();
}

// Can the indices be no others than those of a table's rows?
bool areRows(const Value* indices, int64_t depth) {
  const ir::Op* op = indices->definingOp();
  if (op == nullptr || !op->is("tensor.argmax")) return false;
  const auto& shape = op->operand(0)->type().shape;
  return shape[op->intAttrOr("axis", static_cast<int64_t>(shape.size()) - 1)] <= depth;
}

// Rows of a table, on where an index is the row's.
absl::StatusOr<Value*> oneHotRows(NodeEmitter& e, int64_t depth, int64_t axis) {
  IR_RETURN_IF_ERROR(checkNewElements({depth, depth}));
  Array one = Array::zeros(ir::Element::kBool, {depth, depth});
  for (int64_t i = 0; i < depth; ++i) one.integers[i * (depth + 1)] = 1;
  IR_ASSIGN_OR_RETURN(Value * off, e.gather(e.input(2), 0, {}, {0}));
  IR_ASSIGN_OR_RETURN(Value * on, e.gather(e.input(2), 0, {}, {1}));
  IR_ASSIGN_OR_RETURN(Value * table, e.emit("tensor.where", {e.constant(one), on, off}));
  IR_ASSIGN_OR_RETURN(Value * rows,
                      e.emit("tensor.gather", {table, e.input(0)}, {{"axis", int64_t{0}}}));
  Ints perm(e.rank(0));
  std::iota(perm.begin(), perm.end(), 0);
  perm.insert(perm.begin() + axis, e.rank(0));
  return e.transpose(rows, perm);
}

// On where an index is that place, or that place counted from the end; else off, also for an index
// that is out of range.
absl::StatusOr<Value*> oneHotPlaces(NodeEmitter& e, int64_t depth, int64_t axis) {
  Ints shape = shapeOf(e.input(0)), list(shape.size() + 1, 1);
  shape.insert(shape.begin() + axis, 1);
  list[axis] = depth;
  Value* indices = e.input(0);
  const bool real = indices->type().element == ir::Element::kFloat;
  if (real) {
    IR_ASSIGN_OR_RETURN(
        indices, e.emit("tensor.activation", {indices},
                        {{"function", std::string("where(less(x, 0), ceil(x), floor(x))")}}));
  }
  IR_ASSIGN_OR_RETURN(indices, e.reshape(indices, shape));
  IR_ASSIGN_OR_RETURN(Value * numbers, e.reshape(counting(e, depth), list));
  IR_ASSIGN_OR_RETURN(Value * below, e.emit("tensor.sub", {numbers, integer(e, depth)}));
  if (real) {
    for (Value** places : {&numbers, &below}) {
      IR_ASSIGN_OR_RETURN(*places,
                          e.emit("tensor.cast", {*places}, {{"to", std::string("float")}}));
    }
  }
  IR_ASSIGN_OR_RETURN(Value * hit, e.emit("tensor.equal", {indices, numbers}));
  IR_ASSIGN_OR_RETURN(Value * other, e.emit("tensor.equal", {indices, below}));
  IR_ASSIGN_OR_RETURN(hit, e.emit("tensor.or", {hit, other}));
  IR_ASSIGN_OR_RETURN(Value * off, e.gather(e.input(2), 0, {}, {0}));
  IR_ASSIGN_OR_RETURN(Value * on, e.gather(e.input(2), 0, {}, {1}));
  return e.emit("tensor.where", {hit, on, off});
}

absl::Status oneHot(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Array given, e.constantInput(1));
  if (given.elements() != 1) return absl::InvalidArgumentError("its depth is not one number");
  const int64_t depth = given.isReal() ? ir::tensor::toInteger(given.reals[0]) : given.integers[0];
  if (depth < 1 || e.rank(2) != 1 || e.shape(2)[0] != 2)
    return absl::InvalidArgumentError("it needs a depth of 1 or more, and two values");
  IR_ASSIGN_OR_RETURN(const int64_t axis, e.axis(e.intAttr("axis", -1), e.rank(0) + 1));
  Ints result = shapeOf(e.input(0));
  result.insert(result.begin() + axis, depth);
  IR_RETURN_IF_ERROR(checkNewElements(result));
  auto y = areRows(e.input(0), depth) ? oneHotRows(e, depth, axis) : oneHotPlaces(e, depth, axis);
  IR_RETURN_IF_ERROR(y.status());
  e.setOutput(0, *y);
  return absl::OkStatus();
}

absl::Status eyeLike(NodeEmitter& e, llvm::StringRef) {
  if (e.rank(0) != 2) return absl::InvalidArgumentError("its input is not a matrix");
  IR_RETURN_IF_ERROR(checkNewElements(e.shape(0)));
  ir::Element element = e.input(0)->type().element;
  if (e.attribute("dtype")) {
    IR_ASSIGN_OR_RETURN(element, elementOf(static_cast<int>(e.intAttr("dtype", 0))));
  }
  Array result = Array::zeros(element, e.shape(0));
  const int64_t columns = e.shape(0)[1], diagonal = e.intAttr("k", 0);
  for (int64_t i = 0; i < result.elements(); ++i) {
    if (i % columns - i / columns != diagonal) continue;
    if (result.isReal()) {
      result.reals[i] = 1;
    } else {
      result.integers[i] = 1;
    }
  }
  e.setOutput(0, e.constant(result));
  return absl::OkStatus();
}

constexpr NamedEmitter kEmitters[] = {
    {"EyeLike", eyeLike}, {"GatherElements", gatherElements},   {"GatherND", gatherND},
    {"OneHot", oneHot},   {"ScatterElements", scatterElements}, {"ScatterND", scatterND},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> indexEmitters() { return kEmitters; }

}  // namespace lindero::compiler
