// The kernel against plain formulas, and the equations that its witnesses have to satisfy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/trace/step_kernels.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

TEST_F(StepKernels, Multiply) {
  for (const auto& [shift, limit] :
       {std::pair{1u, 8192}, {9u, 32768}, {16u, 32768}, {30u, 1 << 29}}) {
    for (bool squared : {false, true}) {
      program_.Clear();
      initial_.clear();
      std::vector<int64_t> a = draw(40000, -limit, limit - 1), b = draw(40000, -limit, limit - 1);
      // The ends, and what is halfway between two results.
      a[0] = a[1] = b[0] = -limit, b[1] = a[2] = b[2] = limit - 1, a[3] = -1,
      b[3] = 1 << (shift / 2);
      Multiply step;
      step.set_a(buffer(a));
      step.set_b(squared ? step.a() : buffer(b));
      step.set_shift(shift);
      step.set_bits(31);
      step.set_quotient(buffer(a.size()));
      step.set_remainder(buffer(a.size()));
      ASSERT_TRUE(run(step).ok());
      std::vector<int64_t> q = result(step.quotient()), r = result(step.remainder());
      for (size_t i = 0; i < a.size(); ++i) {
        const int64_t product = a[i] * (squared ? a[i] : b[i]), unit = int64_t{1} << shift;
        ASSERT_EQ(q[i] * unit + r[i] - unit / 2, product) << a[i] << " * " << b[i];
        ASSERT_TRUE(r[i] >= 0 && r[i] < unit) << a[i] << " * " << b[i] << " >> " << shift;
      }
    }
  }
}

TEST_F(StepKernels, MultiplyNamesTheFirstProductOutOfRange) {
  std::vector<int64_t> a(50000, 12), b(50000, -3);
  a[40000] = 1000, a[30000] = 341, a[20000] = 340;
  Multiply step;
  step.set_a(buffer(a));
  step.set_b(buffer(b));
  step.set_shift(2);
  step.set_bits(9);
  step.set_quotient(buffer(a.size()));
  step.set_remainder(buffer(a.size()));
  // (-3000 + 2) >> 2 = -750; -1023 gives -256, which fits.
  for (int threads : {1, 4}) {
    EXPECT_THAT(std::string(run(step, threads).message()),
                HasSubstr("product -750 at [0, 40000] is outside of the proven range [-256, 255]"));
  }
}

}  // namespace
}  // namespace lindero::runtime
