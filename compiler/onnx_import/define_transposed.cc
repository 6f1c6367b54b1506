#include "compiler/onnx_import/define_transposed.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_join.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using Ints = std::vector<int64_t>;

// Per spatial axis.
struct Axes {
  Ints size, kernel, stride, dilation, before, after;  // padding is removed from the result
  Ints more;                                           // output_padding, at the end
  size_t count() const { return size.size(); }
};

Ints orElse(Ints given, Ints fallback) { return given.empty() ? fallback : given; }

absl::StatusOr<Axes> axesOf(const FunctionText& b) {
  const size_t rank = b.rank(0);
  if (rank < 3 || b.rank(1) != rank)
    return absl::InvalidArgumentError("its input and weights are not of one rank, 3 or more");
  const size_t n = rank - 2;
  Axes axes;
  axes.size = b.shape(0).drop_front(2).vec();
  axes.kernel = b.shape(1).drop_front(2).vec();
  axes.stride = orElse(b.intsAttr("strides"), Ints(n, 1));
  axes.dilation = orElse(b.intsAttr("dilations"), Ints(n, 1));
  axes.more = orElse(b.intsAttr("output_padding"), Ints(n, 0));
  const Ints pads = orElse(b.intsAttr("pads"), Ints(2 * n, 0)), wanted = b.intsAttr("output_shape");
  const bool fits = axes.stride.size() == n && axes.dilation.size() == n && axes.more.size() == n &&
                    pads.size() == 2 * n && (wanted.empty() || wanted.size() == n);
  const auto sane = [](int64_t value) { return value >= 0 && value < 1 << 20; };
  if (!fits || !std::all_of(pads.begin(), pads.end(), sane))
    return absl::InvalidArgumentError("its attributes do not fit its axes");
  axes.before.assign(pads.begin(), pads.begin() + int64_t(n));
  axes.after.assign(pads.begin() + int64_t(n), pads.end());
  const std::string automatic = b.stringAttr("auto_pad", "NOTSET");
  const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  for (size_t i = 0; i < n; ++i) {
    if (!sane(axes.stride[i]) || !sane(axes.dilation[i]) || !sane(axes.more[i]) ||
        axes.stride[i] < 1 || axes.dilation[i] < 1 || axes.kernel[i] < 1 || axes.size[i] < 1)
      return absl::InvalidArgumentError("a stride, dilation or size is not positive");
    if (wanted.empty() && !same) continue;
    const int64_t result = wanted.empty() ? axes.size[i] * axes.stride[i] : wanted[i];
    const int64_t whole = axes.stride[i] * (axes.size[i] - 1) + axes.more[i] +
                          (axes.kernel[i] - 1) * axes.dilation[i] + 1;
    // A kernel that is smaller than its stride leaves nothing to remove.
    const int64_t total = same ? std::max<int64_t>(0, whole - result) : whole - result;
    axes.before[i] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
    if (total < 0) axes.before[i] = 0;  // as runtimes have it: more at the end
    axes.after[i] = total - axes.before[i];
  }
  return axes;
}

// x with zeros between its elements.
absl::Status addSpread(FunctionText& b, const Axes& axes) {
  Ints shape = b.shape(0).vec();
  b.add("s0 = Identity (i0)");
  for (size_t i = 0; i < axes.count(); ++i) {
    const int64_t stride = axes.stride[i], size = axes.size[i];
    const std::string from = absl::StrCat("s", i), n = absl::StrCat("n", i);
    if (stride == 1) {
      b.add("s", i + 1, " = Identity (", from, ")");
      continue;
    }
    Ints apart = shape, pads(2 * (shape.size() + 1), 0);
    const int64_t axis = int64_t(i) + 2;
    apart.insert(apart.begin() + axis + 1, 1);
    pads[apart.size() + size_t(axis) + 1] = stride - 1;
    shape[axis] = size * stride;
    IR_RETURN_IF_ERROR(checkNewElements(shape));
    b.ints(n + "_apart", apart);
    b.ints(n + "_pads", pads);
    b.ints(n + "_shape", shape);
    b.ints(n + "_first", {0});
    b.ints(n + "_last", {(size - 1) * stride + 1});
    b.ints(n + "_axis", {axis});
    b.add(n, "_a = Reshape (", from, ", ", n, "_apart)");
    b.add(n, "_b = Pad (", n, "_a, ", n, "_pads)");
    b.add(n, "_c = Reshape (", n, "_b, ", n, "_shape)");
    b.add("s", i + 1, " = Slice (", n, "_c, ", n, "_first, ", n, "_last, ", n, "_axis)");
    shape[axis] = (size - 1) * stride + 1;
  }
  return absl::OkStatus();
}

