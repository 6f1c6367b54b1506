// The steps of the trace program against plain formulas, and the equations that their witnesses
// have to satisfy.
#include "runtime/trace/kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "runtime/trace/run_step.h"
#include "tests/samples/circuit_builder.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

// RSQRT as integers in two fixed columns, EXPT in four: exact tables are the compiler's business,
// any will do here.
constexpr int kLive = 600, kDead = 300, kDeadWidth = 3, kProbabilityBits = 12;
constexpr double kUnit = 1.0 / 64;

int64_t expValue(int64_t k) {
  return k >= kLive ? 0
                    : static_cast<int64_t>(
                          std::floor(std::ldexp(std::exp(-k * kUnit), kProbabilityBits) + 0.5));
}

class StepKernels : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    testing::CircuitBuilder b;
    uint32_t rsqrt = b.table("rsqrt", 17), exp = b.table("exp", 10), rows = b.table("rows", 4);
    testing::Sample sample;
    std::vector<int64_t> roots, shifts;
    for (int64_t m = 0; m < 65536; ++m) {
      // R / 2^t0 = 2^7 / sqrt(m), with 9 bits of R.
      double value = 128 / std::sqrt(m < 1 ? 1.0 : static_cast<double>(m));
      int64_t shift = 8 - static_cast<int64_t>(std::floor(std::log2(value)));
      shift = std::min<int64_t>(std::max<int64_t>(shift, 1), 14);
      shifts.push_back(shift);
      roots.push_back(m == 0 ? 0
                             : static_cast<int64_t>(std::floor(std::ldexp(value, shift) + 0.5)));
    }
    std::vector<int64_t> key, width, p, previous;
    for (int64_t k = 0; k < kLive; ++k) {
      key.push_back(k), width.push_back(0), p.push_back(expValue(k)),
          previous.push_back(expValue(k - 1));
    }
    for (int64_t i = 0; i < kDead; ++i) {
      key.push_back(kLive + (i << kDeadWidth)), width.push_back(kDeadWidth), p.push_back(0),
          previous.push_back(0);
    }
    auto fixed = [&](uint32_t table, const char* name, std::vector<int64_t> values,
                     int64_t first_row) {
      values.insert(values.begin(), first_row, -9);
      sample.fixed.push_back({table, b.column(table, name, 0), std::move(values)});
    };
    fixed(rsqrt, "R", roots, 3);
    fixed(rsqrt, "t0", shifts, 3);
    fixed(exp, "k", key, 5);
    fixed(exp, "w", width, 5);
    fixed(exp, "p", p, 5);
    fixed(exp, "previous", previous, 5);
    std::vector<int64_t> squares;
    for (int64_t i = 0; i < 16; ++i) squares.push_back(i * i - 100);
    fixed(rows, "squares", squares, 0);
    fixed(rows, "a", {1, 2, 3, 4, 5, 6}, 0);
    fixed(rows, "b", {-1, -2, -3, -4, -5, -6}, 0);
    sample.circuit = b.circuit;
    sample.program.set_format(program::kProgramFormat);
    folder_ = new std::string(::testing::TempDir() + "lindero_step_kernels");
    ASSERT_TRUE(testing::writeSample(sample, *folder_).ok());
    auto package = Package::open(*folder_);
    ASSERT_TRUE(package.ok()) << package.status();
    package_ = new Package(*std::move(package));
  }
  static void TearDownTestSuite() {
    delete package_;
    delete folder_;
  }

  uint32_t buffer(std::vector<int64_t> values) {
    uint32_t index = buffer(values.size());
    initial_.push_back({index, std::move(values)});
    return index;
  }
  uint32_t buffer(size_t size) {
    program_.add_buffers()->set_size(size);
    return program_.buffers_size() - 1;
  }

  // Runs one step that is checked as a part of a program would be.
  template <typename Message>
  absl::Status run(const Message& message, int threads = 2) {
    step_.set_node("/n");
    step_.set_region("r");
    buffers_ = std::make_unique<Buffers>(program_);
    for (int i = 0; i < program_.buffers_size(); ++i) {
      if (absl::Status status = buffers_->allocate(i); !status.ok()) return status;
    }
    for (const auto& [index, values] : initial_)
      std::copy(values.begin(), values.end(), buffers_->at(index).begin());
    ThreadPool pool(threads);
    StepContext context(*package_, step_, *buffers_, pool);
    return runtime::run(context, message);
  }
  std::vector<int64_t> result(uint32_t buffer) {
    absl::Span<int32_t> values = buffers_->at(buffer);
    return {values.begin(), values.end()};
  }

  static Package* package_;
  static std::string* folder_;
  Program program_;
  Step step_;
  std::vector<std::pair<uint32_t, std::vector<int64_t>>> initial_;
  std::unique_ptr<Buffers> buffers_;
  std::mt19937_64 random_{17};

  std::vector<int64_t> draw(size_t count, int64_t low, int64_t high) {
    std::vector<int64_t> values(count);
    for (int64_t& v : values)
      v = low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1));
    return values;
  }
};

