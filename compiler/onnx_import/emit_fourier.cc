// Fourier transforms, as products with constant cosines and sines.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

// From `size` elements of a signal of `length` to `count`.
struct Transform {
  int64_t size, length, count;
  bool inverse;
  bool half_spectrum;  // inverse, of the first half alone, to reals
};

// function(2 pi j k / length), weighted, [size, count].
Value* table(NodeEmitter& e, const Transform& t, double (*function)(double)) {
  Array array = Array::zeros(ir::Element::kFloat, {t.size, t.count});
  for (int64_t j = 0; j < t.size; ++j) {
    const bool twice = t.half_spectrum && j > 0 && 2 * j < t.length;
    const double weight = (t.inverse ? 1.0 / double(t.length) : 1) * (twice ? 2 : 1);
    for (int64_t k = 0; k < t.count; ++k) {
      const double turn = double(j * k % t.length) / double(t.length);
      array.reals[j * t.count + k] = weight * function(2 * std::numbers::pi * turn);
    }
  }
  return e.constant(array);
}

double cosine(double x) { return std::cos(x); }
double sine(double x) { return std::sin(x); }

// Of x [..., size, ..., 1 or 2]: real and imaginary parts last.
absl::StatusOr<Value*> transformed(NodeEmitter& e, Value* x, int64_t axis, const Transform& t) {
  const Ints shape(x->type().shape.begin(), x->type().shape.end());
  const auto rank = int64_t(shape.size());
  if (t.length < 1 || t.count < 1 || t.size < 1)
    return absl::InvalidArgumentError("its signal has no elements");
  IR_RETURN_IF_ERROR(checkNewElements({t.length, t.length}));
  if (shape[axis] > t.size) {
    IR_ASSIGN_OR_RETURN(
        x, e.emit("tensor.slice", {x}, {{"axis", axis}, {"start", int64_t{0}}, {"size", t.size}}));
  }
  // The signal's axis comes last, then it is the parts'.
  Ints perm(rank - 1);
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[axis], perm.back());
  const auto part = [&](int64_t i) -> absl::StatusOr<Value*> {
    IR_ASSIGN_OR_RETURN(
        Value * y,
        e.emit("tensor.slice", {x}, {{"axis", rank - 1}, {"start", i}, {"size", int64_t{1}}}));
    Ints without(y->type().shape.begin(), y->type().shape.end() - 1);
    IR_ASSIGN_OR_RETURN(y, e.reshape(y, without));
    return e.transpose(y, perm);
  };
  Value *cosines = table(e, t, cosine), *sines = table(e, t, sine);
  IR_ASSIGN_OR_RETURN(Value * real, part(0));
  IR_ASSIGN_OR_RETURN(Value * re, e.emit("tensor.matmul", {real, cosines}));
  IR_ASSIGN_OR_RETURN(Value * im, e.emit("tensor.matmul", {real, sines}));
  if (!t.inverse) {
    IR_ASSIGN_OR_RETURN(im, e.emit("tensor.neg", {im}));
  }
  if (shape.back() == 2) {
    IR_ASSIGN_OR_RETURN(Value * imaginary, part(1));
    IR_ASSIGN_OR_RETURN(Value * turned, e.emit("tensor.matmul", {imaginary, sines}));
    IR_ASSIGN_OR_RETURN(re, e.emit(t.inverse ? "tensor.sub" : "tensor.add", {re, turned}));
    IR_ASSIGN_OR_RETURN(Value * kept, e.emit("tensor.matmul", {imaginary, cosines}));
    IR_ASSIGN_OR_RETURN(im, e.emit("tensor.add", {im, kept}));
  }
  std::vector<Value*> parts = {re};
  if (!t.half_spectrum) parts.push_back(im);
  for (Value*& value : parts) {
    IR_ASSIGN_OR_RETURN(value, e.transpose(value, perm));
    Ints with(value->type().shape.begin(), value->type().shape.end());
    with.push_back(1);
    IR_ASSIGN_OR_RETURN(value, e.reshape(value, with));
  }
  if (parts.size() == 1) return parts[0];
  return e.emit("tensor.concat", parts, {{"axis", rank - 1}});
}

