// ONNX Resize: along each axis that changes, elements at other places (nearest), or a product with
// the constant matrix of what each place takes of them (linear, cubic).

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "compiler/onnx_import/old_opsets.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

constexpr char kCrop[] = "tf_crop_and_resize";
constexpr double kFarthest = 1 << 20;  // end of a region, in lengths of the axis

struct Axis {
  int64_t axis, size, places;
  float scale;
  double from = 0, to = 1;  // of tf_crop_and_resize: parts of the axis
};

absl::Status setScale(Axis& a, float scale) {
  const float places = std::floor(scale * static_cast<float>(a.size));
  if (!(scale > 0 && places >= 1 && places <= static_cast<float>(kMostNewElements)))
    return absl::InvalidArgumentError(absl::StrCat("axis ", a.axis, " has scale ", scale));
  a.scale = scale;
  a.places = static_cast<int64_t>(places);
  return absl::OkStatus();
}

absl::Status setPlaces(Axis& a, int64_t places) {
  if (places < 1 || places > kMostNewElements)
    return absl::InvalidArgumentError(absl::StrCat("axis ", a.axis, " becomes ", places));
  a.scale = static_cast<float>(places) / static_cast<float>(a.size);
  a.places = places;
  return absl::OkStatus();
}

// One scale for all axes, with which none becomes larger, or smaller, than said.
absl::Status keepRatio(const std::string& policy, std::vector<Axis>& axes) {
  if (policy == "stretch" || axes.empty()) return absl::OkStatus();
  if (policy != "not_larger" && policy != "not_smaller")
    return absl::InvalidArgumentError(absl::StrCat("keep_aspect_ratio_policy is ", policy));
  float scale = axes.front().scale;
  for (const Axis& a : axes)
    scale = policy == "not_larger" ? std::min(scale, a.scale) : std::max(scale, a.scale);
  for (Axis& a : axes) {
    const float places = std::floor(scale * static_cast<float>(a.size) + 0.5f);
    if (!(places >= 1 && places <= static_cast<float>(kMostNewElements)))
      return absl::InvalidArgumentError(absl::StrCat("axis ", a.axis, " becomes ", places));
    a.places = static_cast<int64_t>(places);
    a.scale = scale;
  }
  return absl::OkStatus();
}

// All starts, then all ends.
absl::Status setRegion(NodeEmitter& e, std::vector<Axis>& axes) {
  if (e.stringAttr("coordinate_transformation_mode", "") != kCrop) return absl::OkStatus();
  if (!e.has(1)) return absl::InvalidArgumentError("it has no region to crop (roi)");
  IR_ASSIGN_OR_RETURN(const Array region, e.constantInput(1));
  if (!region.isReal() || region.reals.size() != 2 * axes.size())
    return absl::InvalidArgumentError("its region does not fit its axes");
  if (!llvm::all_of(region.reals, [](double end) { return std::abs(end) <= kFarthest; }))
    return absl::InvalidArgumentError("its region is not finite, or far from the image");
  for (size_t i = 0; i < axes.size(); ++i) {
    axes[i].from = region.reals[i];
    axes[i].to = region.reals[i + axes.size()];
  }
  return absl::OkStatus();
}

// What the operands say of each axis: scales, of which a result has the whole places, or sizes.
absl::StatusOr<std::vector<Axis>> axesOf(NodeEmitter& e) {
  Ints axes(e.rank(0));
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = i;
  if (const auto given = e.intsAttr("axes")) {
    IR_ASSIGN_OR_RETURN(axes, e.axes(*given, e.rank(0)));
  }
  const bool scaled = e.has(2) && e.input(2)->type().elements() != 0;
  if (scaled == e.has(3)) return absl::InvalidArgumentError("it needs either scales or sizes");
  IR_ASSIGN_OR_RETURN(const Array given, e.constantInput(scaled ? 2 : 3));
  const size_t count = scaled ? given.reals.size() : given.integers.size();
  if (count != axes.size())
    return absl::InvalidArgumentError(absl::StrCat("it has ", count, scaled ? " scales" : " sizes",
                                                   " for ", axes.size(), " axes"));
  std::vector<Axis> list;
  for (size_t i = 0; i < count; ++i) {
    Axis a = {axes[i], e.shape(0)[axes[i]], 0, 1};
    if (a.size == 0) return absl::UnimplementedError(absl::StrCat("axis ", a.axis, " is empty"));
    IR_RETURN_IF_ERROR(scaled ? setScale(a, static_cast<float>(given.reals[i]))
                              : setPlaces(a, given.integers[i]));
    list.push_back(a);
  }
  IR_RETURN_IF_ERROR(setRegion(e, list));
  if (!scaled)
    IR_RETURN_IF_ERROR(keepRatio(e.stringAttr("keep_aspect_ratio_policy", "stretch"), list));
  Ints shape(e.shape(0).begin(), e.shape(0).end());
  for (const Axis& a : list) {  // one after the other
    shape[a.axis] = a.places;
    IR_RETURN_IF_ERROR(checkNewElements(shape));
  }
  return list;
}

