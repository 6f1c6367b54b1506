#include "passes/quantize/rounding.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ir/core/field.h"

namespace lindero::passes {
namespace {

constexpr int64_t kAccumulatorLimit = int64_t{1} << 30;
constexpr int64_t kLogitLimit = int64_t{1} << 29;
constexpr int kWidest = 31;  // bits and shift together
constexpr int kLargestShift = 16, kLargestAddendShift = 30;

std::string power(double value) { return absl::StrFormat("2^%.1f", std::log2(value)); }

}  // namespace

int Rounding::largestShift() const { return std::min(kLargestShift, kWidest - bits); }

std::vector<int> raised(llvm::ArrayRef<int> exponents, int by) {
  std::vector<int> out;
  for (int exponent : exponents) out.push_back(exponent + by);
  return out;
}

// The accumulator q 2^s + r - 2^(s-1) of every q and r that the circuit accepts, and x w + b plus
// the addend, must differ by less than p.
absl::StatusOr<int64_t> accumulatorLimit(const Rounding& rounding, int shift) {
  if (rounding.isRaw()) return kLogitLimit;
  int64_t room =
      ir::kFieldModulus - (int64_t{1} << (rounding.bits - 1 + shift)) - (int64_t{1} << (shift - 1));
  const int addend_shift = shift + rounding.addend_gap;
  if (rounding.has_addend) {
    if (addend_shift < 0 || addend_shift > kLargestAddendShift) {
      return absl::OutOfRangeError(
          absl::StrFormat("its addend would be shifted by %d bits to the unit of x w + b, and 0 to "
                          "%d are possible; "
                          "use exponents of addend and result that are closer to each other",
                          addend_shift, kLargestAddendShift));
    }
    room -= rounding.addend_bound << addend_shift;
  }
  if (room > 0) return std::min(kAccumulatorLimit, room);
  return absl::OutOfRangeError(absl::StrFormat(
      "a result of %d bits%s leave no room below 2^31 for x w + b; use fewer bits for the result",
      rounding.bits,
      rounding.has_addend
          ? absl::StrCat(" and an addend of up to ",
                         power(static_cast<double>(rounding.addend_bound << addend_shift)))
          : ""));
}

std::string describeOverflow(const FoldLinear& fold, const Rounding& rounding,
                             llvm::ArrayRef<int> exponents, int64_t limit, int weight_bits) {
  const double weight = fold.largestWeight(exponents);
  if (weight + 0.5 >= std::ldexp(1.0, weight_bits - 1)) {
    return absl::StrFormat(
        "a weight is %s, and %d bits hold less than 2^%d; allow weights or its input more bits, or "
        "use larger margins for its result",
        power(weight), weight_bits, weight_bits - 1);
  }
  return absl::StrFormat(
      "|x w + b| may reach %s, and must stay below %s, for inputs in [%d, %d]%s; use fewer bits "
      "for "
      "its input or result, or larger margins",
      power(std::max(fold.bound(exponents), 1.0)), power(static_cast<double>(limit)), fold.xLow(),
      fold.xHigh(),
      rounding.isRaw() ? "" : absl::StrFormat(" and results of %d bits", rounding.bits));
}

std::string describeNarrow(const Rounding& rounding, bool overflow, int bits, int weight_bits) {
  const char* remedy = "use fewer bits for its input or result, or larger margins";
  if (weight_bits < kLeastWeightBits) {
    remedy = "allow weights more bits";
  } else if (!overflow && !rounding.isRaw()) {
    remedy = "use a larger exponent for its result, or smaller margins";
  }
  return absl::StrFormat("its weights have %d bits, and %d are needed; %s", bits, kLeastWeightBits,
                         remedy);
}

}  // namespace lindero::passes
