#include "passes/quantize/fold_linear.h"

#include <algorithm>
#include <cmath>

namespace lindero::passes {
namespace {

std::vector<double> powersOfTwo(llvm::ArrayRef<int> exponents) {
  std::vector<double> powers;
  for (int exponent : exponents) powers.push_back(std::ldexp(1.0, exponent));
  return powers;
}

double roundHalfUp(double x) { return std::floor(x + 0.5); }

}  // namespace

FoldLinear::FoldLinear(const ir::tensor::Array& weight, const ir::tensor::Array* bias,
                       llvm::ArrayRef<double> factors, llvm::ArrayRef<double> beta, int64_t x_low,
                       int64_t x_high)
    : weight_(weight.reals),
      bias_(weight.shape[1], 0.0),
      has_bias_(bias != nullptr || !beta.empty()),
      factors_(factors),
      in_(weight.shape[0]),
      out_(weight.shape[1]),
      x_low_(x_low),
      x_high_(x_high) {
  if (bias != nullptr) bias_ = bias->reals;
  for (int64_t c = 0; !beta.empty() && c < in_; ++c) {
    for (int64_t j = 0; j < out_; ++j) bias_[j] += beta[c] * weight_[c * out_ + j];
  }
}

std::optional<IntegerLinear> FoldLinear::fold(llvm::ArrayRef<int> accumulator_exponents,
                                              int weight_bits, int64_t limit) const {
  const std::vector<double> powers = powersOfTwo(accumulator_exponents);
  const double weight_limit = std::ldexp(1.0, weight_bits - 1) - 1;
  IntegerLinear folded;
  folded.weights.resize(in_ * out_);
  std::vector<int64_t> low(out_, 0), high(out_, 0);
  for (int64_t j = 0; has_bias_ && j < out_; ++j) {
    const double value = roundHalfUp(bias_[j] * powers[j]);
    if (!(std::abs(value) < static_cast<double>(limit))) return std::nullopt;
    folded.bias.push_back(static_cast<int32_t>(value));
    low[j] = high[j] = folded.bias.back();
  }
  for (int64_t c = 0; c < in_; ++c) {
    for (int64_t j = 0; j < out_; ++j) {
      const double value = roundHalfUp(weightAt(c, j) * powers[j]);
      if (!(std::abs(value) <= weight_limit)) return std::nullopt;
      const int64_t w = static_cast<int64_t>(value);
      folded.weights[c * out_ + j] = static_cast<int32_t>(w);
      low[j] += std::min(w * x_low_, w * x_high_);
      high[j] += std::max(w * x_low_, w * x_high_);
    }
  }
  folded.low = *std::min_element(low.begin(), low.end());
  folded.high = *std::max_element(high.begin(), high.end());
  if (std::max(-folded.low, folded.high) >= limit) return std::nullopt;
  const auto [weight_low, weight_high] =
      std::minmax_element(folded.weights.begin(), folded.weights.end());
  folded.weight_low = *weight_low;
  folded.weight_high = *weight_high;
  if (has_bias_) {
    const auto [bias_low, bias_high] = std::minmax_element(folded.bias.begin(), folded.bias.end());
    folded.bias_low = *bias_low;
    folded.bias_high = *bias_high;
  }
  return folded;
}

double FoldLinear::bound(llvm::ArrayRef<int> accumulator_exponents) const {
  const std::vector<double> powers = powersOfTwo(accumulator_exponents);
  std::vector<double> sums(out_, 0.0);
  const double largest = static_cast<double>(std::max(-x_low_, x_high_));
  for (int64_t c = 0; c < in_; ++c) {
    for (int64_t j = 0; j < out_; ++j) sums[j] += std::abs(weightAt(c, j)) * largest;
  }
  double bound = 0;
  for (int64_t j = 0; j < out_; ++j)
    bound = std::max(bound, (sums[j] + std::abs(bias_[j])) * powers[j]);
  return bound;
}

double FoldLinear::largestWeight(llvm::ArrayRef<int> accumulator_exponents) const {
  const std::vector<double> powers = powersOfTwo(accumulator_exponents);
  double largest = 0;
  for (int64_t c = 0; c < in_; ++c) {
    for (int64_t j = 0; j < out_; ++j)
      largest = std::max(largest, std::abs(weightAt(c, j)) * powers[j]);
  }
  return largest;
}

}  // namespace lindero::passes
