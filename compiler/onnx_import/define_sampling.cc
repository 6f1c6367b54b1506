#include "compiler/onnx_import/define_sampling.h"

#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::tensor::product;
using Ints = FunctionText::Ints;

// `name` = 1 - |distances|, or 0 where that is less.
void addHat(FunctionText& b, const std::string& name, const std::string& distances) {
  b.add(name, "_distance = Abs (", distances, ")");
  b.add(name, "_share = Sub (one, ", name, "_distance)");
  b.add(name, " = Relu (", name, "_share)");
}

// Keys' cubic with a = -0.75, of distances d: two pieces, by Horner.
void addCubic(FunctionText& b, const std::string& name, const std::string& distances) {
  const auto piece = [&](const char* part, std::initializer_list<double> coefficients) {
    std::string sum;
    int i = 0;
    for (double c : coefficients) {
      const std::string step = absl::StrCat(name, part, i);
      b.scalar(absl::StrCat(step, "_c"), c);
      if (i == 0) {
        sum = absl::StrCat(step, "_c");
      } else {
        b.add(step, "_p = Mul (", sum, ", ", name, "_d)");
        b.add(step, " = Add (", step, "_p, ", step, "_c)");
        sum = step;
      }
      ++i;
    }
    return sum;
  };
  b.add(name, "_d = Abs (", distances, ")");
  const std::string near = piece("_near", {1.25, -2.25, 0, 1}),
                    far = piece("_far", {-0.75, 3.75, -6, 3});
  b.scalar(name + "_two", 2);
  b.add(name, "_is_near = LessOrEqual (", name, "_d, one)");
  b.add(name, "_is_far = Less (", name, "_d, ", name, "_two)");
  b.add(name, "_outer = Where (", name, "_is_far, ", far, ", zero)");
  b.add(name, " = Where (", name, "_is_near, ", near, ", ", name, "_outer)");
}

struct Grid {
  bool align;           // -1 and 1 are the centers of the first and last element, else their ends
  std::string padding;  // zeros, border or reflection
  std::string mode;     // linear, nearest or cubic
};

// Places along an axis that grid coordinates mean.
void addPlaces(FunctionText& b, const Grid& grid, const std::string& name, int64_t size) {
  const double half = double(size - 1) / 2;
  b.scalar(name + "_a", grid.align ? half : double(size) / 2);
  b.scalar(name + "_b", half);
  b.add(name, "_scaled = Mul (", name, "_grid, ", name, "_a)");
  b.add(name, "_exact = Add (", name, "_scaled, ", name, "_b)");
  if (grid.mode == "nearest")
    b.add(name, "_raw = Round (", name, "_exact)");
  else
    b.add(name, "_raw = Identity (", name, "_exact)");
}

// As a wave between the first and last place.
void addReflection(FunctionText& b, const Grid& grid, const std::string& name, int64_t size) {
  const double low = grid.align ? 0 : -0.5, range = grid.align ? double(size - 1) : double(size);
  b.scalar(name + "_low", low);
  b.scalar(name + "_range", range);
  b.scalar(name + "_turn", 2 * range);
  b.add(name, "_from = Sub (", name, "_raw, ", name, "_low)");
  b.add(name, "_turns = Div (", name, "_from, ", name, "_turn)");
  b.add(name, "_whole = Floor (", name, "_turns)");
  b.add(name, "_done = Mul (", name, "_whole, ", name, "_turn)");
  b.add(name, "_rest = Sub (", name, "_from, ", name, "_done)");
  b.add(name, "_off = Sub (", name, "_rest, ", name, "_range)");
  b.add(name, "_size = Abs (", name, "_off)");
  b.add(name, "_back = Sub (", name, "_range, ", name, "_size)");
  b.add(name, "_inside = Add (", name, "_back, ", name, "_low)");
}

