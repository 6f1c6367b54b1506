// Lowering of the limbs of whole numbers: what is left of a rounding shift, and what it takes.
#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "passes/quantize/lowering.h"

namespace lindero::passes {

using ir::Op;
using ir::Type;
using ir::Value;

namespace {

constexpr int kFinest = 24;  // of an exponent that calibration chooses

}  // namespace

Value* Lowering::highLimb(Value* x, int shift, double largest) {
  const auto& type = x->type();
  const int bits = std::max(largest < 1 ? 2 : std::ilogb(largest) + 2, 2);
  const int64_t limit = int64_t{1} << (bits - 1);
  Value*& made = narrowed_[{x, -shift}];
  if (made != nullptr) return made;
  return made = builder_.value("integer.requantize", {x},
                               Type::fixed(type.shape, type.exponent - shift, -limit, limit - 1),
                               {{"shift", int64_t{shift}}, {"bits", int64_t{bits}}});
}

absl::Status Lowering::lowerLimb(const Op& op) {
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "exponent"),
                      bits = this->exponent(*op.result(), "bits");
  if (!exponent.ok()) return exponent.status();
  if (!bits.ok()) return bits.status();
  absl::StatusOr<Value*> value = form(*op.operand(0));
  if (!value.ok()) return value.status();
  if (!whole_.contains(op.operand(0)) || (*value)->type().exponent < 0 || *exponent < 0) {
    inexact_ = true;
    return absl::OkStatus();
  }
  const auto shift = static_cast<int>(op.intAttr("shift"));
  Value* x = narrowed(*value, (*value)->type().exponent);
  const DoubleInterval range = whole_ranges_.find(op.operand(0))->second;
  const double largest = std::floor(std::ldexp(std::max(-range.low, range.high), -shift) + 0.5);
  if (!(largest < 0x1p15) || *exponent > kFinest)
    return absl::UnimplementedError("its whole numbers are too large to be split into limbs");
  Value* limb = highLimb(x, shift, largest);
  const auto& shape = op.result()->type().shape;
  auto map = [&](llvm::ArrayRef<Value*> operands, int unit, int64_t width) {
    const int64_t limit = int64_t{1} << (width - 1);
    return builder_.value("integer.affine", operands, Type::fixed(shape, unit, -limit, limit - 1),
                          {{"shift", int64_t{0}}, {"bits", width}});
  };
  if (op.is("tensor.low_limb")) {
    limb = map(
        {x, narrowConstant("one", {1}, {1}, 0, kExact), narrowConstant("zero", {1}, {0}, 0, kExact),
         limb, narrowConstant("minus_unit", {1}, {-(int32_t{1} << shift)}, shift, kExact)},
        0, std::max(shift, 2));
  }
  // As itself, no multiple of the unit, and as fine as its readers ask for.
  if (limb->type().exponent != *exponent) {
    const int unit = limb->type().exponent;
    limb = map({limb,
                narrowConstant("unit", {1}, {int32_t{1} << *exponent},
                               *exponent - (op.is("tensor.low_limb") ? 0 : unit), kExact),
                narrowConstant("zero", {1}, {0}, *exponent, kExact)},
               *exponent, *bits);
  }
  keep(*op.result(), storedAs(limb), "limb");
  return absl::OkStatus();
}

}  // namespace lindero::passes
