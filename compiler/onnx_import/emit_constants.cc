// ONNX ops that are evaluated here, of constants alone: how many results they have depends on
// values, or they are no function of numbers.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "compiler/onnx_import/weights.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/Sequence.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

double numberAt(const Array& array, int64_t i) {
  return array.isReal() ? array.reals[i] : static_cast<double>(array.integers[i]);
}

// The one number of an optional input.
absl::StatusOr<double> numberOr(NodeEmitter& e, int i, double fallback) {
  if (!e.has(i) || e.input(i)->type().elements() == 0) return fallback;
  IR_ASSIGN_OR_RETURN(const Array array, e.constantInput(i));
  if (array.elements() != 1)
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " is not one number"));
  return numberAt(array, 0);
}

// Of NonMaxSuppression, between opposite corners.
struct Box {
  double x_low, x_high, y_low, y_high;
  double area() const { return (x_high - x_low) * (y_high - y_low); }
};

Box boxOf(const double* b, bool centered) {
  if (centered) return {b[0] - b[2] / 2, b[0] + b[2] / 2, b[1] - b[3] / 2, b[1] + b[3] / 2};
  return {std::min(b[1], b[3]), std::max(b[1], b[3]), std::min(b[0], b[2]), std::max(b[0], b[2])};
}

bool overlap(const Box& a, const Box& b, double threshold) {
  const Box both = {std::max(a.x_low, b.x_low), std::min(a.x_high, b.x_high),
                    std::max(a.y_low, b.y_low), std::min(a.y_high, b.y_high)};
  if (both.x_high <= both.x_low || both.y_high <= both.y_low) return false;
  const double shared = both.area(), all = a.area() + b.area() - shared;
  if (a.area() <= 0 || b.area() <= 0 || all <= 0) return false;
  return shared / all > threshold;
}

// Of each class of each batch, the boxes by score, but for those that overlap an earlier one.
absl::Status nonMaxSuppression(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Array boxes, e.constantInput(0));
  IR_ASSIGN_OR_RETURN(const Array scores, e.constantInput(1));
  IR_ASSIGN_OR_RETURN(const double most, numberOr(e, 2, 0));
  IR_ASSIGN_OR_RETURN(const double overlapping, numberOr(e, 3, 0));
  IR_ASSIGN_OR_RETURN(const double least, numberOr(e, 4, -INFINITY));
  if (boxes.rank() != 3 || scores.rank() != 3 || boxes.shape[2] != 4 ||
      boxes.shape[0] != scores.shape[0] || boxes.shape[1] != scores.shape[2])
    return absl::InvalidArgumentError("its boxes and scores do not fit");
  const int64_t classes = scores.shape[1], count = boxes.shape[1];
  const bool centered = e.intAttr("center_point_box", 0) != 0;
  Ints selected;
  for (const int64_t row : llvm::seq<int64_t>(scores.shape[0] * classes)) {
    const double* of_row = scores.reals.data() + row * count;
    Ints order;
    for (const int64_t i : llvm::seq<int64_t>(count))
      if (of_row[i] > least) order.push_back(i);
    llvm::stable_sort(order, [&](int64_t a, int64_t b) { return of_row[a] > of_row[b]; });
    std::vector<Box> kept;
    for (const int64_t i : order) {
      if (double(kept.size()) >= most) break;
      const Box box = boxOf(boxes.reals.data() + (row / classes * count + i) * 4, centered);
      if (llvm::any_of(kept, [&](const Box& k) { return overlap(box, k, overlapping); })) continue;
      kept.push_back(box);
      selected.insert(selected.end(), {row / classes, row % classes, i});
    }
  }
  const auto rows = static_cast<int64_t>(selected.size()) / 3;
  e.setOutput(0, e.constant(Array::integer({rows, 3}, std::move(selected))));
  return absl::OkStatus();
}

