#include "passes/quantize/fold_linear.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "llvm/Support/Parallel.h"

namespace lindero::passes {
namespace {

// Columns are independent of one another: blocks of them run in parallel, each row by row.
constexpr int64_t kBlock = 256;

using Row = Eigen::Array<double, 1, Eigen::Dynamic>;
template <typename T>
using Segment = Eigen::Map<Eigen::Array<T, 1, Eigen::Dynamic>>;
template <typename T>
using ConstSegment = Eigen::Map<const Eigen::Array<T, 1, Eigen::Dynamic>>;

std::vector<double> powersOfTwo(llvm::ArrayRef<int> exponents) {
  std::vector<double> powers;
  for (int exponent : exponents) powers.push_back(std::ldexp(1.0, exponent));
  return powers;
}

double roundHalfUp(double x) { return std::floor(x + 0.5); }

ConstSegment<double> segment(const std::vector<double>& values, int64_t first, int64_t count) {
  return {values.data() + first, count};
}
Segment<double> segment(std::vector<double>& values, int64_t first, int64_t count) {
  return {values.data() + first, count};
}

template <typename Visit>
void forEachBlock(int64_t columns, Visit visit) {
  llvm::parallelFor(0, (columns + kBlock - 1) / kBlock, [&](size_t block) {
    const int64_t first = static_cast<int64_t>(block) * kBlock;
    visit(first, std::min(kBlock, columns - first));
  });
}

}  // namespace

FoldLinear::FoldLinear(const ir::tensor::Array& weight, const ir::tensor::Array* bias,
                       llvm::ArrayRef<double> factors, llvm::ArrayRef<double> beta, int64_t x_low,
                       int64_t x_high)
    : weight_(weight),
      bias_(weight.shape[1], 0.0),
      has_bias_(bias != nullptr || !beta.empty()),
      factors_(factors),
      in_(weight.shape[0]),
      out_(weight.shape[1]),
      x_low_(x_low),
      x_high_(x_high),
      sums_(out_, 0.0),
      largest_(out_, 0.0) {
  if (bias != nullptr) bias_ = bias->reals;
  forEachBlock(out_, [&](int64_t first, int64_t count) {
    forEachRow(first, count, [&](int64_t c, const auto& row) {
      if (!beta.empty()) segment(bias_, first, count) += beta[c] * row;
      const Row magnitude = (row * factors_[c]).abs();
      segment(sums_, first, count) += magnitude;
      segment(largest_, first, count) = segment(largest_, first, count).max(magnitude);
    });
  });
}

template <typename Visit>
void FoldLinear::forEachRow(int64_t first, int64_t count, Visit visit) const {
  Row row(count);
  for (int64_t c = 0; c < in_; ++c) {
    const int64_t at = c * out_ + first;
    if (weight_.floats.empty()) {
      row = ConstSegment<double>(weight_.reals.data() + at, count);
    } else {
      row = ConstSegment<float>(weight_.floats.data() + at, count).cast<double>();
    }
    visit(c, row);
  }
}

// Rounding moves a weight by at most a half, which the exact sums decide on; most shifts are far
// from that.
bool FoldLinear::cannotFit(llvm::ArrayRef<double> powers, double weight_limit, double limit) const {
  const double least = static_cast<double>(std::min(-x_low_, x_high_));
  for (int64_t j = 0; j < out_; ++j) {
    if (largest_[j] * powers[j] > weight_limit + 1) return true;
    const double weights = sums_[j] * powers[j] - static_cast<double>(in_);
    if (weights * least - std::abs(bias_[j]) * powers[j] - 1 >= limit) return true;
  }
  return false;
}

std::optional<IntegerLinear> FoldLinear::fold(llvm::ArrayRef<int> accumulator_exponents,
                                              int weight_bits, int64_t limit) const {
  const std::vector<double> powers = powersOfTwo(accumulator_exponents);
  const double weight_limit = std::ldexp(1.0, weight_bits - 1) - 1;
  if (cannotFit(powers, weight_limit, static_cast<double>(limit))) return std::nullopt;
  IntegerLinear folded;
  // Integers below 2^53: exact.
  std::vector<double> low(out_, 0.0), high(out_, 0.0), least(out_, 0.0), greatest(out_, 0.0);
  for (int64_t j = 0; has_bias_ && j < out_; ++j) {
    const double value = roundHalfUp(bias_[j] * powers[j]);
    if (!(std::abs(value) < static_cast<double>(limit))) return std::nullopt;
    folded.bias.push_back(static_cast<int32_t>(value));
    low[j] = high[j] = value;
  }
  // Large, and written below by all cores.
  folded.weights.resize_for_overwrite(in_ * out_);
  const auto x_low = static_cast<double>(x_low_), x_high = static_cast<double>(x_high_);
  forEachBlock(out_, [&](int64_t first, int64_t count) {
    const auto power = segment(powers, first, count);
    forEachRow(first, count, [&](int64_t c, const auto& row) {
      const Row w = (row * factors_[c] * power + 0.5).floor();
      Segment<int32_t>(folded.weights.data() + c * out_ + first, count) = w.cast<int32_t>();
      segment(low, first, count) += (w * x_low).min(w * x_high);
      segment(high, first, count) += (w * x_low).max(w * x_high);
      segment(least, first, count) = segment(least, first, count).min(w);
      segment(greatest, first, count) = segment(greatest, first, count).max(w);
    });
  });
  const double weight_low = *std::min_element(least.begin(), least.end());
  const double weight_high = *std::max_element(greatest.begin(), greatest.end());
  if (!(std::max(-weight_low, weight_high) <= weight_limit)) return std::nullopt;
  folded.low = static_cast<int64_t>(*std::min_element(low.begin(), low.end()));
  folded.high = static_cast<int64_t>(*std::max_element(high.begin(), high.end()));
  if (std::max(-folded.low, folded.high) >= limit) return std::nullopt;
  for (int64_t j = 0; j < out_; ++j) folded.reach.push_back(std::max(-low[j], high[j]));
  folded.weight_low = static_cast<int64_t>(weight_low);
  folded.weight_high = static_cast<int64_t>(weight_high);
  if (has_bias_) {
    const auto [bias_low, bias_high] = std::minmax_element(folded.bias.begin(), folded.bias.end());
    folded.bias_low = *bias_low;
    folded.bias_high = *bias_high;
  }
  return folded;
}

std::vector<int> FoldLinear::refined(const IntegerLinear& folded,
                                     llvm::ArrayRef<int> accumulator_exponents,
                                     int64_t limit) const {
  // A weight of one bit more is rounded to twice what it was, or next to that.
  const double rounding = static_cast<double>(in_ * std::max(-x_low_, x_high_)) + 1;
  std::vector<int> exponents(accumulator_exponents.begin(), accumulator_exponents.end());
  for (int64_t j = 0; j < out_; ++j)
    exponents[j] += 2 * folded.reach[j] + rounding < static_cast<double>(limit) ? 1 : 0;
  return exponents;
}

ir::tensor::Array FoldLinear::rests(const IntegerLinear& folded,
                                    llvm::ArrayRef<int> accumulator_exponents) const {
  const std::vector<double> powers = powersOfTwo(accumulator_exponents);
  ir::tensor::Array rests = ir::tensor::Array::zeros(ir::Element::kFloat, {in_, out_});
  forEachBlock(out_, [&](int64_t first, int64_t count) {
    const auto power = segment(powers, first, count);
    forEachRow(first, count, [&](int64_t c, const auto& row) {
      const Eigen::Map<const Eigen::Array<int32_t, 1, Eigen::Dynamic>> w(
          folded.weights.data() + c * out_ + first, count);
      segment(rests.reals, c * out_ + first, count) =
          row * factors_[c] * power - w.template cast<double>();
    });
  });
  return rests;
}

double FoldLinear::bound(llvm::ArrayRef<int> accumulator_exponents) const {
  const std::vector<double> powers = powersOfTwo(accumulator_exponents);
  const double largest = static_cast<double>(std::max(-x_low_, x_high_));
  double bound = 0;
  for (int64_t j = 0; j < out_; ++j)
    bound = std::max(bound, (sums_[j] * largest + std::abs(bias_[j])) * powers[j]);
  return bound;
}

double FoldLinear::largestWeight(llvm::ArrayRef<int> accumulator_exponents) const {
  const std::vector<double> powers = powersOfTwo(accumulator_exponents);
  double largest = 0;
  for (int64_t j = 0; j < out_; ++j) largest = std::max(largest, largest_[j] * powers[j]);
  return largest;
}

}  // namespace lindero::passes
