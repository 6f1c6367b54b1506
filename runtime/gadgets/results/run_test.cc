// The kernel against plain formulas, and the equations that its witnesses have to satisfy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/trace/step_kernels.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

TEST_F(StepKernels, Requantize) {
  for (uint32_t shift : {1u, 5u, 16u, 20u}) {
    for (bool has_addend : {false, true}) {
      program_.Clear();
      initial_.clear();
      std::vector<int64_t> acc = draw(20000, -(1 << 29), 1 << 29),
                           addend = draw(20000, -30000, 30000);
      Requantize step;
      step.set_acc(buffer(acc));
      step.set_shift(shift);
      step.set_bits(31);
      if (has_addend) step.set_addend(buffer(addend)), step.set_addend_shift(13);
      step.set_quotient(buffer(acc.size()));
      step.set_remainder(buffer(acc.size()));
      ASSERT_TRUE(run(step).ok());
      std::vector<int64_t> q = result(step.quotient()), r = result(step.remainder());
      for (size_t i = 0; i < acc.size(); ++i) {
        int64_t sum = acc[i] + (has_addend ? addend[i] * 8192 : 0);
        double rounded = std::floor(static_cast<double>(sum) / (1 << shift) + 0.5);
        ASSERT_EQ(q[i], static_cast<int64_t>(rounded)) << sum << " >> " << shift;
        ASSERT_EQ(q[i] * (1 << shift) + r[i] - (1 << (shift - 1)), sum);
        ASSERT_TRUE(r[i] >= 0 && r[i] < 1 << shift);
      }
    }
  }
}

TEST_F(StepKernels, RequantizeNamesTheFirstValueOutOfRange) {
  std::vector<int64_t> acc(50000, 12);
  acc[40000] = -1000, acc[30000] = 1022, acc[20000] = 1021, acc[10000] = -1026;
  Requantize step;
  step.set_acc(buffer(acc));
  step.set_shift(2);
  step.set_bits(9);
  step.set_quotient(buffer(acc.size()));
  step.set_remainder(buffer(acc.size()));
  // 1022 + 2 >> 2 = 256 is the first that does not fit; 1021 gives 255, -1026 gives -256.
  for (int threads : {1, 4}) {
    EXPECT_THAT(
        std::string(run(step, threads).message()),
        HasSubstr(
            "requantized value 256 at [0, 30000] is outside of the proven range [-256, 255]"));
  }
}

}  // namespace
}  // namespace lindero::runtime