// The places that are read, once those outside have been moved.
void addPadding(FunctionText& b, const Grid& grid, const std::string& name, int64_t size) {
  b.scalar(name + "_first", 0);
  b.scalar(name + "_last", double(size - 1));
  const bool cubic = grid.mode == "cubic", reflected = grid.padding == "reflection" && size > 1;
  const std::string inside = name + (reflected ? "_inside" : "_raw");
  if (reflected) addReflection(b, grid, name, size);
  if (grid.padding == "zeros" || (cubic && reflected)) {
    b.add(name, " = Identity (", inside, ")");
  } else if (!cubic || size == 1) {
    b.add(name, " = Clip (", inside, ", ", name, "_first, ", name, "_last)");
  } else {  // what lies up to the ends of the border's elements stays
    b.scalar(name + "_least", grid.align ? 0 : -0.5);
    b.scalar(name + "_most", double(size) - (grid.align ? 1 : 0.5));
    b.add(name, "_ends = Clip (", inside, ", ", name, "_first, ", name, "_last)");
    b.add(name, "_before = Less (", inside, ", ", name, "_least)");
    b.add(name, "_after = Greater (", inside, ", ", name, "_most)");
    b.add(name, "_outside = Or (", name, "_before, ", name, "_after)");
    b.add(name, " = Where (", name, "_outside, ", name, "_ends, ", inside, ")");
  }
}

// Which element the tap at `t` reads: none (-1), or one from the border on.
int64_t elementAt(const Grid& grid, int64_t t, int64_t size) {
  if (t >= 0 && t < size) return t;
  if (grid.padding == "zeros") return -1;
  if (grid.padding == "border" || size == 1) return t < 0 ? 0 : size - 1;
  const int64_t before = grid.align ? -t : -t - 1,
                after = grid.align ? 2 * (size - 1) - t : 2 * size - 1 - t;
  return std::clamp<int64_t>(t < 0 ? before : after, 0, size - 1);
}

// `name`_shares: what each element counts at each place.
void addShares(FunctionText& b, const Grid& grid, const std::string& name, int64_t size) {
  const bool cubic = grid.mode == "cubic";
  const int64_t first = cubic ? -2 : 0, taps = cubic ? size + 4 : size;
  std::vector<double> list;
  for (int64_t t = 0; t < taps; ++t) list.push_back(double(first + t));
  b.reals(name + "_taps", list);
  b.add(name, "_distances = Sub (", name, ", ", name, "_taps)");
  if (!cubic) return addHat(b, name + "_shares", name + "_distances");
  addCubic(b, name + "_cubic", name + "_distances");
  std::vector<double> fold(taps * size, 0);
  for (int64_t t = 0; t < taps; ++t) {
    const int64_t element = elementAt(grid, first + t, size);
    if (element >= 0) fold[t * size + element] = 1;
  }
  b.reals(name + "_fold_list", fold);
  b.ints(name + "_fold_shape", {taps, size});
  b.add(name, "_fold = Reshape (", name, "_fold_list, ", name, "_fold_shape)");
  b.add(name, "_shares = MatMul (", name, "_cubic, ", name, "_fold)");
}

// The shares of elements of two axes, in one axis: [..., a] and [..., c] give [..., a c].
void addProduct(FunctionText& b, const std::string& name, const std::string& outer,
                const std::string& inner, const Ints& places, int64_t a, int64_t c) {
  const auto shaped = [&](const char* part, const std::string& of, Ints last) {
    Ints shape = places;
    shape.insert(shape.end(), last.begin(), last.end());
    b.ints(name + part + "_shape", shape);
    b.add(name, part, " = Reshape (", of, ", ", name, part, "_shape)");
  };
  shaped("_outer", outer, {a, 1});
  shaped("_inner", inner, {1, c});
  b.add(name, "_both = Mul (", name, "_outer, ", name, "_inner)");
  Ints shape = places;
  shape.push_back(a * c);
  b.ints(name + "_shape", shape);
  b.add(name, " = Reshape (", name, "_both, ", name, "_shape)");
}

absl::Status checkGrid(const FunctionText& b, const Grid& grid) {
  if (b.rank(0) < 3 || b.rank(0) != b.rank(1) || b.shape(0)[0] != b.shape(1)[0] ||
      b.shape(1).back() != int64_t(b.rank(0)) - 2)
    return absl::InvalidArgumentError("its grid does not fit its image");
  for (int64_t size : b.shape(0).drop_front(2))
    if (size == 0) return absl::UnimplementedError("it samples an image without elements");
  const auto known = [](const std::string& word, llvm::ArrayRef<llvm::StringLiteral> words) {
    return llvm::is_contained(words, llvm::StringRef(word));
  };
  if (known(grid.mode, {"linear", "nearest", "cubic"}) &&
      known(grid.padding, {"zeros", "border", "reflection"}))
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("mode is ", grid.mode, ", padding_mode is ", grid.padding));
}

}  // namespace