// Where place i of the result lies among the elements, in single precision as runtimes have it.
float coordinate(const std::string& mode, const Axis& a, int64_t place) {
  const auto i = static_cast<float>(place);
  const auto size = static_cast<float>(a.size), places = static_cast<float>(a.places);
  if (mode == "asymmetric") return i / a.scale;
  if (mode == "align_corners") return a.places == 1 ? 0 : i * (size - 1) / (places - 1);
  if (mode == "pytorch_half_pixel" && a.places == 1) return 0;
  if (mode == kCrop) {
    const double last = double(a.size - 1), part = a.to - a.from;
    return static_cast<float>(a.places == 1 ? (a.from + a.to) / 2 * last
                                            : a.from * last + double(place) * part * last /
                                                                  double(a.places - 1));
  }
  const float centered = (i + 0.5f) / a.scale - 0.5f;
  if (mode != "half_pixel_symmetric") return centered;
  return size / 2 * (1 - places / (a.scale * size)) + centered;
}

int64_t nearest(const std::string& mode, float x, const Axis& a) {
  float at = std::floor(x);
  if (mode == "ceil" || (mode == kOldNearest && a.scale < 1)) at = std::ceil(x);
  if (mode == "round_prefer_floor") at = std::ceil(x - 0.5f);
  if (mode == "round_prefer_ceil") at = std::floor(x + 0.5f);
  return std::clamp<int64_t>(static_cast<int64_t>(at), 0, a.size - 1);
}

// What cubic interpolation takes of an element at a distance.
double cubic(double distance, double a) {
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((d - 5) * d + 8) * d * a - 4 * a : 0;
}

struct Taps {
  bool cubic;
  double a;              // of cubic interpolation
  bool exclude_outside;  // elements beyond the ends count nothing; else they are those at the ends
  bool antialias;        // an axis that becomes smaller is interpolated between more elements
  bool crop;             // what lies outside of the axis is none of its elements

  // [size, places]
  Array matrix(const std::string& mode, const Axis& axis) const {
    std::vector<double> taken(axis.size * axis.places);
    const double narrow = antialias ? std::min(1.0, double(axis.scale)) : 1;
    const auto reach = static_cast<int64_t>(std::ceil((cubic ? 2 : 1) / narrow));
    for (int64_t place = 0; place < axis.places; ++place) {
      const double x = coordinate(mode, axis, place), first = std::floor(x);
      if (isOutside(mode, axis, place)) continue;
      double sum = 0;
      for (int64_t tap = 1 - reach; tap <= reach; ++tap)
        sum += share(axis, first + double(tap), x, narrow);
      for (int64_t tap = 1 - reach; tap <= reach; ++tap) {
        const int64_t at = std::clamp<int64_t>(static_cast<int64_t>(first) + tap, 0, axis.size - 1);
        taken[at * axis.places + place] += share(axis, first + double(tap), x, narrow) / sum;
      }
    }
    return Array::real({axis.size, axis.places}, std::move(taken));
  }

  bool isOutside(const std::string& mode, const Axis& axis, int64_t place) const {
    const double x = coordinate(mode, axis, place);
    return crop && (x < 0 || x > double(axis.size - 1));
  }

 private:
  double share(const Axis& axis, double at, double x, double narrow) const {
    if (exclude_outside && (at < 0 || at >= static_cast<double>(axis.size))) return 0;
    const double distance = (x - at) * narrow;
    return cubic ? lindero::compiler::cubic(distance, a) : std::max(0.0, 1 - std::abs(distance));
  }
};

