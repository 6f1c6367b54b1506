// The kernel against plain formulas, and the equations that its witnesses have to satisfy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/trace/step_kernels.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

TEST_F(StepKernels, MatMul) {
  struct Case {
    uint32_t batch, m, k, n;
    int64_t lhs, rhs;  // magnitudes
    bool transposed, bias;
  };
  for (const Case& c :
       {Case{1, 3, 5, 4, 2047, 60000, false, true}, Case{1, 300, 70, 270, 2047, 1000, false, true},
        Case{3, 7, 1100, 9, 100, 2000, true, false}, Case{2, 1, 1, 1, 7, 7, false, false},
        Case{1, 4, 3, 5, 1 << 30, 0, false, true}, Case{1, 2, 1, 2, 1 << 30, 0, false, false}}) {
    program_.Clear();
    initial_.clear();
    std::vector<int64_t> lhs = draw(c.batch * c.m * c.k, -c.lhs, c.lhs),
                         rhs = draw(c.batch * c.k * c.n, -c.rhs, c.rhs);
    // Too large for doubles as a bound, small as a result.
    if (c.rhs == 0) rhs.back() = 1, lhs[0] = 1 << 29, rhs[0] = c.m == 4 ? 1 : 0;
    for (int64_t& v : lhs) {
      if (c.rhs == 0) v /= 3;
    }
    std::vector<int64_t> bias = draw(c.n, -1000, 1000);
    MatMul step;
    step.set_lhs(buffer(lhs));
    step.set_rhs(buffer(rhs));
    step.set_out(buffer(size_t{c.batch} * c.m * c.n));
    if (c.bias) step.set_bias(buffer(bias));
    step.set_batch(c.batch), step.set_m(c.m), step.set_k(c.k), step.set_n(c.n);
    auto strides = [](Strides* s, int64_t batch, int64_t row, int64_t column) {
      s->set_batch(batch), s->set_row(row), s->set_column(column);
    };
    strides(step.mutable_lhs_strides(), c.m * c.k, c.k, 1);
    // Transposed: rhs is stored as [b][n][k], out as [n][b][m].
    if (c.transposed) {
      strides(step.mutable_rhs_strides(), c.k * c.n, 1, c.k);
      strides(step.mutable_out_strides(), c.m, 1, c.batch * c.m);
    } else {
      strides(step.mutable_rhs_strides(), c.k * c.n, c.n, 1);
      strides(step.mutable_out_strides(), c.m * c.n, c.n, 1);
    }
    ASSERT_TRUE(run(step).ok());
    std::vector<int64_t> out = result(step.out());
    for (uint32_t b = 0; b < c.batch; ++b) {
      for (uint32_t i = 0; i < c.m; ++i) {
        for (uint32_t j = 0; j < c.n; ++j) {
          int64_t sum = c.bias ? bias[j] : 0;
          for (uint32_t k = 0; k < c.k; ++k) {
            sum += lhs[(b * c.m + i) * c.k + k] *
                   (c.transposed ? rhs[(b * c.n + j) * c.k + k] : rhs[(b * c.k + k) * c.n + j]);
          }
          ASSERT_EQ(out[c.transposed ? (j * c.batch + b) * c.m + i : (b * c.m + i) * c.n + j], sum)
              << b << " " << i << " " << j << " of " << c.m << " " << c.n;
        }
      }
    }
  }
}