absl::Status writeGridSample(FunctionText& b) {
  Grid grid = {b.intAttr("align_corners", 0) != 0, b.stringAttr("padding_mode", "zeros"),
               b.stringAttr("mode", "linear")};
  if (grid.mode == "bilinear") grid.mode = "linear";
  if (grid.mode == "bicubic") grid.mode = "cubic";
  IR_RETURN_IF_ERROR(checkGrid(b, grid));
  const llvm::ArrayRef<int64_t> sizes = b.shape(0).drop_front(2),
                                outer = b.shape(1).drop_front().drop_back();
  const int64_t batch = b.shape(0)[0], channels = b.shape(0)[1], places = product(outer);
  IR_RETURN_IF_ERROR(checkNewElements({batch, places, product(sizes) + 4}));
  const auto axes = static_cast<int64_t>(sizes.size());
  b.scalar("one", 1);
  b.scalar("zero", 0);
  b.ints("rows", {batch, places, axes});
  b.add("grid = Reshape (i1, rows)");
  std::string shares;
  int64_t elements = 1;
  for (int64_t axis = 0; axis < axes; ++axis) {
    const std::string name = absl::StrCat("axis", axis);
    b.columns(name + "_grid", "grid", axes - 1 - axis, 1);
    addPlaces(b, grid, name, sizes[axis]);
    addPadding(b, grid, name, sizes[axis]);
    addShares(b, grid, name, sizes[axis]);
    if (axis == 0) {
      shares = name + "_shares";
    } else {
      const std::string all = name + "_all";
      addProduct(b, all, shares, name + "_shares", {batch, places}, elements, sizes[axis]);
      shares = all;
    }
    elements *= sizes[axis];
  }
  b.ints("flat", {batch, channels, elements});
  Ints shape = {batch, channels};
  shape.insert(shape.end(), outer.begin(), outer.end());
  b.ints("shape", shape);
  b.add("image = Reshape (i0, flat)");
  b.add("turned = Transpose <perm = [0, 2, 1]> (", shares, ")");
  b.add("samples = MatMul (image, turned)");
  b.add("o0 = Reshape (samples, shape)");
  return absl::OkStatus();
}

