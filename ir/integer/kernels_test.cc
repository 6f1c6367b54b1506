// Each kernel against an independent formula: brute-force scans instead of searches, exact
// rationals instead of shifts.
#include "ir/integer/kernels.h"

#include <cmath>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lindero::ir::integer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Wide = __int128;

int64_t uniform(std::mt19937_64& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
}

// floor(a / b) by definition: the only q with q b <= a < (q + 1) b.
Wide floorDivide(Wide a, Wide b) {
  Wide q = a / b;
  while (q * b > a) --q;
  while ((q + 1) * b <= a) ++q;
  return q;
}

TEST(CheckRange, NamesTheFirstValueOutside) {
  const IntArray array{{2, 3}, {0, 1, 2, 3, 40, 5}};
  EXPECT_TRUE(checkRange(array, 0, 40, "value").ok());
  EXPECT_EQ(checkRange(array, 0, 7, "value").message(), "value 40 at [1, 1] is outside [0, 7]");
  EXPECT_EQ(checkRange(array, 1, 40, "value").message(), "value 0 at [0, 0] is outside [1, 40]");
}

TEST(Linear, EqualsTheSumOfProducts) {
  std::mt19937_64 random(1);
  const int64_t rows = 5, inner = 37, columns = 9;
  IntArray x{{rows, inner}, {}}, w{{inner, columns}, {}};
  std::vector<int64_t> bias;
  for (int i = 0; i < rows * inner; ++i) x.values.push_back(uniform(random, -2048, 2047));
  for (int i = 0; i < inner * columns; ++i)
    w.values.push_back(uniform(random, -(1 << 20), 1 << 20));
  for (int j = 0; j < columns; ++j) bias.push_back(uniform(random, -(1 << 29), 1 << 29));
  const IntArray out = linear(x, rowsOfMatrix(w), bias).value();
  ASSERT_THAT(out.shape, ElementsAre(rows, columns));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      int64_t expected = bias[j];
      for (int64_t k = 0; k < inner; ++k)
        expected += x.values[i * inner + k] * w.values[k * columns + j];
      EXPECT_EQ(out.values[i * columns + j], expected);
    }
  }
}

TEST(Linear, RefusesProductsThatDoublesCannotHold) {
  const IntArray x{{1, 2}, {int64_t{1} << 31, 1}}, w{{2, 1}, {int64_t{1} << 31, 1}};
  EXPECT_THAT(linear(x, rowsOfMatrix(w), {}).status().message(), HasSubstr("not exact"));
}

TEST(Requantize, RoundsHalvesUp) {
  struct Case {
    int64_t acc, addend;
    int addend_shift, shift;
    int64_t q;
  };
  for (const Case& c : std::vector<Case>{{5, 0, 0, 1, 3},
                                         {-5, 0, 0, 1, -2},
                                         {-6, 0, 0, 2, -1},
                                         {-7, 0, 0, 2, -2},
                                         {1, 3, 4, 4, 3},
                                         {8, 3, 4, 4, 4},
                                         {7, -3, 4, 4, -3},
                                         {(1 << 30) - 1, 0, 0, 16, 16384},
                                         {-(1 << 30), 1, 14, 16, -16384}}) {
    const IntArray acc{{1}, {c.acc}}, addend{{1}, {c.addend}};
    EXPECT_EQ(requantize(acc, &addend, c.addend_shift, c.shift).value().values[0], c.q) << c.acc;
    // q is the integer nearest to the quotient.
    const Wide exact = c.acc + (static_cast<Wide>(c.addend) << c.addend_shift);
    EXPECT_EQ(c.q, static_cast<int64_t>(floorDivide(2 * exact + (1 << c.shift), 2 << c.shift)));
  }
  const IntArray acc{{1}, {0}};
  EXPECT_FALSE(requantize(acc, nullptr, 0, 0).ok());
}

// A table with R = round(2^t0 c / sqrt(k)) of some bits, so that tests need no other library.
std::vector<int64_t> testRoots(double c, int bits) {
  std::vector<int64_t> table(2 * 65536, 0);
  for (int64_t m = 0; m < 65536; ++m) {
    const double root = c / std::sqrt(m >= 16384 ? m + 0.5 : std::max<int64_t>(m, 1));
    const int t0 = std::max(1, bits - 1 - static_cast<int>(std::floor(std::log2(root))));
    table[2 * m] = m == 0 ? 0 : static_cast<int64_t>(std::floor(root * std::exp2(t0) + 0.5));
    table[2 * m + 1] = t0;
  }
  return table;
}