// The slices, or elements, that differ, ascending, each with the places where it is.
template <typename T>
std::vector<Ints> placesOfEach(const std::vector<T>& x, int64_t slices, int64_t outer,
                               int64_t inner) {
  std::map<std::vector<T>, Ints> places;
  for (const int64_t i : llvm::seq(slices)) {
    std::vector<T> slice;
    for (const int64_t o : llvm::seq(outer))
      for (const int64_t k : llvm::seq(inner)) slice.push_back(x[(o * slices + i) * inner + k]);
    places[slice].push_back(i);
  }
  std::vector<Ints> groups;
  for (auto& [slice, list] : places) groups.push_back(std::move(list));
  return groups;
}

// Slices of an axis, or elements, that differ: sorted, or as they come.
absl::Status unique(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Array x, e.constantInput(0));
  int64_t axis = 0;
  llvm::SmallVector<int64_t, 4> shape = {x.elements()};
  if (e.attribute("axis")) {
    IR_ASSIGN_OR_RETURN(axis, e.axis(e.intAttr("axis", 0), e.rank(0)));
    shape = x.shape;
  }
  const int64_t slices = shape[axis];
  const llvm::ArrayRef<int64_t> sizes = shape;
  const int64_t inner = ir::tensor::product(sizes.drop_front(axis + 1)),
                outer = ir::tensor::product(sizes.take_front(axis));
  if (llvm::any_of(x.reals, [](double value) { return std::isnan(value); }))
    return absl::UnimplementedError("it compares what is not a number");
  std::vector<Ints> groups = x.isReal() ? placesOfEach(x.reals, slices, outer, inner)
                                        : placesOfEach(x.integers, slices, outer, inner);
  if (!e.intAttr("sorted", 1)) llvm::sort(groups);  // by the first of each
  Ints first, inverse(slices), counts;
  for (const auto& [number, list] : llvm::enumerate(groups)) {
    first.push_back(list.front());
    counts.push_back(static_cast<int64_t>(list.size()));
    for (const int64_t i : list) inverse[i] = static_cast<int64_t>(number);
  }
  const auto count = static_cast<int64_t>(groups.size());
  IR_ASSIGN_OR_RETURN(Value * flat, e.reshape(e.input(0), shape));
  IR_ASSIGN_OR_RETURN(Value * y, e.gather(flat, axis, {count}, first));
  e.setOutput(0, y);
  if (e.numOutputs() > 1) e.setOutput(1, e.constant(Array::integer({count}, first)));
  if (e.numOutputs() > 2) e.setOutput(2, e.constant(Array::integer({slices}, inverse)));
  if (e.numOutputs() > 3) e.setOutput(3, e.constant(Array::integer({count}, counts)));
  return absl::OkStatus();
}

// Triangles over the bins of a spectrum, equally wide on the mel scale.
absl::Status melWeightMatrix(NodeEmitter& e, llvm::StringRef) {
  double given[5];
  for (int i = 0; i < 5; ++i) {
    IR_ASSIGN_OR_RETURN(given[i], numberOr(e, i, 0));
  }
  const auto [bands, length, rate, low, high] = given;
  if (!(bands >= 1 && length >= 1 && rate > 0 && low >= 0 && high >= low && high < rate))
    return absl::InvalidArgumentError("its bands, length, rate or edges are out of range");
  const int64_t columns = ir::tensor::toInteger(bands),
                rows = ir::tensor::toInteger(length) / 2 + 1;
  IR_RETURN_IF_ERROR(checkNewElements({rows, columns}));
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double step = (mel(high) - mel(low)) / (bands + 2);
  Ints edges;
  for (int64_t i = 0; i < columns + 2; ++i) {
    const double hertz = 700 * (std::pow(10, (double(i) * step + mel(low)) / 2595) - 1);
    edges.push_back(ir::tensor::toInteger(std::floor((length + 1) * hertz / rate)));
    if (edges.back() >= rows)
      return absl::InvalidArgumentError("its upper edge is beyond the bins");
  }
  Array y = Array::zeros(ir::Element::kFloat, {rows, columns});
  for (int64_t i = 0; i < columns; ++i) {
    const int64_t left = edges[i], center = edges[i + 1], right = edges[i + 2];
    const auto at = [&](int64_t row) -> double& { return y.reals[row * columns + i]; };
    if (left == center) at(center) = 1;
    for (int64_t j = left; left < center && j <= center; ++j)
      at(j) = double(j - left) / double(center - left);
    for (int64_t j = center; j < right; ++j) at(j) = double(right - j) / double(right - center);
  }
  e.setOutput(0, e.constant(y));
  return absl::OkStatus();
}

