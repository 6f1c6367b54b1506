#include "passes/quantize/fold_linear.h"

#include <cmath>

#include "gtest/gtest.h"

namespace lindero::passes {
namespace {

constexpr int64_t kIn = 24, kOut = 9, kLow = -20, kHigh = 2047;

ir::tensor::Array weights() {
  auto w = ir::tensor::Array::zeros(ir::Element::kFloat, {kIn, kOut});
  for (int64_t c = 0; c < kIn; ++c) {
    for (int64_t j = 0; j < kOut; ++j) {
      const auto at = static_cast<double>(c * c + 3 * j * j + c * j);
      w.reals[c * kOut + j] = std::cos(at) * static_cast<double>(j + 1);
    }
  }
  return w;
}

int64_t reachOf(const IntegerLinear& folded, int64_t j) {
  int64_t low = 0, high = 0;
  for (int64_t c = 0; c < kIn; ++c) {
    const int64_t w = folded.weights[c * kOut + j];
    low += std::min(w * kLow, w * kHigh), high += std::max(w * kLow, w * kHigh);
  }
  return std::max(-low, high);
}

TEST(FoldLinear, RefinesColumnsThatHaveRoom) {
  const ir::tensor::Array w = weights();
  const std::vector<double> ones(kIn, 1.0);
  const FoldLinear fold(w, nullptr, ones, {}, kLow, kHigh);
  constexpr int64_t kLimit = 30'000'000;
  std::vector<int> exponents(kOut, 7);
  auto folded = fold.fold(exponents, 16, kLimit);
  ASSERT_TRUE(folded.has_value());
  for (int round = 0; round < 4; ++round) {
    for (int64_t j = 0; j < kOut; ++j)
      EXPECT_EQ(static_cast<double>(reachOf(*folded, j)), folded->reach[j]) << j;
    const std::vector<int> finer = fold.refined(*folded, exponents, kLimit);
    for (int64_t j = 0; j < kOut; ++j) {
      // Rounding moves no bound by more than 24 weights of one.
      const bool has_room = 2 * folded->reach[j] + kIn * kHigh + 1 < kLimit;
      EXPECT_EQ(finer[j] - exponents[j], has_room ? 1 : 0) << j;
    }
    exponents = finer;
    folded = fold.fold(exponents, 24, kLimit);
    ASSERT_TRUE(folded.has_value()) << round;
  }
  EXPECT_GT(exponents.front(), exponents.back());
}

TEST(FoldLinear, RestsAreWhatRoundingTook) {
  const ir::tensor::Array w = weights();
  std::vector<double> factors;
  for (int64_t c = 0; c < kIn; ++c) factors.push_back(1 + 0.1 * static_cast<double>(c));
  const FoldLinear fold(w, nullptr, factors, {}, kLow, kHigh);
  std::vector<int> exponents(kOut, 3);
  exponents[4] = 5;
  const auto folded = fold.fold(exponents, 16, int64_t{1} << 30);
  ASSERT_TRUE(folded.has_value());
  const ir::tensor::Array rests = fold.rests(*folded, exponents);
  for (int64_t k = 0; k < kIn * kOut; ++k) {
    EXPECT_LE(std::abs(rests.reals[k]), 0.5);
    EXPECT_DOUBLE_EQ(folded->weights[k] + rests.reals[k],
                     std::ldexp(w.reals[k] * factors[k / kOut], exponents[k % kOut]))
        << k;
  }
}

}  // namespace
}  // namespace lindero::passes
