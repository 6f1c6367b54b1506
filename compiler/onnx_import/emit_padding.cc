// ONNX ops that pad, or that move blocks of pixels into channels and back.

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

// One axis: how much comes before and after it; less than zero is cut off.
struct AxisPads {
  int64_t axis, before, after;
};

absl::StatusOr<std::vector<AxisPads>> padsOf(NodeEmitter& e) {
  IR_ASSIGN_OR_RETURN(const Ints pads, e.constantInts(1));
  Ints axes;
  if (e.has(3)) {
    IR_ASSIGN_OR_RETURN(axes, e.constantInts(3));
  } else {
    for (int64_t axis = 0; axis < e.rank(0); ++axis) axes.push_back(axis);
  }
  IR_ASSIGN_OR_RETURN(axes, e.axes(axes, e.rank(0)));
  if (pads.size() != 2 * axes.size())
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", pads.size(), " pads for ", axes.size(), " axes"));
  std::vector<AxisPads> list;
  Ints shape(e.shape(0).begin(), e.shape(0).end());
  for (size_t i = 0; i < axes.size(); ++i) {
    const AxisPads one = {axes[i], pads[i], pads[i + axes.size()]};
    for (int64_t pad : {one.before, one.after}) {
      if (pad > kMostNewElements || pad < -kMostNewElements)
        return absl::InvalidArgumentError(absl::StrCat("a pad is ", pad));
    }
    if (std::min<int64_t>(one.before, 0) + std::min<int64_t>(one.after, 0) + shape[axes[i]] < 0)
      return absl::InvalidArgumentError(
          absl::StrCat("it cuts more off axis ", axes[i], " than there is"));
    shape[axes[i]] += one.before + one.after;
    list.push_back(one);
  }
  // Axes are padded one after the other, each step smaller than the result or the operand.
  IR_RETURN_IF_ERROR(checkNewElements(shape));
  return list;
}

absl::StatusOr<Value*> padConstant(NodeEmitter& e, Value* x, const AxisPads& pads, Value* fill) {
  Ints shape(x->type().shape.begin(), x->type().shape.end());
  const int64_t cut_before = std::max<int64_t>(-pads.before, 0),
                cut_after = std::max<int64_t>(-pads.after, 0);
  if (cut_before + cut_after > 0) {
    IR_ASSIGN_OR_RETURN(x, e.emit("tensor.slice", {x},
                                  {{"axis", pads.axis},
                                   {"start", cut_before},
                                   {"size", shape[pads.axis] - cut_before - cut_after}}));
  }
  llvm::SmallVector<Value*, 3> parts;
  auto block = [&](int64_t size) -> absl::Status {
    if (size <= 0) return absl::OkStatus();
    shape[pads.axis] = size;
    IR_RETURN_IF_ERROR(checkNewElements(shape));
    IR_ASSIGN_OR_RETURN(Value * part, e.emit("tensor.expand", {fill}, {{"shape", shape}}));
    parts.push_back(part);
    return absl::OkStatus();
  };
  IR_RETURN_IF_ERROR(block(pads.before));
  if (x->type().shape[pads.axis] > 0) parts.push_back(x);
  IR_RETURN_IF_ERROR(block(pads.after));
  if (parts.empty() || (parts.size() == 1 && parts[0] == x)) return x;
  return parts.size() == 1 ? parts[0] : e.emit("tensor.concat", parts, {{"axis", pads.axis}});
}

// The element of an axis of n that stands at place i, in [-n, 2 n).
int64_t mirrored(const std::string& mode, int64_t i, int64_t n) {
  if (i >= 0 && i < n) return i;
  if (mode == "edge") return i < 0 ? 0 : n - 1;
  if (mode == "wrap") return i < 0 ? i + n : i - n;
  return i < 0 ? -i : 2 * (n - 1) - i;  // reflect
}

absl::StatusOr<Value*> padWithItself(NodeEmitter& e, Value* x, const AxisPads& pads,
                                     const std::string& mode) {
  const int64_t n = x->type().shape[pads.axis];
  const int64_t most = mode == "edge" ? kMostNewElements : mode == "wrap" ? n : n - 1;
  if (n == 0 || pads.before < 0 || pads.after < 0 || pads.before > most || pads.after > most) {
    return absl::UnimplementedError(absl::StrCat("mode ", mode, " with pads ", pads.before, " and ",
                                                 pads.after, " on axis ", pads.axis, " of size ",
                                                 n));
  }
  if (pads.before == 0 && pads.after == 0) return x;
  Ints indices;
  for (int64_t i = -pads.before; i < n + pads.after; ++i) indices.push_back(mirrored(mode, i, n));
  const int64_t size = indices.size();
  return e.gather(x, pads.axis, {size}, std::move(indices));
}

