// ONNX ops that sum up parts of images: blocks that overlap (Col2Im), and samples in regions that
// are known when compiling (RoiAlign).

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using ir::tensor::product;
using Ints = std::vector<int64_t>;

Ints indexOf(int64_t place, llvm::ArrayRef<int64_t> sizes) {
  Ints index(sizes.size());
  for (size_t axis = sizes.size(); axis-- > 0; place /= sizes[axis])
    index[axis] = place % sizes[axis];
  return index;
}

absl::StatusOr<Ints> listOr(NodeEmitter& e, const char* name, size_t count, int64_t least) {
  const Ints list = e.intsAttr(name).value_or(Ints(count, least));
  const bool fits = list.size() == count && llvm::all_of(list, [&](int64_t x) {
                      return x >= least && x <= kMostNewElements;
                    });
  if (fits) return list;
  return absl::InvalidArgumentError(absl::StrCat("its ", name, " do not fit its image"));
}

struct Blocks {
  Ints image, kernel, strides, dilations, pads, counts;

  // Which element of the flattened image a tap of a block lies on; -1 outside.
  int64_t elementOf(int64_t tap, int64_t block) const {
    const Ints at = indexOf(tap, kernel), origin = indexOf(block, counts);
    int64_t element = 0;
    for (size_t axis = 0; axis < image.size(); ++axis) {
      const int64_t x = origin[axis] * strides[axis] - pads[axis] + at[axis] * dilations[axis];
      if (x < 0 || x >= image[axis]) return -1;
      element = element * image[axis] + x;
    }
    return element;
  }
};

absl::StatusOr<Blocks> blocksOf(NodeEmitter& e) {
  Blocks b;
  IR_ASSIGN_OR_RETURN(b.image, e.constantInts(1));
  IR_ASSIGN_OR_RETURN(b.kernel, e.constantInts(2));
  const size_t axes = b.image.size();
  IR_ASSIGN_OR_RETURN(b.strides, listOr(e, "strides", axes, 1));
  IR_ASSIGN_OR_RETURN(b.dilations, listOr(e, "dilations", axes, 1));
  IR_ASSIGN_OR_RETURN(b.pads, listOr(e, "pads", 2 * axes, 0));
  IR_RETURN_IF_ERROR(checkNewElements(b.image));
  IR_RETURN_IF_ERROR(checkNewElements(b.kernel));
  if (axes == 0 || b.kernel.size() != axes || e.rank(0) != 3 || product(b.kernel) == 0 ||
      e.shape(0)[1] % product(b.kernel) != 0)
    return absl::InvalidArgumentError("its blocks do not fit its input");
  for (size_t i = 0; i < axes; ++i) {
    const int64_t room =
        b.image[i] + b.pads[i] + b.pads[i + axes] - b.dilations[i] * (b.kernel[i] - 1) - 1;
    b.counts.push_back(room < 0 ? 0 : room / b.strides[i] + 1);
  }
  if (product(b.counts) != e.shape(0)[2])
    return absl::InvalidArgumentError(
        "it has another number of blocks than its image has room for");
  return b;
}

// Each element of the image is the sum of what blocks have there: as many gathered, some of them
// zero.
absl::Status col2Im(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Blocks b, blocksOf(e));
  const int64_t taps = product(b.kernel), blocks = e.shape(0)[2], pixels = product(b.image),
                batch = e.shape(0)[0], channels = e.shape(0)[1] / taps;
  std::vector<Ints> sources(pixels);
  size_t most = 1;
  for (int64_t i = 0; i < taps * blocks; ++i) {
    const int64_t element = b.elementOf(i / blocks, i % blocks);
    if (element < 0) continue;
    sources[element].push_back(i);
    most = std::max(most, sources[element].size());
  }
  const auto width = static_cast<int64_t>(most);
  IR_RETURN_IF_ERROR(checkNewElements({batch, channels, pixels, width}));
  Ints indices;
  for (Ints& list : sources) {
    list.resize(most, taps * blocks);
    indices.insert(indices.end(), list.begin(), list.end());
  }
  IR_ASSIGN_OR_RETURN(Value * x, e.reshape(e.input(0), {batch, channels, taps * blocks}));
  Value* zero = e.constant(Array::zeros(x->type().element, {batch, channels, 1}));
  IR_ASSIGN_OR_RETURN(x, e.emit("tensor.concat", {x, zero}, {{"axis", int64_t{2}}}));
  IR_ASSIGN_OR_RETURN(x, e.gather(x, 2, {pixels, width}, std::move(indices)));
  IR_ASSIGN_OR_RETURN(x,
                      e.emit("tensor.reduce_sum", {x}, {{"axes", Ints{3}}, {"keepdims", false}}));
  Ints shape = {batch, channels};
  shape.insert(shape.end(), b.image.begin(), b.image.end());
  IR_ASSIGN_OR_RETURN(x, e.reshape(x, shape));
  e.setOutput(0, x);
  return absl::OkStatus();
}