namespace {

struct DeformedConvolution {
  int64_t batch, inputs, outputs, groups, offsets, taps, places;
  Ints image, kernel, result, pads, strides, dilations;
};

absl::StatusOr<Ints> listOf(const FunctionText& b, const char* name, size_t count, int64_t least) {
  Ints list = b.intsAttr(name);
  if (list.empty()) list.assign(count, least);
  if (list.size() == count &&
      llvm::all_of(list, [&](int64_t x) { return x >= least && x <= kMostNewElements; }))
    return list;
  return absl::InvalidArgumentError(absl::StrCat("its ", name, " do not fit its weight"));
}

absl::StatusOr<DeformedConvolution> convolutionOf(const FunctionText& b) {
  if (b.rank(0) != 4 || b.rank(1) != 4 || b.rank(2) != 4)
    return absl::UnimplementedError("its image, weight or offset is not of rank 4");
  DeformedConvolution c = {};
  c.batch = b.shape(0)[0], c.inputs = b.shape(0)[1], c.outputs = b.shape(1)[0];
  c.groups = b.intAttr("group", 1), c.offsets = b.intAttr("offset_group", 1);
  c.image = b.shape(0).drop_front(2).vec();
  c.kernel = b.shape(1).drop_front(2).vec();
  c.result = b.shape(2).drop_front(2).vec();
  c.taps = product(c.kernel), c.places = product(c.result);
  IR_ASSIGN_OR_RETURN(c.pads, listOf(b, "pads", 4, 0));
  IR_ASSIGN_OR_RETURN(c.strides, listOf(b, "strides", 2, 1));
  IR_ASSIGN_OR_RETURN(c.dilations, listOf(b, "dilations", 2, 1));
  const bool fits = c.groups >= 1 && c.offsets >= 1 && c.groups <= c.inputs &&
                    c.offsets <= c.inputs && c.inputs % c.offsets == 0 &&
                    c.outputs % c.groups == 0 && b.shape(1)[1] * c.groups == c.inputs &&
                    b.shape(2)[0] == c.batch && b.shape(2)[1] == c.offsets * c.taps * 2 &&
                    product(c.image) > 0 && c.places > 0;
  if (!fits) return absl::InvalidArgumentError("its weight, offset and groups do not fit");
  IR_RETURN_IF_ERROR(checkNewElements({c.batch, c.offsets, c.taps, c.places, product(c.image)}));
  return c;
}

// Where the taps lie along an axis, [batch, offset groups, taps places, 1]: where they lay without
// offset, and the offset.
void addTaps(FunctionText& b, const DeformedConvolution& c, int64_t axis, const std::string& name) {
  std::vector<double> base;
  for (int64_t tap = 0; tap < c.taps; ++tap) {
    for (int64_t place = 0; place < c.places; ++place) {
      const int64_t k = axis == 0 ? tap / c.kernel[1] : tap % c.kernel[1],
                    o = axis == 0 ? place / c.result[1] : place % c.result[1];
      base.push_back(double(o * c.strides[axis] - c.pads[axis] + k * c.dilations[axis]));
    }
  }
  b.reals(name + "_base_list", base);
  b.ints(name + "_base_shape", {c.taps * c.places, 1});
  b.add(name, "_base = Reshape (", name, "_base_list, ", name, "_base_shape)");
  b.scalarInt(name + "_index", axis);
  b.add(name, "_moved = Gather <axis = 3> (offsets, ", name, "_index)");
  b.ints(name + "_moved_shape", {c.batch, c.offsets, c.taps * c.places, 1});
  b.add(name, "_flat = Reshape (", name, "_moved, ", name, "_moved_shape)");
  b.add(name, " = Add (", name, "_flat, ", name, "_base)");
}

}  // namespace

absl::Status writeDeformConv(FunctionText& b) {
  IR_ASSIGN_OR_RETURN(const DeformedConvolution c, convolutionOf(b));
  const Grid grid = {true, "zeros", "linear"};
  b.scalar("one", 1);
  b.ints("offsets_shape", {c.batch, c.offsets, c.taps, 2, c.places});
  b.add("offsets = Reshape (i2, offsets_shape)");
  for (int64_t axis : {0, 1}) {
    addTaps(b, c, axis, absl::StrCat("axis", axis));
    addShares(b, grid, absl::StrCat("axis", axis), c.image[axis]);
  }
  addProduct(b, "shares", "axis0_shares", "axis1_shares", {c.batch, c.offsets, c.taps * c.places},
             c.image[0], c.image[1]);
  b.ints("image_shape", {c.batch, c.offsets, c.inputs / c.offsets, product(c.image)});
  b.add("image = Reshape (i0, image_shape)");
  b.add("turned = Transpose <perm = [0, 1, 3, 2]> (shares)");
  b.add("sampled = MatMul (image, turned)");
  if (b.has(4)) {
    b.ints("mask_shape", {c.batch, c.offsets, 1, c.taps * c.places});
    b.add("mask = Reshape (i4, mask_shape)");
  }
  b.add("samples = ", b.has(4) ? "Mul (sampled, mask)" : "Identity (sampled)");
  const int64_t width = c.inputs / c.groups * c.taps;
  b.ints("patches_shape", {c.batch, c.groups, width, c.places});
  b.ints("weight_shape", {c.groups, c.outputs / c.groups, width});
  Ints shape = {c.batch, c.outputs};
  shape.insert(shape.end(), c.result.begin(), c.result.end());
  b.ints("shape", shape);
  b.add("patches = Reshape (samples, patches_shape)");
  b.add("weight = Reshape (i1, weight_shape)");
  b.add("products = MatMul (weight, patches)");
  b.add("sums = Reshape (products, shape)");
  if (b.has(3)) {
    b.ints("bias_shape", {1, c.outputs, 1, 1});
    b.add("bias = Reshape (i3, bias_shape)");
  }
  b.add("o0 = ", b.has(3) ? "Add (sums, bias)" : "Identity (sums)");
  return absl::OkStatus();
}

}  // namespace lindero::compiler
