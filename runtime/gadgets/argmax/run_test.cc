// The kernel against plain formulas, and the equations that its witnesses have to satisfy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/trace/step_kernels.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

TEST_F(StepKernels, Argmax) {
  constexpr int kRows = 40, kWidth = 21, kLanes = 4, kRowTiles = 6, kPadded = 24;
  std::vector<int64_t> values = draw(kRows * kWidth, -5, 5);
  values[3] = (1 << 29) - 1, values[4] = -(1 << 29) + 1, values[2] = values[3];
  Argmax step;
  step.set_values(buffer(values));
  step.set_rows(kRows), step.set_width(kWidth), step.set_lanes(kLanes);
  step.set_index(buffer(size_t{kRows})), step.set_maximum(buffer(size_t{kRows}));
  step.set_before(buffer(size_t{kRows * kPadded})), step.set_high(buffer(size_t{kRows * kPadded})),
      step.set_low(buffer(size_t{kRows * kPadded}));
  step.set_index_sums(buffer(size_t{kRows * kRowTiles}));
  ASSERT_TRUE(run(step).ok());
  std::vector<int64_t> index = result(step.index()), maximum = result(step.maximum()),
                       before = result(step.before()), high = result(step.high()),
                       low = result(step.low()), sums = result(step.index_sums());
  EXPECT_EQ(index[0], 2);
  for (int row = 0; row < kRows; ++row) {
    int64_t best = 0;
    for (int c = 1; c < kWidth; ++c) {
      if (values[row * kWidth + c] > values[row * kWidth + best]) best = c;
    }
    ASSERT_EQ(index[row], best);
    ASSERT_EQ(maximum[row], values[row * kWidth + best]);
    for (int c = 0; c < kPadded; ++c) {
      int at = row * kPadded + c;
      int64_t value = c < kWidth ? values[row * kWidth + c] : -((1 << 29) - 1);
      ASSERT_EQ(before[at], c < best);
      ASSERT_EQ(maximum[row] - value, before[at] + (high[at] << 15) + low[at]);
      ASSERT_TRUE(low[at] >= 0 && low[at] < 32768 && high[at] >= 0 && high[at] < 32768);
    }
    for (int b = 0; b < kRowTiles; ++b)
      ASSERT_EQ(sums[row * kRowTiles + b], std::min<int64_t>(best, (b + 1) * kLanes));
  }
  initial_[0].second[7] = 1 << 29;
  EXPECT_THAT(std::string(run(step).message()), HasSubstr("compared value 536870912 at [0, 7]"));
}

}  // namespace
}  // namespace lindero::runtime