// The two elements along an axis that a sample lies between, and what each counts.
struct Between {
  int64_t low = 0, high = 0;
  double of_low = 0, of_high = 0;
};

Between betweenOf(double x, int64_t size) {
  if (x < -1 || x > double(size)) return {};
  x = std::max(x, 0.0);
  const int64_t low = ir::tensor::toInteger(x);
  if (low >= size - 1) return {size - 1, size - 1, 1, 0};
  return {low, low + 1, double(low + 1) - x, x - double(low)};
}

struct RegionAxis {
  double start, bin;
  int64_t samples;  // of a bin

  double at(int64_t place, int64_t sample) const {
    return start + double(place) * bin + (double(sample) + 0.5) * bin / double(samples);
  }
};

RegionAxis regionAxis(NodeEmitter& e, double from, double to, int64_t places) {
  const double scale = e.floatAttr("spatial_scale", 1);
  const bool half = e.stringAttr("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  const double start = from * scale - (half ? 0.5 : 0);
  double extent = to * scale - (half ? 0.5 : 0) - start;
  if (!half) extent = std::max(extent, 1.0);
  const int64_t ratio = e.intAttr("sampling_ratio", 0);
  const double bin = extent / double(places);
  return {start, bin, ratio > 0 ? ratio : ir::tensor::toInteger(std::ceil(bin))};
}

struct Samples {
  Ints elements;  // of the flattened images [batch, height, width]
  std::vector<double> shares;
  int64_t count = 0;  // that is averaged
};

// Four elements for each sample of a bin; all zero where it lies outside.
Samples samplesOf(const RegionAxis& y, const RegionAxis& x, int64_t row, int64_t column,
                  int64_t height, int64_t width, int64_t first) {
  Samples s;
  s.count = std::max<int64_t>(y.samples * x.samples, 1);
  for (int64_t i = 0; i < y.samples; ++i) {
    for (int64_t j = 0; j < x.samples; ++j) {
      const Between v = betweenOf(y.at(row, i), height), h = betweenOf(x.at(column, j), width);
      for (const auto& [at, share] : {std::pair(v.low, v.of_low), std::pair(v.high, v.of_high)}) {
        s.elements.insert(s.elements.end(),
                          {first + at * width + h.low, first + at * width + h.high});
        s.shares.insert(s.shares.end(), {share * h.of_low, share * h.of_high});
      }
    }
  }
  return s;
}

// [regions, channels, bins] from samples of each bin, their mean or their greatest.
absl::Status roiAlign(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Array rois, e.constantInput(1));
  IR_ASSIGN_OR_RETURN(const Ints batches, e.constantInts(2));
  const int64_t rows = e.intAttr("output_height", 1), columns = e.intAttr("output_width", 1);
  const bool average = e.stringAttr("mode", "avg") == "avg";
  if (e.rank(0) != 4 || rois.rank() != 2 || rois.shape[1] != 4 ||
      int64_t(batches.size()) != rois.shape[0] || rows < 1 || columns < 1 ||
      rows > kMostNewElements || columns > kMostNewElements)
    return absl::InvalidArgumentError("its regions do not fit its image");
  const auto image = e.shape(0);
  const int64_t channels = image[1], pixels = image[2] * image[3], regions = rois.shape[0];
  IR_RETURN_IF_ERROR(checkNewElements({regions, channels, rows, columns}));
  std::vector<Samples> all;
  size_t most = 1;
  int64_t total = 0;
  for (int64_t r = 0; r < regions; ++r) {
    if (batches[r] < 0 || batches[r] >= image[0])
      return absl::InvalidArgumentError("a region is of a batch that there is not");
    const double* roi = rois.reals.data() + 4 * r;
    const RegionAxis x = regionAxis(e, roi[0], roi[2], columns),
                     y = regionAxis(e, roi[1], roi[3], rows);
    const int64_t across = std::max<int64_t>(x.samples, 0), down = std::max<int64_t>(y.samples, 0);
    IR_RETURN_IF_ERROR(checkNewElements({4, across, down, rows, columns}));
    total += 4 * across * down * rows * columns;
    if (total > kMostNewElements)
      return absl::InvalidArgumentError("its regions have too many samples");
    for (int64_t bin = 0; bin < rows * columns; ++bin) {
      all.push_back(
          samplesOf(y, x, bin / columns, bin % columns, image[2], image[3], batches[r] * pixels));
      most = std::max(most, all.back().elements.size());
    }
  }
  const auto width = static_cast<int64_t>(most), bins = rows * columns;
  IR_RETURN_IF_ERROR(checkNewElements({channels, regions, bins, width}));
  Ints elements;
  std::vector<double> shares;
  for (Samples& s : all) {
    for (double& share : s.shares) share /= average ? double(s.count) : 1;
    s.elements.resize(most, s.elements.empty() ? 0 : s.elements.front());
    // What is there twice changes no maximum.
    s.shares.resize(most, average || s.shares.empty() ? 0 : s.shares.front());
    elements.insert(elements.end(), s.elements.begin(), s.elements.end());
    shares.insert(shares.end(), s.shares.begin(), s.shares.end());
  }
  IR_ASSIGN_OR_RETURN(Value * y, e.transpose(e.input(0), {1, 0, 2, 3}));
  IR_ASSIGN_OR_RETURN(y, e.reshape(y, {channels, image[0] * pixels}));
  IR_ASSIGN_OR_RETURN(y, e.gather(y, 1, {regions, bins, width}, std::move(elements)));
  Value* weights = e.constant(Array::real({regions, bins, width}, std::move(shares)));
  IR_ASSIGN_OR_RETURN(y, e.emit("tensor.mul", {y, weights}));
  IR_ASSIGN_OR_RETURN(y, e.emit(average ? "tensor.reduce_sum" : "tensor.reduce_max", {y},
                                {{"axes", Ints{3}}, {"keepdims", false}}));
  IR_ASSIGN_OR_RETURN(y, e.transpose(y, {1, 0, 2}));
  IR_ASSIGN_OR_RETURN(y, e.reshape(y, {regions, channels, rows, columns}));
  e.setOutput(0, y);
  return absl::OkStatus();
}

