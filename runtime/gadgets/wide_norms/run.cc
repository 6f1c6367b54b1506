// LayerNorm and RMSNorm of wide rows: each is shifted right until 16 bits hold it, then normalized
// by a tabulated reciprocal root.
#include <algorithm>

#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

constexpr int64_t kLimit = int64_t{1} << 15;
constexpr int64_t kVarianceBound = int64_t{1} << 30;
constexpr int64_t kMaxShift = 16;

int64_t roundedMean(absl::Span<const int32_t> x) {
  int64_t sum = 0;
  for (int32_t value : x) sum += value;
  const auto n = static_cast<int64_t>(x.size());
  const int64_t numerator = 2 * sum + n, quotient = numerator / (2 * n);
  return quotient - (numerator % (2 * n) < 0 ? 1 : 0);
}

class WideLayerNormRunner {
 public:
  WideLayerNormRunner(const StepContext& context, const WideLayerNorm& step)
      : context_(context),
        step_(step),
        roots_(
            context.fixed(step.rsqrt_table(), step.rsqrt_column(), step.rsqrt_first_row(), 65536)),
        shifts_(context.fixed(step.rsqrt_table(), step.rsqrt_column() + 1, step.rsqrt_first_row(),
                              65536)) {}

  absl::Status runRow(uint64_t row) const {
    const uint64_t width = step_.width();
    const absl::Span<const int32_t> x = context_.in(step_.x()).subspan(row * width, width);
    const int64_t mean = step_.has_mean() ? roundedMean(x) : 0;
    const auto [low, high] = std::minmax_element(x.begin(), x.end());
    uint32_t e = 0;
    auto fits = [&](int64_t value) {
      return (value - mean) >> e >= -kLimit && (value - mean) >> e < kLimit;
    };
    while (e < step_.row_shift_limit() && !(fits(*low) && fits(*high))) ++e;
    for (const int32_t* end : {low, high}) {
      if (fits(*end)) continue;
      return context_.error(RangeViolation{"deviation from the mean", row,
                                           static_cast<uint64_t>(end - x.begin()), *end - mean,
                                           -(kLimit << e), (kLimit << e) - 1});
    }
    put(step_.mean(), row, mean);
    put(step_.row_shift(), row, e);
    put(step_.row_power(), row, int64_t{1} << e);
    put(step_.coarse(), row, e > 0 ? 1 : 0);
    const int64_t epsilon = (step_.epsilon() + ((int64_t{1} << 2 * e) >> 1)) >> 2 * e;
    put(step_.row_epsilon(), row, epsilon);
    const int64_t variance = shiftRow(row, x, mean, e) + epsilon;
    return normalize(row, variance, e > 0 ? 1 : 0);
  }

 private:
  void put(uint32_t buffer, uint64_t at, int64_t value) const {
    context_.out(buffer)[at] = static_cast<int32_t>(value);
  }

  // The sum of squares: below 2^30, as a width is at most 2^square_shift, or refused after it.
  int64_t shiftRow(uint64_t row, absl::Span<const int32_t> x, int64_t mean, uint32_t e) const {
    const uint64_t width = step_.width(), row_tiles = width / step_.lanes();
    const int64_t half = int64_t{1} << (step_.square_shift() - 1);
    int64_t shifted = 0, shifted_out = 0, squares = 0, large = 0;
    for (uint64_t c = 0; c < width; ++c) {
      const int64_t d = x[c] - mean, u = d >> e, square = (u * u + half) >> step_.square_shift();
      const int64_t is_large = 2 * u < -kLimit || 2 * u >= kLimit ? 1 : 0;
      put(step_.shifted(), row * width + c, u);
      put(step_.shifted_out(), row * width + c, d - (u << e));
      put(step_.square(), row * width + c, square);
      put(step_.large(), row * width + c, is_large);
      shifted += u, shifted_out += d - (u << e), squares += square, large += is_large;
      if ((c + 1) % step_.lanes() != 0) continue;
      const uint64_t tile = row * row_tiles + c / step_.lanes();
      put(step_.shifted_sums(), tile, shifted);
      put(step_.shifted_out_sums(), tile, shifted_out);
      put(step_.square_sums(), tile, squares);
      put(step_.large_counts(), tile, large);
    }
    return squares;
  }

  absl::Status normalize(uint64_t row, int64_t variance, int64_t coarse) const {
    uint32_t exponent = 0;
    while (exponent < step_.max_exponent() && (variance >> (2 * exponent)) >= 65536) ++exponent;
    const int64_t mantissa = variance >> (2 * exponent);
    if (mantissa >= 65536 || variance >= kVarianceBound) {
      const int64_t most =
          std::min(kVarianceBound, int64_t{65536} << (2 * step_.max_exponent())) - 1;
      return context_.error(RangeViolation{"variance", row, 0, variance, 0, most});
    }
    const int64_t root = signedValue(roots_[static_cast<size_t>(mantissa)]);
    const int64_t shift = signedValue(shifts_[static_cast<size_t>(mantissa)]) + exponent;
    if (shift < 1 || shift > kMaxShift) {
      return context_.error(RangeViolation{"normalization shift", row, 0, shift, 1, kMaxShift});
    }
    put(step_.reciprocal(), row, root);
    put(step_.shift(), row, shift);
    put(step_.shift_power(), row, int64_t{1} << shift);
    put(step_.mantissa(), row, mantissa);
    put(step_.exponent(), row, exponent);
    put(step_.exponent_power(), row, int64_t{1} << (2 * exponent));
    put(step_.variance_remainder(), row, variance - (mantissa << (2 * exponent)));
    return scaleRow(row, coarse, root, shift);
  }

  absl::Status scaleRow(uint64_t row, int64_t coarse, int64_t root, int64_t shift) const {
    const uint64_t width = step_.width();
    const absl::Span<const int32_t> shifted =
        context_.out(step_.shifted()).subspan(row * width, width);
    const int64_t half = int64_t{1} << (shift - 1), mask = (int64_t{1} << shift) - 1;
    const int64_t high = (int64_t{1} << (step_.output_bits() - 1)) - 1, low = -high - 1;
    for (uint64_t c = 0; c < width; ++c) {
      const int64_t scaled = (2 * int64_t{shifted[c]} + coarse) * root + half, q = scaled >> shift;
      if (q < low || q > high)
        return context_.error(RangeViolation{"normalized value", row, c, q, low, high});
      put(step_.out(), row * width + c, q);
      put(step_.remainder(), row * width + c, scaled & mask);
    }
    return absl::OkStatus();
  }

  const StepContext& context_;
  const WideLayerNorm& step_;
  absl::Span<const uint32_t> roots_, shifts_;
};

}  // namespace

absl::Status run(const StepContext& context, const WideLayerNorm& step) {
  WideLayerNormRunner runner(context, step);
  return context.forEach(step.rows(), 4, [&](uint64_t row) { return runner.runRow(row); });
}

}  // namespace lindero::runtime
