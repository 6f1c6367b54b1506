#include "passes/quantize/tables.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lindero::passes {
namespace {

using ir::tensor::Expression;
using ::testing::HasSubstr;

constexpr int64_t kPrime = (int64_t{1} << 31) - 1;

Expression parse(const std::string& function) {
  absl::StatusOr<Expression> expression = Expression::parse(function);
  EXPECT_TRUE(expression.ok()) << function << ": " << expression.status();
  return expression.ok() ? *expression : Expression();
}

double reference(const std::string& name, double x) {
  if (name == "gelu") return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  if (name == "gelu_tanh") {
    return 0.5 * x *
           (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
  }
  if (name == "relu") return std::max(x, 0.0);
  if (name == "silu") return x / (1 + std::exp(-x));
  if (name == "tanh") return std::tanh(x);
  return 1 / (1 + std::exp(-x));
}

TEST(FunctionTable, HoldsTheNearestIntegers) {
  for (const std::string name : {"gelu", "gelu_tanh", "relu", "silu", "tanh", "sigmoid"}) {
    const int key_exponent = 8, output_exponent = 7;
    const auto table = functionTable(parse(name + "(x)"), 12, key_exponent, 12, output_exponent);
    ASSERT_TRUE(table.ok()) << table.status();
    ASSERT_EQ(table->entries.size(), 4096u) << name;
    for (int64_t u = -2048; u < 2048; ++u) {
      const double exact =
          std::ldexp(reference(name, std::ldexp(u, -key_exponent)), output_exponent);
      EXPECT_LE(std::abs(table->entries[u + 2048] - exact), 0.5 + 1e-9) << name << " at " << u;
    }
  }
}

TEST(FunctionTable, RoundsHalvesAsTheExactValueSays) {
  // relu(u / 4) * 2 = u / 2 is a half for odd u: up. gelu is just below x for large x, so the same
  // halves go down.
  const auto relu = functionTable(parse("relu(x)"), 8, 2, 12, 1)->entries,
             gelu = functionTable(parse("gelu(x)"), 8, 2, 12, 1)->entries;
  EXPECT_EQ(relu[128 + 101], 51);
  EXPECT_EQ(gelu[128 + 101], 50);
  EXPECT_EQ(gelu[128 + 100], 50);
}

// Keys at which the function is no number are not in its table.
TEST(FunctionTable, HoldsKeysOfTheDomainAlone) {
  struct Case {
    const char* function;
    int64_t low, keys;
  };
  for (const Case& c : {Case{"sqrt(x)", 0, 128}, Case{"reciprocal(x)", 1, 127},
                        Case{"sqrt(neg(x))", -128, 129}, Case{"gelu(x)", -128, 256}}) {
    const auto table = functionTable(parse(c.function), 8, 4, 12, 6);
    ASSERT_TRUE(table.ok()) << c.function << table.status();
    EXPECT_EQ(table->low, c.low) << c.function;
    EXPECT_EQ(table->entries.size(), c.keys) << c.function;
  }
  EXPECT_EQ(functionTable(parse("sqrt(x)"), 8, 4, 12, 6)->entries[16], 64);
  EXPECT_FALSE(functionTable(parse("log(sub(-100.0, x))"), 8, 4, 12, 6).ok());
}

// Nor are those at which it is too large: no entry is a value that the function does not have.
TEST(FunctionTable, LeavesOutWhatTheWidthCannotHold) {
  const auto relu = functionTable(parse("relu(x)"), 10, 6, 8, 6),
             square = functionTable(parse("mul(x, x)"), 10, 6, 8, 3);
  ASSERT_TRUE(relu.ok() && square.ok()) << relu.status() << square.status();
  EXPECT_EQ(relu->low, -512);
  EXPECT_EQ(relu->entries.size(), 512u + 129);  // up to 128, which is rounded to 127
  EXPECT_EQ(relu->entries.back(), 127);
  EXPECT_EQ(square->low, -256);  // 4^2 * 8 = 128
  EXPECT_EQ(square->entries.size(), 513u);
  EXPECT_FALSE(functionTable(parse("tanh(x)"), 8, 4, 4, 8).ok());
}

TEST(ExponentialTable, EntriesAreNearestAndNonincreasing) {
  const ScoreScale scale = ScoreScale::fromModel(1 / std::sqrt(32.0), 32);
  EXPECT_EQ(scale.head_width, 32);
  const auto table = exponentialTable(14, scale, int64_t{32} << 22, 64, 16);
  ASSERT_TRUE(table.ok()) << table.status();
  // fS = 14 + 2.5; s = floor(16.5 - 11) = 5; u0 = 2^(5 - 16.5) = 2^-11.5.
  EXPECT_EQ(table->score_shift, 5);
  const double unit = std::exp2(-11.5);
  EXPECT_EQ(table->exp[0], 65536);
  EXPECT_EQ(table->exp_at_minus_one, 65559);
  for (size_t k = 0; k < table->exp.size(); ++k) {
    EXPECT_LE(std::abs(table->exp[k] - 65536 * std::exp(-unit * static_cast<double>(k))),
              0.5 + 1e-9);
    EXPECT_LE(table->exp[k], table->exp[k == 0 ? 0 : k - 1]);
  }
  EXPECT_EQ(table->exp.size(), static_cast<size_t>(std::ceil(17 * std::log(2) / unit)) + 2);
}

// Every score within the bound, as the only one of a row or among many, must find its key in the
// table and L in its range.
TEST(ExponentialTable, RangesCoverEveryRow) {
  for (const auto& [exponent, width, keys] :
       std::vector<std::array<int, 3>>{{14, 32, 64}, {12, 64, 1024}, {20, 16, 16}}) {
    const int64_t bound = static_cast<int64_t>(width) << 22;
    const auto table = exponentialTable(exponent, ScoreScale{1, width}, bound, keys, 16);
    ASSERT_TRUE(table.ok()) << table.status();
    const int64_t half = int64_t{1} << (table->score_shift - 1);
    auto key = [&](int64_t score) { return -((half - score) >> table->score_shift); };
    // The least L is that of one lowest score, the greatest that of `keys` highest ones: ln(keys)
    // above it.
    const double unit = std::exp2(table->score_shift - exponent) / std::sqrt(width);
    const int64_t most = key(bound) + static_cast<int64_t>(std::ceil(std::log(keys) / unit)) + 1;
    EXPECT_GE(key(-bound), table->normalizer_low);
    EXPECT_LT(most, table->normalizer_low + (int64_t{1} << table->normalizer_bits));
    const int64_t last =
        static_cast<int64_t>(table->exp.size()) + (table->dead_rows << table->dead_width) - 1;
    EXPECT_LE(most - key(-bound), last);
    EXPECT_LE(table->score_shift + table->dead_width, 16);
    EXPECT_LE(table->exp.size() + table->dead_rows, 65536u);
  }
}

TEST(ExponentialTable, RefusesWhatTheIntervalRuleForbids) {
  const ScoreScale scale{1, 64};
  EXPECT_THAT(exponentialTable(14, scale, int64_t{1} << 30, 64, 16).status().message(),
              HasSubstr("unique"));
  EXPECT_THAT(exponentialTable(14, scale, 1 << 26, 1 << 15, 16).status().message(),
              HasSubstr("2^30"));
  EXPECT_THAT(exponentialTable(30, scale, 1 << 26, 64, 16).status().message(),
              HasSubstr("need a score shift of 22 bits"));
  EXPECT_THAT(exponentialTable(14, {-0.25, 0}, 1 << 26, 64, 16).status().message(),
              HasSubstr("scaled by -0.25, and there are softmaxes of positive scales only"));
  EXPECT_THAT(exponentialTable(14, scale, 1 << 26, 64, 3).status().message(),
              HasSubstr("probabilities of 3 bits"));
  EXPECT_THAT(exponentialTable(2, scale, 1 << 20, 64, 16).status().message(),
              HasSubstr("too coarse"));
}

TEST(ScoreShift, KeyIsBetween2ToMinus12And2ToMinus11Nats) {
  for (int64_t width : {1, 2, 8, 31, 32, 33, 64, 80, 128}) {
    for (int exponent = 13; exponent <= 22; ++exponent) {
      for (const ScoreScale scale :
           {ScoreScale{1 / std::sqrt(width), width}, ScoreScale{1 / std::sqrt(width), 0}}) {
        const double unit = std::ldexp(scale.value, scoreShift(exponent, scale) - exponent);
        EXPECT_LE(unit, std::exp2(-11) * (1 + 1e-15)) << width;
        EXPECT_GT(unit, std::exp2(-12) * (1 + 1e-15)) << width;
      }
    }
  }
  EXPECT_EQ(ScoreScale::fromModel(0.125, 32).head_width, 0);
  EXPECT_EQ(ScoreScale::fromModel(0.125, 64).head_width, 64);
  // Close to 1/sqrt(32) is another number, and it is that one which counts.
  EXPECT_EQ(ScoreScale::fromModel(0.17677669f, 32).head_width, 0);
  EXPECT_EQ(ScoreScale::fromModel(0.17677669f, 32).value, 0.17677669f);
}

TEST(ReciprocalRootTable, EntriesAreNearestAndSound) {
  struct Case {
    int64_t width;
    int square_shift, exponent, bits, max_exponent;
  };
  for (const Case& c : std::vector<Case>{{128, 7, 8, 12, 5},
                                         {64, 6, 7, 12, 7},
                                         {768, 10, 7, 12, 5},
                                         {384, 9, 10, 16, 5},
                                         {128, 10, 11, 12, 6}}) {
    const auto table =
        reciprocalRootTable(c.width, c.square_shift, c.exponent, c.bits, c.max_exponent);
    ASSERT_TRUE(table.ok()) << table.status();
    ASSERT_EQ(table->entries.size(), 2u * 65536);
    EXPECT_EQ(table->entries[0], 0);
    for (int64_t m = 1; m < 65536; ++m) {
      const int64_t r = table->entries[2 * m];
      const int t0 = table->entries[2 * m + 1];
      const double k = m >= 16384 ? m + 0.5 : m;
      const double exact =
          std::exp2(c.exponent - c.square_shift / 2.0 + t0) * std::sqrt(c.width / k);
      ASSERT_LE(std::abs(r - exact), 0.5 + 1e-6) << m;
      ASSERT_GE(t0, 1);
      const int t = t0 + c.max_exponent;
      ASSERT_LE(t, 16);
      ASSERT_LE(c.bits + t, 31);
      // |d R| and the other side differ by less than p.
      ASSERT_LT((int64_t{32768} * r) + (int64_t{1} << (c.bits - 1 + t)) + (int64_t{1} << t),
                kPrime);
      if (t0 == 1) continue;
      ASSERT_GE(r, int64_t{1} << (table->bits - 1));  // full precision
      ASSERT_LE(r, int64_t{1} << table->bits);
    }
  }
  EXPECT_THAT(reciprocalRootTable(128, 7, 2, 16, 7).status().message(), HasSubstr("leaves 3 bits"));
  EXPECT_THAT(reciprocalRootTable(128, 7, 20, 12, 7).status().message(),
              HasSubstr("interval rule"));
  EXPECT_FALSE(reciprocalRootTable(128, 7, 8, 12, 8).ok());
}

TEST(SquareShift, KeepsTheSumOfSquaresBelow2To30) {
  for (int64_t width : {1, 2, 3, 64, 65, 384, 768, 4096}) {
    const int q = squareShift(width);
    const int64_t square = (int64_t{32767} * 32767 + (int64_t{1} << (q - 1))) >> q;
    EXPECT_LT(width * square, int64_t{1} << 30) << width;
    EXPECT_TRUE(q == 1 || width << (31 - q) > int64_t{1} << 30) << width;
  }
}

}  // namespace
}  // namespace lindero::passes