// The same row in rational arithmetic: every rounding is a division of exact integers.
std::vector<int64_t> rationalLayerNorm(const LayerNorm& f, llvm::ArrayRef<int64_t> x) {
  const Wide n = static_cast<Wide>(x.size()), q = Wide{1} << f.square_shift;
  Wide sum = 0;
  for (int64_t value : x) sum += value;
  const Wide mean = f.has_mean ? floorDivide(2 * sum + n, 2 * n) : 0;
  Wide unit = 1;  // 2^e
  auto fits = [&] {
    return std::all_of(x.begin(), x.end(), [&](int64_t value) {
      const Wide u = floorDivide(value - mean, unit);
      return -32768 <= u && u <= 32767;
    });
  };
  while (f.row_shift > 0 && !fits()) unit *= 2;
  Wide variance = floorDivide(2 * f.epsilon + unit * unit, 2 * unit * unit);
  std::vector<Wide> factors;
  for (int64_t value : x) {
    const Wide u = floorDivide(value - mean, unit);
    variance += floorDivide(2 * u * u + q, 2 * q);
    factors.push_back(f.row_shift == 0 ? u : unit == 1 ? 2 * u : 2 * u + 1);
  }
  Wide power = 1;
  int j = 0;
  for (; floorDivide(variance, power) > 65535; power *= 4) ++j;
  const int64_t m = static_cast<int64_t>(floorDivide(variance, power));
  const Wide reciprocal = f.rsqrt[2 * m], divisor = Wide{1} << (f.rsqrt[2 * m + 1] + j);
  std::vector<int64_t> z;
  for (Wide factor : factors) {
    z.push_back(static_cast<int64_t>(floorDivide(2 * factor * reciprocal + divisor, 2 * divisor)));
  }
  return z;
}

TEST(LayerNorm, EqualsRationalArithmetic) {
  std::mt19937_64 random(2);
  struct Case {
    int n;
    int64_t amplitude, offset;
    bool has_mean;
    int row_shift = 0;
    int64_t epsilon = 3;
  };
  for (const Case& c : std::vector<Case>{{64, 6000, 100, true},
                                         {64, 3, 0, true},
                                         {1, 5, 40, true},
                                         {48, 25000, -7000, true},
                                         {64, 9000, 0, false},
                                         {64, 0, 0, true},
                                         {64, 6000000, -1000000, true, 8},
                                         {64, 33000, 0, true, 8, 1000},
                                         {48, 30000, 5000000, true, 8},
                                         {48, 8000000, 0, false, 10, 100000},
                                         {64, 0, 7000000, true, 1}}) {
    LayerNorm f;
    f.square_shift = 6;
    f.epsilon = c.epsilon;
    f.row_shift = c.row_shift;
    f.max_exponent = 7;
    f.has_mean = c.has_mean;
    f.output_bits = 16;
    const std::vector<int64_t> roots = testRoots(std::exp2(6 - 3) * std::sqrt(c.n), 8);
    f.rsqrt = roots;
    for (int trial = 0; trial < 50; ++trial) {
      std::vector<int64_t> x, z(c.n);
      for (int i = 0; i < c.n; ++i)
        x.push_back(c.offset + uniform(random, -c.amplitude, c.amplitude));
      ASSERT_TRUE(f.row(x, z).ok()) << f.row(x, z);
      ASSERT_EQ(z, rationalLayerNorm(f, x)) << "n = " << c.n << ", amplitude " << c.amplitude;
    }
  }
}

TEST(LayerNorm, NormalizesToUnitVariance) {
  std::mt19937_64 random(4);
  const int n = 128, output_exponent = 8;
  LayerNorm f;
  f.square_shift = 7;
  f.max_exponent = 5;
  f.output_bits = 12;
  const std::vector<int64_t> roots = testRoots(std::exp2(output_exponent - 3.5) * std::sqrt(n), 11);
  f.rsqrt = roots;
  std::vector<int64_t> x, z(n);
  for (int i = 0; i < n; ++i) x.push_back(uniform(random, -8000, 12000));
  ASSERT_TRUE(f.row(x, z).ok());
  double mean = 0, variance = 0;
  for (int64_t v : x) mean += static_cast<double>(v) / n;
  for (int64_t v : x) variance += (v - mean) * (v - mean) / n;
  for (int i = 0; i < n; ++i) {
    EXPECT_NEAR(std::ldexp(z[i], -output_exponent), (x[i] - mean) / std::sqrt(variance), 0.01);
  }
}