Package* StepKernels::package_ = nullptr;
std::string* StepKernels::folder_ = nullptr;

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

TEST(Kernels, EveryKindOfStepHasOne) {
  for (const program::StepDef& def : program::stepDefs()) EXPECT_TRUE(hasKernel(def)) << def.name;
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

TEST_F(StepKernels, Argmax) {
  constexpr int kRows = 40, kWidth = 21, kLanes = 4, kBlocks = 6, kPadded = 24;
  std::vector<int64_t> values = draw(kRows * kWidth, -5, 5);
  values[3] = (1 << 29) - 1, values[4] = -(1 << 29) + 1, values[2] = values[3];
  Argmax step;
  step.set_values(buffer(values));
  step.set_rows(kRows), step.set_width(kWidth), step.set_lanes(kLanes);
  step.set_index(buffer(size_t{kRows})), step.set_maximum(buffer(size_t{kRows}));
  step.set_before(buffer(size_t{kRows * kPadded})), step.set_high(buffer(size_t{kRows * kPadded})),
      step.set_low(buffer(size_t{kRows * kPadded}));
  step.set_index_sums(buffer(size_t{kRows * kBlocks}));
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
    for (int b = 0; b < kBlocks; ++b)
      ASSERT_EQ(sums[row * kBlocks + b], std::min<int64_t>(best, (b + 1) * kLanes));
  }
  initial_[0].second[7] = 1 << 29;
  EXPECT_THAT(std::string(run(step).message()), HasSubstr("compared value 536870912 at [0, 7]"));
}

