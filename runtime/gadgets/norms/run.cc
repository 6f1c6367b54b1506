// LayerNorm and RMSNorm without division: the reciprocal root of the variance comes from a table on
// its leading bits.

#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

constexpr int64_t kMaxDeviation = 32767;
constexpr int64_t kVarianceBound = int64_t{1} << 30;
constexpr int64_t kMaxShift = 16;

// floor((2 * sum + n) / (2 * n))
int64_t roundedMean(int64_t sum, int64_t n) {
  int64_t numerator = 2 * sum + n, quotient = numerator / (2 * n);
  return quotient - (numerator % (2 * n) < 0 ? 1 : 0);
}

class LayerNormRunner {
 public:
  LayerNormRunner(const StepContext& context, const LayerNorm& step)
      : context_(context),
        step_(step),
        roots_(
            context.fixed(step.rsqrt_table(), step.rsqrt_column(), step.rsqrt_first_row(), 65536)),
        shifts_(context.fixed(step.rsqrt_table(), step.rsqrt_column() + 1, step.rsqrt_first_row(),
                              65536)),
        row_tiles_((uint64_t{step.width()} + step.lanes() - 1) / step.lanes()) {}

  absl::Status runRow(uint64_t row) const {
    const uint64_t width = step_.width();
    absl::Span<const int32_t> x = context_.in(step_.x()).subspan(row * width, width);
    int64_t sum = 0;
    for (int32_t v : x) sum += v;
    const int64_t mean = step_.has_mean() ? roundedMean(sum, static_cast<int64_t>(width)) : 0;
    const int64_t half = (int64_t{1} << step_.square_shift()) >> 1;
    absl::Span<int32_t> squares = context_.out(step_.square()).subspan(row * width, width);
    int64_t deviations = 0, variance = 0;
    for (uint64_t c = 0; c < width; ++c) {
      int64_t d = x[c] - mean;
      if (d < -kMaxDeviation || d > kMaxDeviation) {
        return context_.error(
            RangeViolation{"deviation from the mean", row, c, d, -kMaxDeviation, kMaxDeviation});
      }
      squares[c] = static_cast<int32_t>((d * d + half) >> step_.square_shift());
      deviations += d;
      variance += squares[c];
      // Running sums of whole row tiles, and of the last one, which may be shorter.
      if ((c + 1) % step_.lanes() == 0 || c + 1 == width) {
        uint64_t tile = row * row_tiles_ + c / step_.lanes();
        context_.out(step_.deviation_sums())[tile] = static_cast<int32_t>(deviations);
        context_.out(step_.square_sums())[tile] = static_cast<int32_t>(variance);
      }
      if (variance >= kVarianceBound || deviations > kMaxElement || deviations < -kMaxElement) {
        return context_.error(RangeViolation{"variance", row, c, variance, 0, kVarianceBound - 1});
      }
    }
    return normalize(row, mean, variance + step_.epsilon());
  }

 private:
  absl::Status normalize(uint64_t row, int64_t mean, int64_t variance) const {
    if (variance >= kVarianceBound) {
      return context_.error(RangeViolation{"variance", row, 0, variance, 0, kVarianceBound - 1});
    }
    uint32_t exponent = 0;
    while (exponent < step_.max_exponent() && (variance >> (2 * exponent)) >= 65536) ++exponent;
    const int64_t mantissa = variance >> (2 * exponent);
    if (mantissa >= 65536) {
      return context_.error(RangeViolation{"variance", row, 0, variance, 0,
                                           (int64_t{65536} << (2 * step_.max_exponent())) - 1});
    }
    const int64_t root = signedValue(roots_[static_cast<size_t>(mantissa)]);
    const int64_t shift = signedValue(shifts_[static_cast<size_t>(mantissa)]) + exponent;
    if (shift < 0 || shift > kMaxShift) {
      return context_.error(RangeViolation{"normalization shift", row, 0, shift, 0, kMaxShift});
    }
    auto put = [&](uint32_t buffer, int64_t value) {
      context_.out(buffer)[row] = static_cast<int32_t>(value);
    };
    put(step_.mean(), mean);
    put(step_.reciprocal(), root);
    put(step_.shift(), shift);
    put(step_.shift_power(), int64_t{1} << shift);
    put(step_.mantissa(), mantissa);
    put(step_.exponent(), exponent);
    put(step_.exponent_power(), int64_t{1} << (2 * exponent));
    put(step_.variance_remainder(), variance - (mantissa << (2 * exponent)));
    return scaleRow(row, mean, root, shift);
  }

  absl::Status scaleRow(uint64_t row, int64_t mean, int64_t root, int64_t shift) const {
    const uint64_t width = step_.width();
    absl::Span<const int32_t> x = context_.in(step_.x()).subspan(row * width, width);
    absl::Span<int32_t> z = context_.out(step_.out()).subspan(row * width, width);
    absl::Span<int32_t> remainder = context_.out(step_.remainder()).subspan(row * width, width);
    const int64_t half = (int64_t{1} << shift) >> 1, mask = (int64_t{1} << shift) - 1;
    const int64_t high = (int64_t{1} << (step_.output_bits() - 1)) - 1, low = -high - 1;
    for (uint64_t c = 0; c < width; ++c) {
      int64_t scaled = (x[c] - mean) * root + half;
      int64_t q = scaled >> shift;
      if (q < low || q > high)
        return context_.error(RangeViolation{"normalized value", row, c, q, low, high});
      z[c] = static_cast<int32_t>(q);
      remainder[c] = static_cast<int32_t>(scaled & mask);
    }
    return absl::OkStatus();
  }

  const StepContext& context_;
  const LayerNorm& step_;
  absl::Span<const uint32_t> roots_, shifts_;
  uint64_t row_tiles_;
};

}  // namespace

absl::Status run(const StepContext& context, const LayerNorm& step) {
  LayerNormRunner runner(context, step);
  return context.forEach(step.rows(), 4, [&](uint64_t row) { return runner.runRow(row); });
}

}  // namespace lindero::runtime
