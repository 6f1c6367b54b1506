// The kernels of no gadget alone; those of gadgets have tests beside them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/trace/step_kernels.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

TEST(Kernels, EveryKindOfStepHasOne) {
  for (const program::StepDef& def : program::stepDefs()) EXPECT_TRUE(hasKernel(def)) << def.name;
}

TEST_F(StepKernels, TableLookup) {
  TableLookup step;
  step.set_key(buffer({-8, 7, 0, -1}));
  step.set_table(2);
  step.set_column(0);
  step.set_low(-8);
  step.set_rows(16);
  step.set_out(buffer(size_t{4}));
  ASSERT_TRUE(run(step).ok());
  EXPECT_THAT(result(1), ::testing::ElementsAre(-100, 125, -36, -51));
  step.set_first_row(2), step.set_low(-8), step.set_rows(13);
  EXPECT_THAT(std::string(run(step).message()), HasSubstr("table key 7 at [0, 1] is outside"));
}

TEST_F(StepKernels, CopyRows) {
  CopyRows step;
  step.set_in(buffer({1, 2, 3, 4, 5, 6}));
  step.set_width(2);
  for (uint32_t row : {2, 0, 2}) step.add_rows(row);
  step.set_out(buffer(size_t{6}));
  ASSERT_TRUE(run(step).ok());
  EXPECT_THAT(result(1), ::testing::ElementsAre(5, 6, 1, 2, 5, 6));
}

}  // namespace
}  // namespace lindero::runtime
