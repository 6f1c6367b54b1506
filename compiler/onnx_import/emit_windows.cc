// ONNX ops over windows of pixels: convolutions as products of patches with weights, pools as means
// or maxima of patches. Any number of spatial axes.

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using ir::tensor::product;
using Ints = std::vector<int64_t>;

// Along one axis, place o of the result sees elements o stride - before + q dilation, 0 <= q <
// kernel; those outside of the axis are padding.
struct Window {
  int64_t size, kernel, stride, dilation, before, after, places;
};

bool overlaps(const Window& w) {
  return w.stride != w.kernel || w.dilation != 1 || w.before != 0 || w.after != 0;
}

// An attribute that is a list of `count` integers, at least `least` each.
absl::StatusOr<Ints> listAttr(NodeEmitter& e, const char* name, size_t count, int64_t least) {
  const Ints list = e.intsAttr(name).value_or(Ints(count, least));
  if (list.size() != count)
    return absl::InvalidArgumentError(
        absl::StrCat(name, " has ", list.size(), " elements, not ", count));
  for (int64_t value : list) {
    if (value < least || value > kMostNewElements)
      return absl::InvalidArgumentError(absl::StrCat(name, " has an element ", value));
  }
  return list;
}

// Sets the padding of auto_pad, and the places.
absl::Status placeWindow(NodeEmitter& e, const std::string& auto_pad, Window& w) {
  const int64_t reach = (w.kernel - 1) * w.dilation + 1;
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    const int64_t places = (w.size + w.stride - 1) / w.stride;
    const int64_t total = std::max<int64_t>(0, (places - 1) * w.stride + reach - w.size);
    w.before = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    w.after = total - w.before;
  } else if (auto_pad != "NOTSET" && auto_pad != "VALID") {
    return absl::InvalidArgumentError(absl::StrCat("auto_pad is ", auto_pad));
  }
  const int64_t room = w.size + w.before + w.after - reach;
  // Rounded up, one window may reach beyond the padding from the beginning on.
  const bool only = e.intAttr("ceil_mode", 0) != 0 && room < 0 && -room < w.stride;
  if (room < 0 && !only)
    return absl::InvalidArgumentError("a window is larger than what it is moved over");
  w.places = room / w.stride + 1;
  if (only) return absl::OkStatus();
  // One more that reaches beyond the padding, if it begins before the padding does.
  const bool rest = e.intAttr("ceil_mode", 0) && room % w.stride != 0;
  if (rest && w.places * w.stride < w.size + w.before) ++w.places;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Window>> windowsOf(NodeEmitter& e, llvm::ArrayRef<int64_t> kernel) {
  const size_t count = kernel.size();
  IR_ASSIGN_OR_RETURN(const Ints strides, listAttr(e, "strides", count, 1));
  IR_ASSIGN_OR_RETURN(const Ints dilations, listAttr(e, "dilations", count, 1));
  IR_ASSIGN_OR_RETURN(const Ints pads, listAttr(e, "pads", 2 * count, 0));
  const std::string auto_pad = e.stringAttr("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && llvm::any_of(pads, [](int64_t pad) { return pad != 0; }))
    return absl::InvalidArgumentError("it has both auto_pad and pads");
  std::vector<Window> windows;
  for (size_t i = 0; i < count; ++i) {
    Window w = {e.shape(0)[2 + i], kernel[i], strides[i], dilations[i], 0, 0, 0};
    if (w.kernel < 1 || w.kernel > kMostNewElements)
      return absl::InvalidArgumentError(absl::StrCat("a kernel has size ", w.kernel));
    if (auto_pad == "NOTSET") w.before = pads[i], w.after = pads[i + count];
    IR_RETURN_IF_ERROR(placeWindow(e, auto_pad, w));
    windows.push_back(w);
  }
  return windows;
}

// Counts up an index of these sizes, the last axis first.
void next(Ints& index, llvm::ArrayRef<int64_t> sizes) {
  for (size_t axis = sizes.size(); axis-- > 0;) {
    if (++index[axis] < sizes[axis]) return;
    index[axis] = 0;
  }
}

constexpr int64_t kPadding = -1, kBeyond = -2;

struct Patches {
  Ints places, kernel;     // sizes per axis
  int64_t all_places = 1;  // their products
  int64_t all_taps = 1;
  Ints elements;  // [all_places, all_taps]: of the flattened pixels, kPadding or kBeyond it
};

Patches patchesOf(llvm::ArrayRef<Window> windows) {
  Patches p;
  for (const Window& w : windows) {
    p.places.push_back(w.places);
    p.kernel.push_back(w.kernel);
  }
  p.all_places = product(p.places);
  p.all_taps = product(p.kernel);
  p.elements.reserve(p.all_places * p.all_taps);
  Ints place(windows.size()), tap(windows.size());
  for (int64_t i = 0; i < p.all_places; ++i, next(place, p.places)) {
    for (int64_t j = 0; j < p.all_taps; ++j, next(tap, p.kernel)) {
      int64_t element = 0;
      for (size_t axis = 0; axis < windows.size(); ++axis) {
        const Window& w = windows[axis];
        const int64_t at = place[axis] * w.stride - w.before + tap[axis] * w.dilation;
        const bool inside = at >= 0 && at < w.size;
        if (at >= w.size + w.after || element == kBeyond) {
          element = kBeyond;
        } else {
          element = element < 0 || !inside ? kPadding : element * w.size + at;
        }
      }
      p.elements.push_back(element);
    }
  }
  return p;
}

// Before any of it is made.
absl::Status checkPatches(llvm::ArrayRef<int64_t> outer, llvm::ArrayRef<Window> windows) {
  Ints shape = outer.vec();
  for (const Window& w : windows) shape.insert(shape.end(), {w.places, w.kernel});
  return checkNewElements(shape);
}

// x [outer..., pixels] as [outer..., places, taps]; padding is zero, from one more pixel.
absl::StatusOr<Value*> gatherPatches(NodeEmitter& e, Value* x, Patches p) {
  const int64_t axis = int64_t(x->type().shape.size()) - 1;
  const int64_t pixels = x->type().shape.back();
  if (llvm::any_of(p.elements, [](int64_t element) { return element < 0; })) {
    Ints shape(x->type().shape.begin(), x->type().shape.end());
    shape.back() = 1;
    Value* zeros = e.constant(Array::zeros(x->type().element, shape));
    IR_ASSIGN_OR_RETURN(x, e.emit("tensor.concat", {x, zeros}, {{"axis", axis}}));
    for (int64_t& element : p.elements) element = element < 0 ? pixels : element;
  }
  return e.gather(x, axis, {p.all_places, p.all_taps}, std::move(p.elements));
}

// A convolution: x [N, G, C, pixels...], of G groups of C channels.
class Convolution {
 public:
  Convolution(NodeEmitter& e, int64_t groups) : e_(e), groups_(groups) {}

  absl::Status emit() {
    IR_ASSIGN_OR_RETURN(Ints kernel, checkShapes());
    IR_ASSIGN_OR_RETURN(windows_, windowsOf(e_, kernel));
    IR_RETURN_IF_ERROR(checkPatches({batch_, groups_, channels_}, windows_));
    patches_ = patchesOf(windows_);
    auto patches = llvm::any_of(windows_, overlaps) ? overlapping() : side();
    IR_RETURN_IF_ERROR(patches.status());
    IR_ASSIGN_OR_RETURN(Value * y, multiplied(*patches));
    const int64_t places = patches_.all_places, each = outputs_ / groups_;
    IR_ASSIGN_OR_RETURN(y, e_.reshape(y, {batch_, groups_, places, each}));
    if (groups_ == 1) {
      IR_ASSIGN_OR_RETURN(y, e_.reshape(y, {batch_, places, each}));
      IR_ASSIGN_OR_RETURN(y, e_.transpose(y, {0, 2, 1}));
    } else {
      IR_ASSIGN_OR_RETURN(y, e_.transpose(y, {0, 1, 3, 2}));
    }
    Ints shape = {batch_, outputs_};
    shape.insert(shape.end(), patches_.places.begin(), patches_.places.end());
    IR_ASSIGN_OR_RETURN(y, e_.reshape(y, shape));
    e_.setOutput(0, y);
    return absl::OkStatus();
  }

 private:
  // The kernel's sizes.
  absl::StatusOr<Ints> checkShapes() {
    if (e_.rank(0) < 3 || e_.rank(1) != e_.rank(0))
      return absl::InvalidArgumentError("its input and weight are not of one rank, 3 or more");
    batch_ = e_.shape(0)[0];
    outputs_ = e_.shape(1)[0];
    channels_ = e_.shape(1)[1];
    if (groups_ < 1 || groups_ > kMostNewElements || outputs_ % groups_ != 0 ||
        e_.shape(0)[1] != groups_ * channels_)
      return absl::InvalidArgumentError(absl::StrCat("its weight does not take ", e_.shape(0)[1],
                                                     " channels in ", groups_, " groups"));
    const Ints kernel(e_.shape(1).begin() + 2, e_.shape(1).end());
    if (e_.intsAttr("kernel_shape").value_or(kernel) != kernel)
      return absl::InvalidArgumentError("kernel_shape is not that of its weight");
    if (e_.has(2) && (e_.rank(2) != 1 || e_.shape(2)[0] != outputs_))
      return absl::InvalidArgumentError("its bias is not one per output channel");
    return kernel;
  }

  // Windows that lie side by side are parts of axes: [N, G, C, places, kernel, ...].
  absl::StatusOr<Value*> side() {
    Value* x = e_.input(0);
    Ints split = {batch_, groups_, channels_}, perm = {0, 1};
    const int64_t axes = windows_.size();
    for (int64_t i = 0; i < axes; ++i) {
      const Window& w = windows_[i];
      split.insert(split.end(), {w.places, w.kernel});
      perm.push_back(3 + 2 * i);
      if (w.places * w.kernel == w.size) continue;
      IR_ASSIGN_OR_RETURN(
          x, e_.emit("tensor.slice", {x},
                     {{"axis", 2 + i}, {"start", int64_t{0}}, {"size", w.places * w.kernel}}));
    }
    perm.push_back(2);
    for (int64_t i = 0; i < axes; ++i) perm.push_back(4 + 2 * i);
    if (groups_ == 1) {  // without the axis of groups
      split.erase(split.begin() + 1);
      perm.erase(perm.begin() + 1);
      for (int64_t& axis : perm) axis -= axis > 0;
    }
    IR_ASSIGN_OR_RETURN(x, e_.reshape(x, split));
    IR_ASSIGN_OR_RETURN(x, e_.transpose(x, perm));
    return e_.reshape(x, inner());
  }

  absl::StatusOr<Value*> overlapping() {
    const int64_t pixels = product(llvm::ArrayRef<int64_t>(e_.shape(0)).drop_front(2));
    Ints flat = {batch_, groups_, channels_, pixels};
    Ints perm = {0, 1, 3, 2, 4};
    if (groups_ == 1) {
      flat.erase(flat.begin() + 1);
      perm = {0, 2, 1, 3};
    }
    IR_ASSIGN_OR_RETURN(Value * x, e_.reshape(e_.input(0), flat));
    IR_ASSIGN_OR_RETURN(x, gatherPatches(e_, x, patches_));
    IR_ASSIGN_OR_RETURN(x, e_.transpose(x, perm));
    return e_.reshape(x, inner());
  }

  Ints inner() const {
    const int64_t width = channels_ * patches_.all_taps;
    if (groups_ == 1) return {batch_, patches_.all_places, width};
    return {batch_, groups_, patches_.all_places, width};
  }

  // By the weight, a matrix per group, and with the bias.
  absl::StatusOr<Value*> multiplied(Value* patches) {
    const int64_t width = channels_ * patches_.all_taps, each = outputs_ / groups_;
    Ints shape = {groups_, each, width}, perm = {0, 2, 1}, bias = {groups_, 1, each};
    if (groups_ == 1) shape = {each, width}, perm = {1, 0}, bias = {each};
    IR_ASSIGN_OR_RETURN(Value * weight, e_.reshape(e_.input(1), shape));
    IR_ASSIGN_OR_RETURN(weight, e_.transpose(weight, perm));
    IR_ASSIGN_OR_RETURN(Value * y, e_.emit("tensor.matmul", {patches, weight}));
    if (!e_.has(2)) return y;
    IR_ASSIGN_OR_RETURN(Value * addend, e_.reshape(e_.input(2), bias));
    return e_.emit("tensor.add", {y, addend});
  }

  NodeEmitter& e_;
  int64_t groups_, batch_ = 0, outputs_ = 0, channels_ = 0;
  std::vector<Window> windows_;
  Patches patches_;
};

absl::Status conv(NodeEmitter& e, llvm::StringRef) {
  return Convolution(e, e.intAttr("group", 1)).emit();
}

// Pools take patches of each channel apart.
absl::StatusOr<Patches> poolPatches(NodeEmitter& e) {
  const Ints kernel = e.intsAttr("kernel_shape").value_or(Ints());
  if (e.rank(0) < 3 || int64_t(kernel.size()) != e.rank(0) - 2)
    return absl::InvalidArgumentError("kernel_shape does not fit its input");
  IR_ASSIGN_OR_RETURN(const std::vector<Window> windows, windowsOf(e, kernel));
  const bool same = llvm::StringRef(e.stringAttr("auto_pad", "NOTSET")).starts_with("SAME");
  if (same && llvm::any_of(windows, [](const Window& w) { return w.dilation > 1 && w.kernel > 1; }))
    return absl::UnimplementedError(
        "auto_pad of windows with dilations, which runtimes compute otherwise than ONNX does: "
        "write "
        "pads");
  IR_RETURN_IF_ERROR(checkPatches({e.shape(0)[0], e.shape(0)[1]}, windows));
  return patchesOf(windows);
}

// [batch, channels, places], reduced from the taps of each place by `op`.
absl::StatusOr<Value*> reducedPatches(NodeEmitter& e, const Patches& p, llvm::StringRef op) {
  const int64_t pixels = product(llvm::ArrayRef<int64_t>(e.shape(0)).drop_front(2));
  IR_ASSIGN_OR_RETURN(Value * x, e.reshape(e.input(0), {e.shape(0)[0], e.shape(0)[1], pixels}));
  IR_ASSIGN_OR_RETURN(x, gatherPatches(e, x, p));
  return e.emit(op, {x}, {{"axes", Ints{3}}, {"keepdims", false}});
}

absl::Status setPool(NodeEmitter& e, const Patches& p, int output, Value* y) {
  Ints shape = {e.shape(0)[0], e.shape(0)[1]};
  shape.insert(shape.end(), p.places.begin(), p.places.end());
  IR_ASSIGN_OR_RETURN(y, e.reshape(y, shape));
  e.setOutput(output, y);
  return absl::OkStatus();
}

// Where in the flattened input the greatest of each window was found; with storage_order, as if
// the first spatial axis were the innermost.
absl::Status setFound(NodeEmitter& e, const Patches& p) {
  const llvm::ArrayRef<int64_t> image = llvm::ArrayRef<int64_t>(e.shape(0)).drop_front(2);
  const int64_t batch = e.shape(0)[0], channels = e.shape(0)[1], pixels = product(image);
  Ints places = p.elements;
  if (e.intAttr("storage_order", 0) != 0) {
    for (int64_t& place : places) {
      int64_t turned = 0, rest = place, stride = pixels;
      for (size_t axis = image.size(); axis-- > 0; rest /= image[axis]) {
        stride /= image[axis];
        turned += rest % image[axis] * stride;
      }
      place = turned;
    }
  }
  IR_ASSIGN_OR_RETURN(Value * x, e.reshape(e.input(0), {batch, channels, pixels}));
  IR_ASSIGN_OR_RETURN(x, gatherPatches(e, x, p));
  IR_ASSIGN_OR_RETURN(Value * tap,
                      e.emit("tensor.argmax", {x}, {{"axis", int64_t{3}}, {"keepdims", false}}));
  Ints windows(p.all_places), parts(batch * channels);
  for (int64_t i = 0; i < p.all_places; ++i) windows[i] = i * p.all_taps;
  for (int64_t i = 0; i < batch * channels; ++i) parts[i] = i * pixels;
  Value* first = e.constant(Array::integer({p.all_places}, std::move(windows)));
  Value* list = e.constant(Array::integer({int64_t(places.size())}, places));
  Value* base = e.constant(Array::integer({batch, channels, 1}, std::move(parts)));
  IR_ASSIGN_OR_RETURN(tap, e.emit("tensor.add", {tap, first}));
  IR_ASSIGN_OR_RETURN(Value * found, e.emit("tensor.gather", {list, tap}, {{"axis", int64_t{0}}}));
  IR_ASSIGN_OR_RETURN(found, e.emit("tensor.add", {found, base}));
  return setPool(e, p, 1, found);
}

// The mean of each window; what is padding counts only with count_include_pad.
absl::Status averagePool(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const Patches p, poolPatches(e));
  std::vector<double> weights;
  for (int64_t i = 0; i < p.all_places; ++i) {
    const auto taps = llvm::ArrayRef(p.elements).slice(i * p.all_taps, p.all_taps);
    const bool padded = e.intAttr("count_include_pad", 0) != 0;
    const int64_t inside =
        llvm::count_if(taps, [&](int64_t element) { return element >= (padded ? kPadding : 0); });
    if (inside == 0) return absl::UnimplementedError("a window sees padding alone");
    weights.push_back(1.0 / double(inside));
  }
  IR_ASSIGN_OR_RETURN(Value * sums, reducedPatches(e, p, "tensor.reduce_sum"));
  Value* factors = e.constant(Array::real({p.all_places}, weights));
  IR_ASSIGN_OR_RETURN(Value * means, e.emit("tensor.mul", {sums, factors}));
  return setPool(e, p, 0, means);
}