// Coordinates from -1 to 1 along each axis, the last axis first, then 1; multiplied with theta.
absl::Status affineGrid(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Ints size, e.constantInts(1));
  const auto axes = static_cast<int64_t>(size.size()) - 2;
  if (axes < 2 || axes > 3 || e.rank(0) != 3 || e.shape(0)[0] != size[0] || e.shape(0)[1] != axes ||
      e.shape(0)[2] != axes + 1)
    return absl::InvalidArgumentError("its theta does not fit its size");
  const Ints image(size.begin() + 2, size.end());
  Ints shape = image;
  shape.insert(shape.begin(), size[0]);
  shape.push_back(axes + 1);
  IR_RETURN_IF_ERROR(checkNewElements(shape));
  shape.back() = axes;
  const bool align = e.intAttr("align_corners", 0) != 0;
  std::vector<double> grid;
  for (int64_t place = 0; place < product(image); ++place) {
    const Ints index = indexOf(place, image);
    for (size_t axis = image.size(); axis-- > 0;) {
      const auto at = static_cast<double>(index[axis]), count = static_cast<double>(image[axis]);
      const double steps = align ? std::max(count - 1, 1.0) : count;
      grid.push_back(-1 + (2 * at + (align ? 0 : 1)) / steps);
    }
    grid.push_back(1);
  }
  Value* base = e.constant(Array::real({product(image), axes + 1}, std::move(grid)));
  IR_ASSIGN_OR_RETURN(Value * theta, e.transpose(e.input(0), {0, 2, 1}));
  IR_ASSIGN_OR_RETURN(Value * y, e.emit("tensor.matmul", {base, theta}));
  IR_ASSIGN_OR_RETURN(y, e.reshape(y, shape));
  e.setOutput(0, y);
  return absl::OkStatus();
}

constexpr NamedEmitter kEmitters[] = {
    {"AffineGrid", affineGrid}, {"Col2Im", col2Im}, {"RoiAlign", roiAlign}};

}  // namespace

llvm::ArrayRef<NamedEmitter> regionEmitters() { return kEmitters; }

}  // namespace lindero::compiler