absl::Status pad(NodeEmitter& e, llvm::StringRef) {
  const std::string mode = e.stringAttr("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap")
    return absl::InvalidArgumentError(absl::StrCat("mode ", mode));
  IR_ASSIGN_OR_RETURN(const std::vector<AxisPads> list, padsOf(e));
  Value* fill = nullptr;
  if (e.has(2)) {
    if (e.input(2)->type().elements() != 1)
      return absl::InvalidArgumentError("what it pads with is not one element");
    IR_ASSIGN_OR_RETURN(fill, e.reshape(e.input(2), {}));
  } else {
    fill = e.constant(Array::zeros(e.input(0)->type().element, {}));
  }
  Value* result = e.input(0);
  for (const AxisPads& pads : list) {
    auto padded = mode == "constant" ? padConstant(e, result, pads, fill)
                                     : padWithItself(e, result, pads, mode);
    IR_ASSIGN_OR_RETURN(result, std::move(padded));
  }
  e.setOutput(0, result);
  return absl::OkStatus();
}

// [N, C, H, W] and its block size.
absl::StatusOr<int64_t> blockSize(NodeEmitter& e) {
  const int64_t size = e.intAttr("blocksize", 0);
  if (e.rank(0) != 4) return absl::InvalidArgumentError("its input is not of rank 4");
  if (size < 1 || size > 1 << 15)
    return absl::InvalidArgumentError(absl::StrCat("blocksize is ", size));
  return size;
}

absl::Status rearranged(NodeEmitter& e, const Ints& split, const Ints& perm, const Ints& joined) {
  IR_ASSIGN_OR_RETURN(Value * y, e.reshape(e.input(0), split));
  IR_ASSIGN_OR_RETURN(y, e.transpose(y, perm));
  IR_ASSIGN_OR_RETURN(y, e.reshape(y, joined));
  e.setOutput(0, y);
  return absl::OkStatus();
}

absl::Status depthToSpace(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const int64_t b, blockSize(e));
  const std::string mode = e.stringAttr("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    return absl::InvalidArgumentError(absl::StrCat("mode ", mode));
  const int64_t n = e.shape(0)[0], c = e.shape(0)[1], h = e.shape(0)[2], w = e.shape(0)[3];
  if (c % (b * b) != 0)
    return absl::InvalidArgumentError(absl::StrCat(c, " channels for blocks of ", b * b));
  const int64_t left = c / (b * b);
  const Ints joined = {n, left, h * b, w * b};
  if (mode == "DCR") return rearranged(e, {n, b, b, left, h, w}, {0, 3, 4, 1, 5, 2}, joined);
  return rearranged(e, {n, left, b, b, h, w}, {0, 1, 4, 2, 5, 3}, joined);
}

absl::Status spaceToDepth(NodeEmitter& e, llvm::StringRef) {
  IR_ASSIGN_OR_RETURN(const int64_t b, blockSize(e));
  const int64_t n = e.shape(0)[0], c = e.shape(0)[1], h = e.shape(0)[2], w = e.shape(0)[3];
  if (h % b != 0 || w % b != 0)
    return absl::InvalidArgumentError(absl::StrCat("blocks of ", b, " do not fill the pixels"));
  const std::string mode = e.stringAttr("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    return absl::InvalidArgumentError(absl::StrCat("mode ", mode));
  const Ints perm = mode == "DCR" ? Ints{0, 3, 5, 1, 2, 4} : Ints{0, 1, 3, 5, 2, 4};
  return rearranged(e, {n, c, h / b, b, w / b, b}, perm, {n, c * b * b, h / b, w / b});
}

constexpr NamedEmitter kEmitters[] = {
    {"DepthToSpace", depthToSpace},
    {"Pad", pad},
    {"SpaceToDepth", spaceToDepth},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> paddingEmitters() { return kEmitters; }

}  // namespace lindero::compiler
