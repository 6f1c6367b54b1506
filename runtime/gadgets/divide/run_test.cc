// The kernel against plain formulas, and the equations that its witnesses have to satisfy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/trace/step_kernels.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

TEST_F(StepKernels, Divide) {
  for (uint32_t shift : {0u, 5u, 13u}) {
    program_.Clear();
    initial_.clear();
    std::vector<int64_t> a = draw(40000, -32768, 32767), b = draw(40000, -32768, 32767);
    for (int64_t& x : b) x += x == 0;
    a[0] = a[1] = b[0] = b[2] = -32768, b[1] = 1, a[2] = 32767, b[3] = -1;
    Divide step;
    step.set_a(buffer(a));
    step.set_b(buffer(b));
    step.set_shift(shift);
    step.set_bits(31);
    step.set_quotient(buffer(a.size()));
    step.set_remainder(buffer(a.size()));
    step.set_negative(buffer(a.size()));
    ASSERT_TRUE(run(step).ok());
    std::vector<int64_t> q = result(step.quotient()), r = result(step.remainder()),
                         n = result(step.negative());
    for (size_t i = 0; i < a.size(); ++i) {
      const int64_t sign = b[i] < 0 ? -1 : 1, size = sign * b[i];
      ASSERT_EQ(n[i], b[i] < 0);
      ASSERT_EQ(q[i] * b[i] + r[i], a[i] << shift) << a[i] << " / " << b[i];
      ASSERT_TRUE(-size <= 2 * sign * r[i] && 2 * sign * r[i] < size) << a[i] << " / " << b[i];
    }
  }
}

TEST_F(StepKernels, DivideRefusesZeros) {
  Divide step;
  step.set_a(buffer({1, 2, 3}));
  step.set_b(buffer({1, 0, 3}));
  step.set_bits(8);
  step.set_quotient(buffer(3));
  step.set_remainder(buffer(3));
  step.set_negative(buffer(3));
  EXPECT_THAT(std::string(run(step).message()), HasSubstr("element 1 is divided by 0"));
}

}  // namespace
}  // namespace lindero::runtime
