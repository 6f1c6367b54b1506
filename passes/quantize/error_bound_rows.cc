#include "passes/quantize/error_bound_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "passes/quantize/double_interval.h"

namespace lindero::passes {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double farthest(const DoubleInterval& a, const DoubleInterval& b) {
  return std::max(a.high - b.low, b.high - a.low);
}

// Of each score, if the others move by so much against it.
DoubleInterval probability(llvm::ArrayRef<double> scores, llvm::ArrayRef<double> errors, size_t j) {
  double least = 0, most = 0;  // of the sum over all e^(s_k - s_j)
  for (size_t k = 0; k < scores.size(); ++k) {
    const double apart = k == j ? 0 : scores[k] - scores[j];
    const double error = k == j ? 0 : errors[k] + errors[j];
    least += std::exp(apart - error);
    most += std::exp(apart + error);
  }
  return {1 / most, 1 / least};
}

// Of row_shift, if deviations may reach this.
int shiftOf(double largest, int most) {
  int shift = 0;
  while (shift < most && std::ldexp(largest, -shift) >= 0x1p15 - 1) ++shift;
  return shift;
}

// A quotient by a positive interval.
DoubleInterval over(const DoubleInterval& a, const DoubleInterval& b) {
  return {a.low / (a.low < 0 ? b.low : b.high), a.high / (a.high < 0 ? b.high : b.low)};
}

}  // namespace

void SoftmaxBound::row(llvm::ArrayRef<double> scores, llvm::ArrayRef<double> errors,
                       llvm::MutableArrayRef<double> bounds) const {
  const double place = std::ldexp(1.0, -probability_bits), half = place / 2;
  const auto count = static_cast<double>(scores.size());
  const std::vector<double> rounding(scores.size(), key / 2);
  for (size_t j = 0; j < scores.size(); ++j) {
    const DoubleInterval tabulated = probability(scores, rounding, j);
    const DoubleInterval integers = {tabulated.low * std::exp(-key) * (1 - count * half) - half,
                                     std::min(tabulated.high * (1 + count * half) + half, 1.0)};
    const DoubleInterval reals = probability(scores, errors, j);
    bounds[j] = farthest({std::max(integers.low, 0.0), integers.high}, reals) / place + hidden;
  }
}

void NormBound::row(llvm::ArrayRef<double> x, llvm::ArrayRef<double> errors,
                    llvm::MutableArrayRef<double> bounds) const {
  const auto n = static_cast<double>(x.size());
  const double mean = has_mean ? std::accumulate(x.begin(), x.end(), 0.0) / n : 0;
  double squares = 0, error_squares = 0, error_sum = 0, largest = 0, sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = std::abs(x[i] - mean);
    squares += d * d;
    sum += d;
    largest = std::max(largest, d);
    error_sum += errors[i];
    error_squares += errors[i] * errors[i];
  }
  const double moved = std::sqrt(error_squares / n);
  const double unit = std::ldexp(1.0, square_shift);  // of V, in that of x^2
  const double least_epsilon = std::max(static_cast<double>(epsilon) - 0.5, 0.0) * unit,
               most_epsilon = (static_cast<double>(epsilon) + 0.5) * unit;
  const DoubleInterval deviation = {std::sqrt((squares + least_epsilon) / n) - moved,
                                    std::sqrt((squares + most_epsilon) / n) + moved};

  // The integers'.
  const double half_mean = has_mean ? 0.5 : 0;
  const int shift = shiftOf(largest + half_mean, row_shift);
  const double coarse = std::ldexp(1.0, 2 * shift);  // of what is squared, in that of x^2
  double rounded = n * unit / 2 * coarse + (shift > 0 ? unit / 2 * coarse : 0);
  if (shift > 0) rounded += 2 * (sum + n * half_mean) * std::ldexp(1.0, shift) + n * coarse;
  const double given = squares + static_cast<double>(epsilon) * unit;
  const DoubleInterval variance = {
      (given - rounded) * (1 - 0x1p-15) / n,
      (given + n * half_mean * half_mean + rounded) * (1 + 0x1p-15) / n};
  const double root = 0.5 / (least_root - 0.5);
  const double scale = std::ldexp(1.0, exponent), most = std::sqrt(n);
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = x[i] - mean;
    const double error = has_mean ? errors[i] + (error_sum - errors[i]) / n : errors[i];
    DoubleInterval reals = {-most, most}, integers = {-most, most};
    if (deviation.low > 0) {
      reals = over({d - error, d + error}, deviation);
      reals = {std::max(reals.low, -most), std::min(reals.high, most)};
    }
    if (variance.low > 0) {
      const double lost = half_mean + (shift > 0 ? std::ldexp(0.5, shift) : 0);
      integers = over({d - lost, d + lost}, {std::sqrt(variance.low), std::sqrt(variance.high)});
      const double relative = root * std::max(std::abs(integers.low), std::abs(integers.high));
      integers = {integers.low - relative, integers.high + relative};
    } else {
      integers = {-kInfinity, kInfinity};
    }
    bounds[i] = farthest(reals, integers) * scale + 0.5;
  }
}

}  // namespace lindero::passes