TEST_F(StepKernels, LayerNorm) {
  constexpr int kRows = 9, kWidth = 50, kLanes = 8, kBlocks = 7, kShift = 6;
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
    s.set_deviation_sums(buffer(size_t{kRows * kBlocks})),
        s.set_square_sums(buffer(size_t{kRows * kBlocks}));
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
          ASSERT_EQ(d_sums[row * kBlocks + c / kLanes], deviations);
          ASSERT_EQ(v_sums[row * kBlocks + c / kLanes], variance - 3);
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

TEST_F(StepKernels, Softmax) {
  constexpr int kHeads = 2, kQueries = 12, kLanes = 5, kShift = 4;
  for (bool causal : {false, true}) {
    const int keys = causal ? kQueries : 17, rows = kHeads * kQueries,
              blocks = (keys + kLanes - 1) / kLanes;
    program_.Clear();
    initial_.clear();
    std::vector<int64_t> scores;
    for (int row = 0; row < rows; ++row) {
      // Flat rows, ordinary ones, and rows that end in dead bins.
      const int64_t amplitudes[] = {0, 10, 100, 1000, 16000};
      int64_t amplitude = amplitudes[row % 5];
      std::vector<int64_t> drawn = draw(keys, -amplitude, amplitude);
      scores.insert(scores.end(), drawn.begin(), drawn.end());
    }
    Softmax s;
    s.set_scores(buffer(scores));
    s.set_heads(kHeads), s.set_queries(kQueries), s.set_keys(keys), s.set_lanes(kLanes),
        s.set_causal(causal);
    s.set_score_shift(kShift), s.set_probability_bits(kProbabilityBits);
    s.set_normalizer_low(-70000), s.set_normalizer_bits(18);
    s.set_exp_table(1), s.set_exp_column(0), s.set_exp_first_row(5);
    s.set_live_rows(kLive), s.set_dead_rows(kDead), s.set_dead_width(kDeadWidth),
        s.set_exp_at_minus_one(expValue(-1));
    s.set_normalizer_low_limb(buffer(static_cast<size_t>(rows))),
        s.set_normalizer_high_limb(buffer(static_cast<size_t>(rows)));
    s.set_bin(buffer(scores.size())), s.set_width(buffer(scores.size())),
        s.set_remainder(buffer(scores.size()));
    s.set_probability(buffer(scores.size())), s.set_previous_probability(buffer(scores.size()));
    s.set_probability_sums(buffer(static_cast<size_t>(rows * blocks)));
    s.set_previous_probability_sums(buffer(static_cast<size_t>(rows * blocks)));
    ASSERT_TRUE(run(s).ok()) << run(s);
    std::vector<int64_t> low = result(s.normalizer_low_limb()),
                         high = result(s.normalizer_high_limb()), bin = result(s.bin()),
                         width = result(s.width()), remainder = result(s.remainder()),
                         p = result(s.probability()), previous = result(s.previous_probability()),
                         p_sums = result(s.probability_sums()),
                         previous_sums = result(s.previous_probability_sums());
    int dead = 0;
    for (int row = 0; row < rows; ++row) {
      const int visible = causal ? row % kQueries + 1 : keys;
      auto sigma = [&](int i) {
        return static_cast<int64_t>(-std::floor((8.0 - scores[row * keys + i]) / 16));
      };
      // The least L whose probabilities fit, by trying.
      int64_t normalizer = -100000;
      for (int64_t sum = 1 << 30; sum > 1 << kProbabilityBits; ++normalizer) {
        sum = 0;
        for (int i = 0; i < visible; ++i)
          sum += expValue(std::max<int64_t>(normalizer + 1 - sigma(i), -1));
      }
      ASSERT_EQ(low[row] + (high[row] << 16) - 70000, normalizer) << row;
      ASSERT_TRUE(low[row] >= 0 && low[row] < 65536);
      int64_t sum = 0, previous_sum = 0;
      for (int i = 0; i < keys; ++i) {
        int at = row * keys + i;
        if (i >= visible) {
          ASSERT_EQ(bin[at], scores[at]);
          ASSERT_EQ(width[at] | remainder[at] | p[at] | previous[at], 0);
        } else {
          ASSERT_EQ(p[at], expValue(normalizer - sigma(i)));
          ASSERT_EQ(previous[at], expValue(normalizer - sigma(i) - 1));
          ASSERT_EQ(scores[at], (normalizer - bin[at]) * 16 + 8 - remainder[at]);
          ASSERT_TRUE(remainder[at] >= 0 && remainder[at] < 16 << width[at]);
          ASSERT_EQ(width[at], bin[at] < kLive ? 0 : kDeadWidth);
          if (bin[at] >= kLive) {
            ASSERT_EQ((bin[at] - kLive) % (1 << kDeadWidth), 0);
            ++dead;
          }
        }
        sum += p[at];
        previous_sum += previous[at];
        if (i % kLanes == kLanes - 1 || i == keys - 1) {
          ASSERT_EQ(p_sums[row * blocks + i / kLanes], sum);
          ASSERT_EQ(previous_sums[row * blocks + i / kLanes], previous_sum);
        }
      }
      ASSERT_TRUE(sum <= 1 << kProbabilityBits && previous_sum > 1 << kProbabilityBits);
    }
    EXPECT_GT(dead, 0);
    // A score too far below, and a normalizer out of its range.
    initial_[0].second[keys] = -60000;
    EXPECT_THAT(std::string(run(s).message()),
                HasSubstr("distance of a score from the normalizer"));
    initial_[0].second[keys] = 0;
    s.set_normalizer_low(20000);
    EXPECT_THAT(std::string(run(s).message()), HasSubstr("normalizer "));
  }
}

}  // namespace
}  // namespace lindero::runtime