// The greatest of each window. Padding is never it: the window's first element stands there, which
// is the one that is found first even so.
absl::Status maxPool(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(Patches p, poolPatches(e));
  for (int64_t i = 0; i < p.all_places; ++i) {
    const auto taps = llvm::MutableArrayRef(p.elements).slice(i * p.all_taps, p.all_taps);
    const auto inside = llvm::find_if(taps, [](int64_t tap) { return tap >= 0; });
    if (inside == taps.end()) return absl::UnimplementedError("a window sees padding alone");
    for (int64_t& tap : taps) tap = tap < 0 ? *inside : tap;
  }
  IR_ASSIGN_OR_RETURN(Value * greatest, reducedPatches(e, p, "tensor.reduce_max"));
  IR_RETURN_IF_ERROR(setPool(e, p, 0, greatest));
  return e.numOutputs() > 1 ? setFound(e, p) : absl::OkStatus();
}

absl::Status globalPool(NodeEmitter& e, llvm::StringRef op) {
  if (e.rank(0) < 3) return absl::InvalidArgumentError("its input has no axes beyond the channels");
  Ints axes(e.rank(0) - 2);
  std::iota(axes.begin(), axes.end(), 2);
  return e.emitOutput(op, {e.input(0)}, {{"axes", axes}, {"keepdims", true}});
}

constexpr NamedEmitter kEmitters[] = {
    {"AveragePool", averagePool},
    {"Conv", conv},
    {"GlobalAveragePool", globalPool, "tensor.reduce_mean"},
    {"GlobalMaxPool", globalPool, "tensor.reduce_max"},
    {"MaxPool", maxPool},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> windowEmitters() { return kEmitters; }

}  // namespace lindero::compiler
