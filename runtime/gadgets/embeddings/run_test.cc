// The kernel against plain formulas, and the equations that its witnesses have to satisfy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/trace/step_kernels.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

TEST_F(StepKernels, LoadAndEmbedding) {
  // 6 rows of 2 columns: lanes are the columns "a" and "b".
  Embedding step;
  step.mutable_rows()->set_table(2);
  step.mutable_rows()->set_column(1);
  step.mutable_rows()->set_lanes(2);
  step.mutable_rows()->set_lane_stride(1);
  Dim* dim = step.mutable_rows()->add_dims();
  dim->set_count(6), dim->set_row_stride(1), dim->set_value_stride(2);
  step.set_ids(buffer({5, 0, 5}));
  step.set_vocabulary(6);
  step.set_width(2);
  step.set_out(buffer(size_t{6}));
  ASSERT_TRUE(run(step).ok());
  EXPECT_THAT(result(1), ::testing::ElementsAre(6, -6, 1, -1, 6, -6));
  step.set_addend(buffer({100, 200, 300, 400, 500, 600}));
  ASSERT_TRUE(run(step).ok());
  EXPECT_THAT(result(1), ::testing::ElementsAre(106, 194, 301, 399, 506, 594));
  initial_[0].second[1] = 6;
  EXPECT_THAT(std::string(run(step).message()), HasSubstr("row number 6 at [1, 0]"));
  Load load;
  *load.mutable_placement() = step.rows();
  load.set_out(buffer(size_t{12}));
  ASSERT_TRUE(run(load).ok());
  EXPECT_THAT(result(3), ::testing::ElementsAre(1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6));
}

}  // namespace
}  // namespace lindero::runtime
