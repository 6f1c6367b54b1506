#include "passes/quantize/enclosure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace lindero::passes {
namespace {

using ir::tensor::Expression;
using ir::tensor::ExpressionBuilder;
using ::testing::HasSubstr;

Expression parse(const std::string& text) {
  auto expression = Expression::parse(text);
  EXPECT_TRUE(expression.ok()) << text << ": " << expression.status();
  return expression.ok() ? *expression : Expression();
}

struct Case {
  const char* function;
  int64_t u;
  int key_exponent, output_exponent;
  int64_t entry;
};

void PrintTo(const Case& c, std::ostream* os) { *os << c.function << " at " << c.u; }

class RounderTest : public ::testing::TestWithParam<Case> {};

TEST_P(RounderTest, GivesTheNearestInteger) {
  const Case& c = GetParam();
  const Expression function = parse(c.function);
  auto entry = Rounder(function).round(c.u, c.key_exponent, c.output_exponent);
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(*entry, c.entry);
}

// Halves go up, where the value is one.
INSTANTIATE_TEST_SUITE_P(
    Halves, RounderTest,
    ::testing::Values(Case{"x", 1, 1, 0, 1}, Case{"x", -1, 1, 0, 0}, Case{"x", -3, 1, 0, -1},
                      Case{"mul(x, x)", 3, 1, 1, 5}, Case{"pow(x, 2.0)", -3, 1, 1, 5},
                      Case{"div(x, 2.0)", 5, 0, 0, 3}, Case{"sqrt(x)", 25, 2, 0, 3},
                      Case{"relu(x)", 5, 1, 0, 3}, Case{"sigmoid(x)", 0, 0, 0, 1},
                      Case{"exp(x)", 0, 0, -1, 1},
                      // 2.5 in truth, but no precision says so.
                      Case{"mul(div(x, 3.0), 3.0)", 5, 1, 0, 3}, Case{"log(exp(x))", 5, 1, 0, 3}));

// Just off a half, by less than any fixed precision would show.
INSTANTIATE_TEST_SUITE_P(
    NearHalves, RounderTest,
    ::testing::Values(Case{"mul(x, add(1.0, erf(x)))", 161, 2, 0, 80},
                      Case{"add(x, exp(mul(x, -1000.0)))", 5, 1, 0, 3},
                      Case{"sub(x, exp(mul(x, -1000.0)))", 5, 1, 0, 2},
                      Case{"sub(x, exp(mul(x, -100000.0)))", 5, 1, 0, 2},
                      Case{"mul(x, tanh(mul(x, 1000.0)))", 5, 1, 0, 2},
                      Case{"mul(x, sigmoid(mul(x, 1000.0)))", 5, 1, 0, 2},
                      Case{"mul(neg(x), sigmoid(mul(x, 1000.0)))", 5, 1, 0, -2},
                      Case{"div(x, add(1.0, exp(mul(x, -1000.0))))", 5, 1, 0, 2},
                      Case{"max(erf(x), sub(erf(x), 1.0))", 40, 0, -1, 0},
                      Case{"round(add(1.5, tanh(x)))", 100, 0, 0, 2},
                      Case{"round(add(1.5, erf(x)))", 100, 0, 0, 2},
                      Case{"floor(erf(x))", 100, 0, 0, 0}, Case{"ceil(erf(x))", -100, 0, 0, 0},
                      Case{"ceil(add(1.0, exp(neg(x))))", 1000, 0, 0, 2},
                      Case{"floor(add(1.0, exp(neg(x))))", 1000, 0, 0, 1},
                      Case{"sign(sub(erf(x), 1.0))", 100, 0, 0, -1},
                      Case{"where(less(erf(x), 1.0), 7.0, 8.0)", 100, 0, 0, 7},
                      Case{"where(greater_or_equal(erf(x), 1.0), 7.0, 8.0)", 100, 0, 0, 8},
                      // A value is not less than itself.
                      Case{"where(greater_or_equal(exp(x), exp(x)), 7.0, 8.0)", 3, 0, 0, 7},
                      Case{"where(equal(log(x), log(x)), 7.0, 8.0)", 3, 0, 0, 7}));

INSTANTIATE_TEST_SUITE_P(
    Functions, RounderTest,
    ::testing::Values(
        Case{"pow(x, 3.0)", -3, 0, 0, -27}, Case{"pow(x, -2.0)", -2, 0, 4, 4},
        Case{"pow(x, 0.0)", 0, 0, 0, 1}, Case{"pow(x, 0.5)", 0, 0, 3, 0},
        Case{"pow(2.0, x)", -3, 0, 6, 8}, Case{"pow(x, 0.5)", 9, 0, 0, 3},
        Case{"abs(x)", -9, 0, 0, 9}, Case{"sign(x)", -9, 0, 0, -1}, Case{"sign(x)", 0, 0, 0, 0},
        Case{"cos(x)", 3, 0, 10, -1014}, Case{"sin(mul(x, pi()))", 1, 1, 0, 1},
        Case{"min(x, inf)", 4, 0, 0, 4}, Case{"max(x, -inf)", 4, 0, 0, 4},
        Case{"where(greater(x, -inf), x, 0.0)", 4, 0, 0, 4},
        Case{"where(greater(x, 0.0), log(x), 5.0)", -4, 0, 0, 5},
        Case{"min(max(x, 0.0), 50.0)", 51, 0, 0, 50}, Case{"min(max(x, 0.0), 50.0)", 49, 0, 0, 49},
        // Infinities end up where the table clamps.
        Case{"where(less(x, 0.0), -inf, x)", -1, 0, 0, std::numeric_limits<int64_t>::min()},
        Case{"exp(exp(x))", 20, 0, 0, std::numeric_limits<int64_t>::max()}));

TEST(Rounder, RefusesWhatIsNoNumber) {
  const std::tuple<const char*, int64_t, const char*> cases[] = {
      {"log(x)", -1, "not a finite number at -1"},
      {"sqrt(x)", -1, "not a finite number"},
      {"reciprocal(x)", 0, "not a finite number at 0"},
      {"div(x, x)", 0, "not a finite number"},
      {"pow(x, 0.5)", -1, "not a finite number"},
      {"pow(x, -1.0)", 0, "not a finite number"},
      {"add(x, inf)", 1, "not a finite number"},
      {"max(log(x), 0.0)", -1, "not a finite number"},
      {"where(greater(log(exp(x)), 1.0), 0.0, 9.0)", 1, "stays undecided"},
      {"floor(mul(div(x, 3.0), 3.0))", 5, "stays undecided"},
      {"exp(exp(exp(x)))", 20, "stays undecided"},
  };
  for (const auto& [function, u, why] : cases) {
    const Expression expression = parse(function);
    EXPECT_THAT(std::string(Rounder(expression).round(u, 0, 0).status().message()), HasSubstr(why))
        << function;
  }
}

// Random expressions, against double precision wherever that is far from a half.
TEST(Rounder, AgreesWithDoublePrecision) {
  std::mt19937 random(7);
  auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  // No steps and waves: double precision takes tanh(20) for 1, and knows no sine of 1e30.
  const char* unary[] = {"abs",     "neg",  "exp",  "erf", "tanh",
                         "sigmoid", "relu", "sqrt", "log", "reciprocal"};
  const char* binary[] = {"add", "sub", "mul", "div", "min", "max", "pow"};
  const char* compare[] = {"less", "less_or_equal", "greater", "greater_or_equal", "equal"};
  const double numbers[] = {0.5, 2, 3, -1, 0, 1.41421354, 50, -1e-3, 1e4, 0.044715};
  int compared = 0;
  for (int round = 0; round < 400; ++round) {
    ExpressionBuilder builder;
    std::vector<int> nodes = {builder.variable()};
    for (int i = 0; i < 7; ++i) {
      auto any = [&] {
        return pick(3) ? nodes[nodes.size() - 1 - pick(std::min<int>(nodes.size(), 3))]
                       : builder.number(numbers[pick(10)]);
      };
      absl::StatusOr<int> node;
      const int shape = pick(8);
      if (shape < 3) {
        node = builder.apply(unary[pick(10)], {nodes.back()});
      } else if (shape < 7) {
        node = builder.apply(binary[pick(7)], {any(), any()});
      } else {
        absl::StatusOr<int> condition =
            builder.apply(compare[pick(5)], {nodes[0], builder.number(numbers[pick(10)])});
        ASSERT_TRUE(condition.ok());
        node = builder.apply("where", {*condition, any(), any()});
      }
      ASSERT_TRUE(node.ok()) << node.status();
      nodes.push_back(*node);
    }
    const Expression expression = *builder.finish(nodes.back());
    Rounder rounder(expression);
    for (int64_t u : {-37, -8, 0, 1, 8, 19, 301}) {
      const double exact = expression(std::ldexp(u, -3)) * 64;
      auto entry = rounder.round(u, 3, 6);
      // Cancellation is another matter in double precision: only what two neighbours agree on is
      // compared.
      const double near = expression(std::ldexp(u, -3) * (1 + 1e-12)) * 64;
      if (!entry.ok() || !std::isfinite(exact) || std::abs(exact) > 1e9 ||
          std::abs(near - exact) > 1e-6) {
        continue;
      }
      ++compared;
      EXPECT_LE(std::abs(static_cast<double>(*entry) - exact), 0.5 + 1e-5)
          << expression.text() << " at " << u;
    }
  }
  EXPECT_GT(compared, 1000);
}

}  // namespace
}  // namespace lindero::passes