// Of weights that are never loaded, the same as of those that are.
TEST_F(StepKernels, MatMulReadsFixedColumnsInPlace) {
  struct Case {
    uint32_t k, n;
    int64_t rows_apart, offset;
  };
  for (const Case& c : {Case{60, 80, 1, 0}, Case{60, 33, 1, 0}, Case{20, 240, 3, 0},
                        Case{20, 80, 3, 160}, Case{6, 1500, 20, 28}, Case{1, 200, 3, 79}}) {
    program_.Clear();
    initial_.clear();
    Load& load = *program_.add_steps()->mutable_load();
    Placement& placement = *load.mutable_placement();
    placement.set_table(3), placement.set_lanes(kWeightLanes), placement.set_lane_stride(1);
    placement.set_first_row(5);
    Dim& rows = *placement.add_dims();
    rows.set_count(120), rows.set_row_stride(1), rows.set_value_stride(kWeightLanes);
    load.set_out(buffer(size_t{120} * kWeightLanes));
    ASSERT_TRUE(run(load).ok());
    std::vector<int64_t> weights = result(load.out());
    MatMul& step = *program_.add_steps()->mutable_matmul();
    step.set_rhs(load.out());
    step.set_lhs(buffer(draw(7 * c.k, -2047, 2047)));
    step.set_bias(buffer(draw(c.n, -1000, 1000)));
    step.set_out(buffer(size_t{7} * c.n));
    step.set_batch(1), step.set_m(7), step.set_k(c.k), step.set_n(c.n);
    auto strides = [](Strides* s, int64_t row, int64_t offset) {
      s->set_row(row), s->set_column(1), s->set_offset(offset);
    };
    strides(step.mutable_lhs_strides(), c.k, 0);
    strides(step.mutable_rhs_strides(), c.rows_apart * kWeightLanes, c.offset);
    strides(step.mutable_out_strides(), c.n, 0);
    initial_.push_back({load.out(), weights});
    ASSERT_TRUE(run(step).ok());
    const std::vector<int64_t> expected = result(step.out());
    initial_.pop_back();
    in_place_ = matricesInPlace(program_);
    ASSERT_EQ(in_place_.count(load.out()), 1);
    ASSERT_TRUE(run(step).ok());
    EXPECT_EQ(result(step.out()), expected) << c.k << " x " << c.n;
    in_place_.clear();
  }
}

// A matrix that anything else reads has to be loaded.
TEST_F(StepKernels, FixedColumnsThatAreReadInAnotherWayAreLoaded) {
  Load& load = *program_.add_steps()->mutable_load();
  Placement& placement = *load.mutable_placement();
  placement.set_table(3), placement.set_lanes(kWeightLanes), placement.set_lane_stride(1);
  Dim& rows = *placement.add_dims();
  rows.set_count(120), rows.set_row_stride(1), rows.set_value_stride(kWeightLanes);
  load.set_out(buffer(size_t{120} * kWeightLanes));
  MatMul& step = *program_.add_steps()->mutable_matmul();
  step.set_rhs(load.out());
  step.set_lhs(buffer(size_t{120}));
  step.set_out(buffer(size_t{kWeightLanes}));
  step.set_batch(1), step.set_m(1), step.set_k(120), step.set_n(kWeightLanes);
  step.mutable_rhs_strides()->set_row(kWeightLanes);
  step.mutable_rhs_strides()->set_column(1);
  const Program honest = program_;
  EXPECT_EQ(matricesInPlace(honest).size(), 1);
  auto in_place = [&](auto change) {
    Program changed = honest;
    change(changed);
    return !matricesInPlace(changed).empty();
  };
  EXPECT_FALSE(in_place([](Program& p) { p.mutable_steps(1)->mutable_matmul()->set_lhs(0); }));
  EXPECT_FALSE(in_place([](Program& p) { p.mutable_steps(1)->mutable_matmul()->set_bias(0); }));
  EXPECT_FALSE(in_place([](Program& p) { p.mutable_steps(1)->mutable_matmul()->set_batch(2); }));
  EXPECT_FALSE(in_place([](Program& p) {
    p.mutable_steps(1)->mutable_matmul()->mutable_rhs_strides()->set_row(81);
  }));
  EXPECT_FALSE(in_place([](Program& p) { p.add_placements()->set_buffer(0); }));
  EXPECT_FALSE(in_place([](Program& p) { *p.add_steps() = p.steps(0); }));
  EXPECT_FALSE(in_place([](Program& p) { p.add_steps()->mutable_copy_rows()->set_in(0); }));
  EXPECT_FALSE(in_place([](Program& p) { p.mutable_buffers(0)->set_size(121 * kWeightLanes); }));
  EXPECT_FALSE(in_place(
      [](Program& p) { p.mutable_steps(0)->mutable_load()->mutable_placement()->set_offset(1); }));
}

TEST_F(StepKernels, MatMulChecksItsResults) {
  MatMul step;
  step.set_lhs(buffer({1 << 20, 1}));
  step.set_rhs(buffer({1 << 10, -1}));
  step.set_out(buffer(size_t{1}));
  step.set_batch(1), step.set_m(1), step.set_k(2), step.set_n(1);
  step.mutable_lhs_strides()->set_column(1);
  step.mutable_rhs_strides()->set_row(1);
  ASSERT_TRUE(run(step).ok());
  EXPECT_EQ(result(2)[0], (1 << 30) - 1);
  initial_[1].second[1] = 0;
  EXPECT_THAT(std::string(run(step).message()),
              HasSubstr("node \"/n\" (r): sum of products 1073741824 at [0, 0] is outside"));
}

}  // namespace
}  // namespace lindero::runtime