absl::StatusOr<Value*> multiplied(NodeEmitter& e, Value* x, int64_t axis, const Array& matrix) {
  Ints perm;
  const auto rank = static_cast<int64_t>(x->type().shape.size());
  for (int64_t i = 0; i < rank; ++i) perm.push_back(i);
  std::swap(perm[axis], perm.back());  // an exchange undoes itself
  IR_ASSIGN_OR_RETURN(x, e.transpose(x, perm));
  IR_ASSIGN_OR_RETURN(x, e.emit("tensor.matmul", {x, e.constant(matrix)}));
  return e.transpose(x, perm);
}

struct Modes {
  std::string mode, rounding, coordinates;
};

absl::Status checkKnown(const char* what, const std::string& mode,
                        llvm::ArrayRef<llvm::StringLiteral> known) {
  if (llvm::is_contained(known, llvm::StringRef(mode))) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " is ", mode));
}

absl::Status checkModes(NodeEmitter& e, const Modes& m, llvm::ArrayRef<Axis> axes) {
  IR_RETURN_IF_ERROR(checkKnown("mode", m.mode, {"nearest", "linear", "cubic"}));
  IR_RETURN_IF_ERROR(
      checkKnown("nearest_mode", m.rounding,
                 {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", kOldNearest}));
  IR_RETURN_IF_ERROR(checkKnown("coordinate_transformation_mode", m.coordinates,
                                {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
                                 "align_corners", "asymmetric", kCrop}));
  // The standard's examples and runtimes differ in where the last place then lies.
  const bool between = llvm::any_of(axes, [](const Axis& a) {
    return a.scale * static_cast<float>(a.size) != static_cast<float>(a.places);
  });
  if (m.coordinates == "align_corners" && between && !e.has(3))
    return absl::UnimplementedError("align_corners with scales that make no whole sizes");
  if ((m.mode != "nearest" || m.coordinates == kCrop) &&
      e.input(0)->type().element != ir::Element::kFloat)
    return absl::UnimplementedError("it interpolates integers");
  return absl::OkStatus();
}

// With the value of places outside of the axis.
absl::StatusOr<Value*> extrapolated(NodeEmitter& e, Value* x, const Taps& taps,
                                    const std::string& mode, const Axis& a) {
  Ints shape(x->type().shape.size(), 1);
  shape[a.axis] = a.places;
  Array outside = Array::zeros(ir::Element::kBool, shape);
  for (int64_t place = 0; place < a.places; ++place)
    outside.integers[place] = taps.isOutside(mode, a, place);
  if (!llvm::is_contained(outside.integers, 1)) return x;
  return e.emit("tensor.where",
                {e.constant(outside), e.scalar(e.floatAttr("extrapolation_value", 0)), x});
}

absl::Status resize(NodeEmitter& e, llvm::StringRef) {
  const Modes m = {e.stringAttr("mode", "nearest"),
                   e.stringAttr("nearest_mode", "round_prefer_floor"),
                   e.stringAttr("coordinate_transformation_mode", "half_pixel")};
  IR_ASSIGN_OR_RETURN(const std::vector<Axis> axes, axesOf(e));
  IR_RETURN_IF_ERROR(checkModes(e, m, axes));
  const Taps taps = {m.mode == "cubic", e.floatAttr("cubic_coeff_a", -0.75),
                     e.intAttr("exclude_outside", 0) != 0, e.intAttr("antialias", 0) != 0,
                     m.coordinates == kCrop};
  Value* x = e.input(0);
  for (const Axis& a : axes) {
    if (a.places == a.size && a.scale == 1 && a.from == 0 && a.to == 1) continue;
    if (m.mode == "nearest") {
      Ints indices;
      for (int64_t place = 0; place < a.places; ++place)
        indices.push_back(nearest(m.rounding, coordinate(m.coordinates, a, place), a));
      IR_ASSIGN_OR_RETURN(x, e.gather(x, a.axis, {a.places}, std::move(indices)));
    } else {
      IR_RETURN_IF_ERROR(checkNewElements({a.size, a.places}));
      IR_ASSIGN_OR_RETURN(x, multiplied(e, x, a.axis, taps.matrix(m.coordinates, a)));
    }
    IR_ASSIGN_OR_RETURN(x, extrapolated(e, x, taps, m.coordinates, a));
  }
  e.setOutput(0, x);
  return absl::OkStatus();
}

constexpr NamedEmitter kEmitters[] = {{"Resize", resize}};

}  // namespace

llvm::ArrayRef<NamedEmitter> resizeEmitters() { return kEmitters; }

}  // namespace lindero::compiler