// Rows of very different size in one tensor: each has its own shift, and a row of zeros stays zero.
TEST(LayerNorm, NormalizesRowsOfAnySize) {
  std::mt19937_64 random(5);
  const int n = 128, output_exponent = 8;
  LayerNorm f;
  f.square_shift = 7;
  f.max_exponent = 7;
  f.output_bits = 12;
  f.row_shift = 8;
  const std::vector<int64_t> roots = testRoots(std::exp2(output_exponent - 4.5) * std::sqrt(n), 9);
  f.rsqrt = roots;
  for (int64_t size : {0, 4000, 16383, 16384, 32767, 32768, 65535, 65536, 1000000, 8388607}) {
    std::vector<int64_t> x, z(n);
    for (int i = 0; i < n / 2; ++i) x.push_back(size > 0 ? uniform(random, -size, size) : 0);
    for (int i = 0; i < n / 2; ++i) x.push_back(-x[i]);
    if (size > 0) x[0] = size, x[n / 2] = -size;
    double variance = 0;
    for (int64_t v : x) variance += static_cast<double>(v) * v / n;
    ASSERT_EQ(f.row(x, z), absl::OkStatus()) << size;
    for (int i = 0; i < n; ++i) {
      const double exact = size > 0 ? x[i] / std::sqrt(variance) : 0;
      EXPECT_NEAR(std::ldexp(z[i], -output_exponent), exact, 0.02) << size;
    }
  }
  std::vector<int64_t> z(2);
  f.square_shift = 1;
  EXPECT_EQ(f.row({8388607, -8388607}, z), absl::OkStatus());
  EXPECT_THAT(f.row({8388608, -8388608}, z).message(),
              HasSubstr("deviation from the mean 8388608 is outside [-8388608, 8388607]"));
}

TEST(LayerNorm, RefusesWhatTheTablesDoNotHold) {
  LayerNorm f;
  f.square_shift = 1;
  f.max_exponent = 5;
  f.output_bits = 12;
  const std::vector<int64_t> roots = testRoots(std::exp2(7), 10);
  f.rsqrt = roots;
  std::vector<int64_t> z(2);
  EXPECT_THAT(f.row({32767, -32768}, z).message(), HasSubstr("deviation from the mean -32768"));
  EXPECT_TRUE(f.row({1, 3}, z).ok());
  f.max_exponent = 1;
  EXPECT_THAT(f.row({9000, -9000}, z).message(),
              HasSubstr("sum of squares 81000000 is outside [0, 262143]"));
  f.max_exponent = 7;
  f.square_shift = 0;
  EXPECT_THAT(f.row({32000, -32000}, z).message(), HasSubstr("is outside [0, 1073741823]"));
  f.output_bits = 4;
  EXPECT_THAT(f.row({10, -10}, z).message(), HasSubstr("normalized value"));
}

std::vector<int64_t> testExp(int probability_bits, double unit) {
  std::vector<int64_t> exp;
  while (exp.size() < 2 || exp[exp.size() - 2] != 0) {
    exp.push_back(static_cast<int64_t>(std::floor(
        std::exp2(probability_bits) * std::exp(-unit * static_cast<double>(exp.size())) + 0.5)));
  }
  return exp;
}

TEST(Softmax, NormalizerIsTheLeastByScanning) {
  std::mt19937_64 random(5);
  const double unit = 1.0 / 64;
  const std::vector<int64_t> exp = testExp(10, unit);
  Softmax f;
  f.exp = exp;
  f.exp_at_minus_one = 1040;
  f.score_shift = 3;
  f.probability_bits = 10;
  f.normalizer_low = -3000;
  f.normalizer_bits = 13;
  f.dead_rows = 100;
  f.dead_width = 8;
  for (int trial = 0; trial < 300; ++trial) {
    const int n = 1 + trial % 40;
    const int64_t spread = trial % 3 == 0 ? 0 : trial % 3 == 1 ? 2000 : 16000;
    std::vector<int64_t> scores, p(n);
    for (int i = 0; i < n; ++i) scores.push_back(uniform(random, -spread, spread));
    ASSERT_TRUE(f.row(scores, p).ok());
    auto massAt = [&](int64_t l) {
      int64_t sum = 0;
      for (int64_t s : scores) {
        const int64_t key = l + static_cast<int64_t>(floorDivide(4 - s, 8));
        sum += key < 0 ? f.exp_at_minus_one : key < static_cast<int64_t>(exp.size()) ? exp[key] : 0;
      }
      return sum;
    };
    int64_t l = f.normalizer_low;
    while (massAt(l) > 1024) ++l;
    ASSERT_EQ(f.normalizer(scores), l);
    int64_t sum = 0;
    for (int64_t value : p) sum += value;
    EXPECT_EQ(sum, massAt(l));
    EXPECT_LE(sum, 1024);
    EXPECT_GT(massAt(l - 1), 1024);
  }
}

