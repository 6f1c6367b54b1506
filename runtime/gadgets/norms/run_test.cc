// The kernel against plain formulas, and the equations that its witnesses have to satisfy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/trace/step_kernels.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

TEST_F(StepKernels, LayerNorm) {
  constexpr int kRows = 9, kWidth = 50, kLanes = 8, kRowTiles = 7, kShift = 6;
  for (bool has_mean : {true, false}) {
    program_.Clear();
    initial_.clear();
    std::vector<int64_t> x;
    // From flat to as wide as the deviation allows.
    for (int64_t amplitude : {0, 1, 5, 60, 700, 3000, 9000, 16000, 30000}) {
      std::vector<int64_t> row = draw(kWidth, -amplitude, amplitude);
      for (int64_t& v : row) v += has_mean && amplitude < 16000 ? 1234 - amplitude : 0;
      x.insert(x.end(), row.begin(), row.end());
    }
    LayerNorm s;
    s.set_x(buffer(x));
    s.set_rows(kRows), s.set_width(kWidth), s.set_lanes(kLanes), s.set_has_mean(has_mean);
    s.set_square_shift(kShift), s.set_epsilon(3), s.set_output_bits(16), s.set_max_exponent(7);
    s.set_rsqrt_table(0), s.set_rsqrt_column(0), s.set_rsqrt_first_row(3);
    auto perRow = [&] { return buffer(size_t{kRows}); };
    s.set_mean(perRow()), s.set_reciprocal(perRow()), s.set_shift(perRow()),
        s.set_shift_power(perRow());
    s.set_mantissa(perRow()), s.set_exponent(perRow()), s.set_exponent_power(perRow()),
        s.set_variance_remainder(perRow());
    s.set_square(buffer(x.size())), s.set_out(buffer(x.size())), s.set_remainder(buffer(x.size()));
    s.set_deviation_sums(buffer(size_t{kRows * kRowTiles})),
        s.set_square_sums(buffer(size_t{kRows * kRowTiles}));
    ASSERT_TRUE(run(s).ok()) << run(s);
    std::vector<int64_t> mean = result(s.mean()), root = result(s.reciprocal()),
                         shift = result(s.shift()), power = result(s.shift_power()),
                         mantissa = result(s.mantissa()), exponent = result(s.exponent()),
                         exponent_power = result(s.exponent_power()),
                         rest = result(s.variance_remainder()), square = result(s.square()),
                         z = result(s.out()), remainder = result(s.remainder()),
                         d_sums = result(s.deviation_sums()), v_sums = result(s.square_sums());
    int exponents = 0;
    for (int row = 0; row < kRows; ++row) {
      int64_t sum = 0, variance = 3, deviations = 0;
      for (int c = 0; c < kWidth; ++c) sum += x[row * kWidth + c];
      int64_t expected =
          has_mean ? static_cast<int64_t>(std::floor((2.0 * sum + kWidth) / (2.0 * kWidth))) : 0;
      ASSERT_EQ(mean[row], expected) << row;
      for (int c = 0; c < kWidth; ++c) {
        int64_t d = x[row * kWidth + c] - expected, v = square[row * kWidth + c];
        ASSERT_EQ(v, static_cast<int64_t>(std::floor((static_cast<double>(d) * d + 32) / 64)));
        variance += v;
        deviations += d;
        if (c % kLanes == kLanes - 1 || c == kWidth - 1) {
          ASSERT_EQ(d_sums[row * kRowTiles + c / kLanes], deviations);
          ASSERT_EQ(v_sums[row * kRowTiles + c / kLanes], variance - 3);
        }
      }
      if (has_mean) {
        ASSERT_TRUE(2 * deviations + kWidth >= 0 && 2 * deviations + kWidth < 2 * kWidth);
      }
      ASSERT_EQ(exponent_power[row], int64_t{1} << (2 * exponent[row]));
      ASSERT_EQ(variance, mantissa[row] * exponent_power[row] + rest[row]);
      ASSERT_TRUE(rest[row] >= 0 && rest[row] < exponent_power[row]);
      ASSERT_TRUE(mantissa[row] < 65536 && (exponent[row] == 0 || mantissa[row] >= 16384));
      exponents += exponent[row] > 0;
      ASSERT_EQ(root[row], signedValue(package_->fixedColumn(0, 0)[3 + mantissa[row]]));
      ASSERT_EQ(shift[row],
                signedValue(package_->fixedColumn(0, 1)[3 + mantissa[row]]) + exponent[row]);
      ASSERT_EQ(power[row], int64_t{1} << shift[row]);
      for (int c = 0; c < kWidth; ++c) {
        int at = row * kWidth + c;
        int64_t scaled = (x[at] - mean[row]) * root[row];
        ASSERT_EQ(z[at],
                  static_cast<int64_t>(std::floor(static_cast<double>(scaled) / power[row] + 0.5)));
        ASSERT_EQ(scaled, z[at] * power[row] + remainder[at] - power[row] / 2);
        ASSERT_TRUE(remainder[at] >= 0 && remainder[at] < power[row]);
      }
    }
    EXPECT_GE(exponents, 2);
    // Ranges.
    initial_[0].second[4 * kWidth + 7] = 1 << 20;
    EXPECT_THAT(std::string(run(s).message()), HasSubstr("deviation from the mean"));
    initial_[0].second[4 * kWidth + 7] = 1;
    s.set_max_exponent(1);
    EXPECT_THAT(std::string(run(s).message()), HasSubstr("variance"));
    s.set_max_exponent(7), s.set_output_bits(4);
    EXPECT_THAT(std::string(run(s).message()), HasSubstr("normalized value"));
  }
}

}  // namespace
}  // namespace lindero::runtime
