#include "compiler/onnx_import/define_scatter.h"

#include <map>
#include <numeric>

#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::tensor::product;
using Ints = FunctionText::Ints;

// Of a determinant: one more has twice the minors.
constexpr int64_t kMostRows = 6;

}  // namespace

// What was pooled goes back to where it was found. A larger result has zeros after it.
absl::Status writeMaxUnpool(FunctionText& b) {
  const size_t axes = b.rank(0) < 3 ? 0 : b.rank(0) - 2;
  const Ints kernel = b.intsAttr("kernel_shape");
  Ints strides = b.intsAttr("strides"), pads = b.intsAttr("pads");
  if (strides.empty()) strides.assign(axes, 1);
  if (pads.empty()) pads.assign(2 * axes, 0);
  if (axes == 0 || kernel.size() != axes || strides.size() != axes || pads.size() != 2 * axes)
    return absl::InvalidArgumentError("its kernel, strides or pads do not fit its input");
  Ints shape = b.shape(0).take_front(2).vec();
  for (size_t i = 0; i < axes; ++i) {
    for (int64_t value : {kernel[i], strides[i], pads[i], pads[i + axes]})
      if (std::abs(value) > kMostNewElements)
        return absl::InvalidArgumentError("its kernel, strides or pads are too large");
    shape.push_back((b.shape(0)[2 + i] - 1) * strides[i] - pads[i] - pads[i + axes] + kernel[i]);
  }
  IR_RETURN_IF_ERROR(checkNewElements(shape));
  b.ints("list", {-1});
  b.ints("size", {product(shape)});
  b.ints("pooled_shape", shape);
  b.add("flat = Reshape (i0, list)");
  b.add("indices = Reshape (i1, list)");
  b.add("nothing = ConstantOfShape (size)");
  b.add("scattered = ScatterElements (nothing, indices, flat)");
  b.add("pooled = Reshape (scattered, pooled_shape)");
  if (!b.has(2)) {
    b.add("o0 = Identity (pooled)");
    return absl::OkStatus();
  }
  b.ints("before", Ints(axes + 2, 0));
  b.add("after = Sub (i2, pooled_shape)");
  b.add("both = Concat <axis = 0> (before, after)");
  b.add("o0 = Pad (pooled, both)");
  return absl::OkStatus();
}

// Rows of an axis are replaced from an index on that each batch has, in a circle if so said.
absl::Status writeTensorScatter(FunctionText& b) {
  const auto rank = static_cast<int64_t>(b.rank(0));
  int64_t axis = b.intAttr("axis", -2);
  axis = axis < 0 ? axis + rank : axis;
  if (rank < 2 || axis < 1 || axis >= rank || int64_t(b.rank(1)) != rank)
    return absl::InvalidArgumentError("its axis or its update does not fit its cache");
  const std::string mode = b.stringAttr("mode", "linear");
  if (mode != "linear" && mode != "circular")
    return absl::InvalidArgumentError(absl::StrCat("mode is ", mode));
  Ints batches(rank, 1), steps(rank, 1);
  batches[0] = b.shape(0)[0];
  steps[axis] = b.shape(1)[axis];
  b.counting("order", steps[axis]);
  b.ints("steps", steps);
  b.ints("shape", b.shape(1).vec());
  b.add("places = Reshape (order, steps)");
  std::string places = "places";
  if (b.has(2)) {
    b.ints("batches", batches);
    b.add("starts = Reshape (i2, batches)");
    b.add("moved = Add (starts, places)");
    places = "moved";
  }
  if (mode == "circular") {
    b.scalarInt("length", b.shape(0)[axis]);
    b.add("turned = Mod (", places, ", length)");
    places = "turned";
  }
  b.add("indices = Expand (", places, ", shape)");
  b.add("o0 = ScatterElements <axis = ", axis, "> (i0, indices, i1)");
  return absl::OkStatus();
}

namespace {

// Names of minors: of the rows from a number on, of these columns.
using Minors = std::map<Ints, std::string>;

// Along the first row.
std::string addMinor(FunctionText& b, int64_t size, const Ints& columns, Minors& known) {
  const int64_t row = size - int64_t(columns.size());
  const auto element = [&](int64_t column) { return absl::StrCat("element", row * size + column); };
  if (columns.size() == 1) return element(columns[0]);
  if (const auto it = known.find(columns); it != known.end()) return it->second;
  const std::string name = absl::StrCat("minor", known.size());
  known[columns] = name;
  std::string so_far;
  for (size_t i = 0; i < columns.size(); ++i) {
    Ints others = columns;
    others.erase(others.begin() + int64_t(i));
    const std::string minor = addMinor(b, size, others, known);
    const std::string term = absl::StrCat(name, "_", i);
    b.add(term, "_product = Mul (", element(columns[i]), ", ", minor, ")");
    const char* op = i % 2 ? "Sub (" : "Add (";
    b.add(term, " = ", so_far.empty() ? "Identity (" : absl::StrCat(op, so_far, ", "), term,
          "_product)");
    so_far = term;
  }
  return known[columns] = so_far;
}

}  // namespace

absl::Status writeDet(FunctionText& b) {
  if (b.rank(0) < 2 || b.shape(0).back() != b.shape(0)[b.rank(0) - 2])
    return absl::InvalidArgumentError("its input is no square matrix");
  const int64_t size = b.shape(0).back();
  if (size < 1 || size > kMostRows) {
    return absl::UnimplementedError(
        absl::StrCat("a determinant of ", size, " rows: 1 to ", kMostRows, " are supported"));
  }
  const Ints outer = b.shape(0).drop_back(2).vec();
  b.ints("flat_shape", {product(outer), size * size});
  b.add("flat = Reshape (i0, flat_shape)");
  for (int64_t i = 0; i < size * size; ++i) b.columns(absl::StrCat("element", i), "flat", i, 1);
  Ints columns(size);
  std::iota(columns.begin(), columns.end(), 0);
  Minors known;
  const std::string value = addMinor(b, size, columns, known);
  if (outer.empty()) {
    b.add("o0 = Squeeze (", value, ")");
    return absl::OkStatus();
  }
  b.ints("shape", outer);
  b.add("o0 = Reshape (", value, ", shape)");
  return absl::OkStatus();
}

}  // namespace lindero::compiler