TEST(Softmax, ApproximatesTheRealFunctionAndChecksRanges) {
  const std::vector<int64_t> exp = testExp(16, 1.0 / 4096);
  Softmax f;
  f.exp = exp;
  f.exp_at_minus_one = 65552;
  f.score_shift = 4;
  f.normalizer_low = -70000;
  f.normalizer_bits = 18;
  const std::vector<int64_t> scores = {65536, 0, 131072, -65536};  // 1, 0, 2, -1 nats
  std::vector<int64_t> p(4);
  ASSERT_TRUE(f.row(scores, p).ok());
  const double total = std::exp(1) + 1 + std::exp(2) + std::exp(-1);
  const double expected[] = {std::exp(1) / total, 1 / total, std::exp(2) / total,
                             std::exp(-1) / total};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(p[i] / 65536.0, expected[i], 4e-4);
  // The distance 17 * ln 2 * 4096 keys is the last live one.
  EXPECT_THAT(f.row({0, -4000000}, {p.data(), 2}).message(),
              HasSubstr("distance to the normalizer"));
  f.dead_width = 8;
  f.dead_rows = 4096;
  ASSERT_TRUE(f.row({0, -4000000}, {p.data(), 2}).ok());
  EXPECT_EQ(p[0], 65536);
  EXPECT_EQ(p[1], 0);
  f.normalizer_bits = 4;
  EXPECT_THAT(f.row({0}, {p.data(), 1}).message(), HasSubstr("normalizer 0 is outside"));
}

TEST(Attention, ScoresAndMixArePerHead) {
  std::mt19937_64 random(6);
  const int64_t t = 4, heads = 3, width = 2, d = heads * width;
  IntArray q{{t, d}, {}}, k{{t, d}, {}};
  for (int i = 0; i < t * d; ++i) {
    q.values.push_back(uniform(random, -2048, 2047));
    k.values.push_back(uniform(random, -2048, 2047));
  }
  const IntArray s = scores(q, k, heads), o = mix(s, k, heads);
  ASSERT_THAT(s.shape, ElementsAre(heads, t, t));
  ASSERT_THAT(o.shape, ElementsAre(t, d));
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t i = 0; i < t; ++i) {
      for (int64_t j = 0; j < t; ++j) {
        const int64_t expected = q.values[i * d + 2 * h] * k.values[j * d + 2 * h] +
                                 q.values[i * d + 2 * h + 1] * k.values[j * d + 2 * h + 1];
        EXPECT_EQ(s.values[(h * t + i) * t + j], expected);
      }
      for (int64_t c = 2 * h; c < 2 * h + 2; ++c) {
        int64_t expected = 0;
        for (int64_t j = 0; j < t; ++j)
          expected += s.values[(h * t + i) * t + j] * k.values[j * d + c];
        EXPECT_EQ(o.values[i * d + c], expected);
      }
    }
  }
}

TEST(Argmax, TakesTheLowestIndexOfTies) {
  const IntArray x{{4, 3}, {1, 5, 5, -7, -7, -7, 0, -1, 9, (1 << 29) - 1, 0, (1 << 29) - 1}};
  EXPECT_THAT(argmax(x).value().values, ElementsAre(1, 0, 2, 0));
  EXPECT_THAT(argmax({{1, 1}, {1 << 29}}).status().message(),
              HasSubstr("logit 536870912 at [0, 0]"));
}

TEST(Views, PickColumnsAndRows) {
  const IntArray x{{2, 3}, {1, 2, 3, 4, 5, 6}};
  EXPECT_EQ(sliceColumns(x, 1, 2), (IntArray{{2, 2}, {2, 3, 5, 6}}));
  EXPECT_EQ(gatherRows(rowsOfMatrix(x), {1, 1, 0}),
            (IntArray{{3, 3}, {4, 5, 6, 4, 5, 6, 1, 2, 3}}));
}

}  // namespace
}  // namespace lindero::ir::integer