// [in, out / groups, kernel...] as [out, in / groups, kernel...], with the kernel turned around.
void addWeights(FunctionText& b, const Axes& axes, int64_t groups) {
  const int64_t in = b.shape(1)[0], out = b.shape(1)[1], n = int64_t(axes.count());
  Ints parts = {groups, in / groups, out}, perm = {0, 2, 1}, whole = {groups * out, in / groups};
  for (int64_t i = 0; i < n; ++i) {
    parts.push_back(axes.kernel[i]);
    whole.push_back(axes.kernel[i]);
    perm.push_back(3 + i);
  }
  Ints spatial(n);
  std::iota(spatial.begin(), spatial.end(), 2);
  b.ints("parts", parts);
  b.ints("whole", whole);
  b.ints("ends", Ints(n, -1));
  b.ints("starts", Ints(n, -int64_t{1 << 30}));
  b.ints("axes", spatial);
  b.add("w_parts = Reshape (i1, parts)");
  b.add("w_turned = Transpose <perm = [", absl::StrJoin(perm, ", "), "]> (w_parts)");
  b.add("w_whole = Reshape (w_turned, whole)");
  b.add("w = Slice (w_whole, ends, starts, axes, ends)");
}

}  // namespace

absl::Status writeConvTranspose(FunctionText& b) {
  IR_ASSIGN_OR_RETURN(const Axes axes, axesOf(b));
  const int64_t groups = b.intAttr("group", 1);
  if (groups < 1 || b.shape(0)[1] != b.shape(1)[0] || b.shape(1)[0] % groups != 0)
    return absl::InvalidArgumentError("its channels do not fit its weights and groups");
  IR_RETURN_IF_ERROR(addSpread(b, axes));
  // What reaches beyond is padded; what is to be removed from the result is never computed.
  Ints pads(2 * (axes.count() + 2), 0), starts, ends, spatial;
  for (size_t i = 0; i < axes.count(); ++i) {
    const int64_t reach = axes.dilation[i] * (axes.kernel[i] - 1);
    const int64_t before = reach - axes.before[i], after = reach - axes.after[i] + axes.more[i];
    const int64_t spread = (axes.size[i] - 1) * axes.stride[i] + 1;
    pads[2 + i] = std::max<int64_t>(before, 0);
    pads[axes.count() + 4 + i] = std::max<int64_t>(after, 0);
    spatial.push_back(int64_t(i) + 2);
    starts.push_back(std::max<int64_t>(-before, 0));
    ends.push_back(spread + pads[2 + i] + pads[axes.count() + 4 + i] -
                   std::max<int64_t>(-after, 0));
  }
  b.ints("pads", pads);
  b.ints("first", starts);
  b.ints("last", ends);
  b.ints("spatial", spatial);
  b.add("padded = Pad (s", axes.count(), ", pads)");
  b.add("x = Slice (padded, first, last, spatial)");
  addWeights(b, axes, groups);
  b.add("o0 = Conv <dilations = [", absl::StrJoin(axes.dilation, ", "), "], group = ", groups,
        b.has(2) ? "> (x, w, i2)" : "> (x, w)");
  return absl::OkStatus();
}

}  // namespace lindero::compiler