template <typename To, typename From>
To bitsAs(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To bits;
  std::memcpy(&bits, &value, sizeof(To));
  return bits;
}

// Between reals and integers of 32 or 64 bits.
absl::Status castBitsOfConstant(NodeEmitter& e, int from, int to) {
  using onnx::TensorProto;
  IR_ASSIGN_OR_RETURN(const Array x, e.constantInput(0));
  IR_ASSIGN_OR_RETURN(const ir::Element element, elementOf(to));
  Array y = Array::zeros(element, x.shape);
  for (int64_t i = 0; i < x.elements(); ++i) {
    if (from == TensorProto::FLOAT && to == TensorProto::INT32) {
      y.integers[i] = bitsAs<int32_t>(static_cast<float>(x.reals[i]));
    } else if (from == TensorProto::FLOAT && to == TensorProto::UINT32) {
      y.integers[i] = bitsAs<uint32_t>(static_cast<float>(x.reals[i]));
    } else if (from == TensorProto::DOUBLE && to == TensorProto::INT64) {
      y.integers[i] = bitsAs<int64_t>(x.reals[i]);
    } else if (from == TensorProto::INT32 && to == TensorProto::FLOAT) {
      y.reals[i] = bitsAs<float>(static_cast<int32_t>(x.integers[i]));
    } else if (from == TensorProto::UINT32 && to == TensorProto::FLOAT) {
      y.reals[i] = bitsAs<float>(static_cast<uint32_t>(x.integers[i]));
    } else if (from == TensorProto::INT64 && to == TensorProto::DOUBLE) {
      y.reals[i] = bitsAs<double>(x.integers[i]);
    } else {
      return absl::UnimplementedError("it takes the bits of one type as another, of these two");
    }
  }
  e.setOutput(0, e.constant(y));
  return absl::OkStatus();
}

// Of integers it wraps around.
absl::Status bitCast(NodeEmitter& e, llvm::StringRef) {
  const int from = e.onnxType(0), to = static_cast<int>(e.intAttr("to", 0));
  const std::optional<IntegerType> result = integerTypeOf(to);
  Value* x = e.input(0);
  const bool whole = x->type().element != ir::Element::kFloat;
  if (!whole || !result) return castBitsOfConstant(e, from, to);
  if (x->type().element == ir::Element::kBool)
    return e.emitOutput("tensor.cast", {x}, {{"to", std::string("int")}});
  e.setOutput(0, x);
  if (result->bits == 64) return absl::OkStatus();  // in two's complement, with or without a sign
  return e.emitOutput("tensor.wrap", {x}, {{"bits", result->bits}, {"signed", result->is_signed}});
}

// Whether there is an input is known.
absl::Status optionalHasElement(NodeEmitter& e, llvm::StringRef) {
  Array there = Array::zeros(ir::Element::kBool, {});
  there.integers[0] = e.has(0);
  e.setOutput(0, e.constant(there));
  return absl::OkStatus();
}

absl::Status optionalGetElement(NodeEmitter& e, llvm::StringRef) {
  e.setOutput(0, e.input(0));
  return absl::OkStatus();
}

constexpr NamedEmitter kEmitters[] = {
    {"BitCast", bitCast},
    {"MelWeightMatrix", melWeightMatrix},
    {"NonMaxSuppression", nonMaxSuppression},
    {"OptionalGetElement", optionalGetElement},
    {"OptionalHasElement", optionalHasElement},
    {"Unique", unique},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> constantEmitters() { return kEmitters; }

}  // namespace lindero::compiler