absl::Status checkParts(NodeEmitter& e) {
  if (e.rank(0) >= 2 && (e.shape(0).back() == 1 || e.shape(0).back() == 2)) return absl::OkStatus();
  return absl::InvalidArgumentError("the last axis of its input is not of one or two parts");
}

absl::StatusOr<int64_t> knownInteger(NodeEmitter& e, int i) {
  IR_ASSIGN_OR_RETURN(const Array given, e.constantInput(i));
  if (given.isReal() || given.elements() != 1)
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " is not one integer"));
  return given.integers[0];
}

absl::Status fourier(NodeEmitter& e, llvm::StringRef) {
  IR_RETURN_IF_ERROR(checkParts(e));
  int64_t axis = e.intAttr("axis", 1);
  if (e.has(2)) {
    IR_ASSIGN_OR_RETURN(axis, knownInteger(e, 2));
  } else if (!e.attribute("axis") && e.rank(0) != 3) {
    return absl::UnimplementedError("it names no axis, and opsets differ in which one it is");
  }
  IR_ASSIGN_OR_RETURN(axis, e.axis(axis, e.rank(0)));
  if (axis == e.rank(0) - 1) return absl::InvalidArgumentError("its axis is that of the parts");
  Transform t = {e.shape(0)[axis], 0, 0, e.intAttr("inverse", 0) != 0, false};
  const bool onesided = e.intAttr("onesided", 0) != 0;
  t.half_spectrum = t.inverse && onesided;
  t.length = t.half_spectrum ? 2 * (t.size - 1) : t.size;
  if (e.has(1)) {
    IR_ASSIGN_OR_RETURN(t.length, knownInteger(e, 1));
  }
  if (t.length < 1 || t.length > kMostNewElements)
    return absl::InvalidArgumentError("its length is none");
  t.size = std::min(t.size, t.half_spectrum ? t.length / 2 + 1 : t.length);
  t.count = onesided && !t.inverse ? t.length / 2 + 1 : t.length;
  IR_ASSIGN_OR_RETURN(Value * y, transformed(e, e.input(0), axis, t));
  e.setOutput(0, y);
  return absl::OkStatus();
}

// Of windows of the signal, one every few steps.
absl::Status shortTimeFourier(NodeEmitter& e, llvm::StringRef) {
  IR_RETURN_IF_ERROR(checkParts(e));
  if (e.rank(0) != 3) return absl::InvalidArgumentError("its signal is not [batch, steps, parts]");
  IR_ASSIGN_OR_RETURN(const int64_t step, knownInteger(e, 1));
  int64_t length = e.has(2) && e.rank(2) == 1 ? e.shape(2)[0] : 0;
  if (e.has(3)) {
    IR_ASSIGN_OR_RETURN(length, knownInteger(e, 3));
  }
  const int64_t steps = e.shape(0)[1];
  if (step < 1 || length < 1 || length > steps)
    return absl::InvalidArgumentError("its frames do not fit the signal");
  if (e.has(2) && (e.rank(2) != 1 || e.shape(2)[0] != length))
    return absl::InvalidArgumentError("its window is not of the frames' length");
  const int64_t frames = 1 + (steps - length) / step;
  IR_RETURN_IF_ERROR(checkNewElements({e.shape(0)[0], frames, length, 2}));
  Ints indices;
  for (int64_t frame = 0; frame < frames; ++frame)
    for (int64_t i = 0; i < length; ++i) indices.push_back(frame * step + i);
  IR_ASSIGN_OR_RETURN(Value * x, e.gather(e.input(0), 1, {frames, length}, std::move(indices)));
  if (e.has(2)) {
    IR_ASSIGN_OR_RETURN(Value * window, e.reshape(e.input(2), {length, 1}));
    IR_ASSIGN_OR_RETURN(x, e.emit("tensor.mul", {x, window}));
  }
  const int64_t count = e.intAttr("onesided", 1) != 0 ? length / 2 + 1 : length;
  IR_ASSIGN_OR_RETURN(Value * y, transformed(e, x, 2, {length, length, count, false, false}));
  e.setOutput(0, y);
  return absl::OkStatus();
}

constexpr NamedEmitter kEmitters[] = {
    {"DFT", fourier},
    {"STFT", shortTimeFourier},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> fourierEmitters() { return kEmitters; }

}  // namespace lindero::compiler
