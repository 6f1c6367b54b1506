#include "ir/tensor/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/core/op_table.h"
#include "ir/dialects.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::ir::tensor {
namespace {

using ::testing::HasSubstr;

Expression parse(llvm::StringRef text) {
  auto expression = Expression::parse(text);
  EXPECT_TRUE(expression.ok()) << text.str() << ": " << expression.status();
  return expression.ok() ? *expression : Expression();
}

TEST(Expression, TextRoundTrips) {
  for (const char* text : {
           "x",
           "2.5",
           "gelu(x)",
           "silu(x)",
           "mul(x, sigmoid(mul(1.7020000219345093, x)))",
           "min(50.0, max(0.0, x))",
           "where(greater_or_equal(x, -0.0), x, mul(0.1, sub(exp(x), 1.0)))",
           "float(or(bool(x), not(equal(x, inf))))",
           "add(-inf, 1e-300)",
           "mul(2.0, pi())",
       }) {
    EXPECT_EQ(parse(text).text(), text);
  }
  EXPECT_EQ(parse("  add( 1,x)").text(), "add(1.0, x)");
  // Definitions are written out, and shortened where they are the whole.
  EXPECT_EQ(parse("mul(x, sigmoid(x))").text(), "silu(x)");
  EXPECT_EQ(parse("silu(neg(x))").text(), "mul(neg(x), sigmoid(neg(x)))");
}

// Equal by the laws of algebra alone; 0.25 x is not 0.5 (0.5 x) for it, and sums of numbers stay.
TEST(Expression, HasOneFormForOneFunction) {
  const std::pair<const char*, const char*> cases[] = {
      {"add(x, 1.0)", "add(1.0, x)"},
      {"mul(mul(add(erf(x), 1.0), x), 0.5)", "mul(mul(0.5, x), add(1.0, erf(x)))"},
      {"mul(x, mul(0.5, add(1.0, erf(x))))", "mul(mul(0.5, x), add(1.0, erf(x)))"},
      {"min(max(x, 0.0), 6.0)", "min(6.0, max(0.0, x))"},
      {"max(x, max(exp(x), 0.0))", "max(max(0.0, x), exp(x))"},
      {"relu(tanh(x))", "max(0.0, tanh(x))"},
      {"max(x, 0)", "relu(x)"},
      {"div(x, -4.0)", "mul(-0.25, x)"},
      {"div(x, 3.0)", "div(x, 3.0)"},
      {"reciprocal(add(exp(neg(x)), 1.0))", "div(1.0, add(1.0, exp(neg(x))))"},
      {"mul(0.5, mul(0.5, x))", "mul(mul(0.5, 0.5), x)"},
      {"add(add(x, 1.0), -1.0)", "add(add(-1.0, 1.0), x)"},
      {"sub(x, 1.0)", "sub(x, 1.0)"},
      {"mul(sigmoid(x), x)", "silu(x)"},
      {"max(0.0, max(-0.0, x))", "max(max(-0.0, 0.0), x)"},
  };
  for (const auto& [text, form] : cases) EXPECT_EQ(parse(text).text(), form) << text;
}

TEST(Expression, SharesWhatIsEqual) {
  EXPECT_EQ(parse("mul(add(x, 1.0), add(x, 1.0))").nodes().size(), 4u);
  EXPECT_EQ(parse("add(0.0, -0.0)").nodes().size(), 3u);
}

TEST(Expression, RefusesWhatIsNone) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "neither a number"},
      {"y", "needs its operands"},
      {"mish(x)", "no function 'mish'"},
      {"add(x)", "other operands"},
      {"add(x, x, x)", "other operands"},
      {"add(x, less(x, x))", "other operands"},
      {"where(x, x, x)", "other operands"},
      {"less(x, x)", "not a real"},
      {"add(x, x", "is missing"},
      {"x)", "something follows"},
      {"nan", "needs its operands"},
      {"gelu()", "one operand"},
  };
  for (const auto& [text, why] : cases)
    EXPECT_THAT(std::string(Expression::parse(text).status().message()), HasSubstr(why)) << text;
  std::string deep(600, ' ');
  for (int i = 0; i < 300; ++i) deep = "neg(" + deep;
  EXPECT_THAT(std::string(Expression::parse(deep).status().message()), HasSubstr("too deeply"));
  EXPECT_THAT(std::string(Expression::parse(std::string(9000, ' ') + "x").status().message()),
              HasSubstr("too long"));
}

// A text is a tree, so that squaring again and again ends where it would be too long.
TEST(Expression, LimitsItsText) {
  ExpressionBuilder builder;
  int node = builder.variable();
  for (int i = 0; i < 40; ++i) node = *builder.apply("mul", {node, *builder.apply("exp", {node})});
  EXPECT_THAT(std::string(builder.finish(node).status().message()), HasSubstr("too long"));
  ExpressionBuilder wide;
  int sum = wide.variable();
  for (int i = 0; i < 100; ++i) sum = *wide.apply("sub", {sum, wide.number(i)});
  EXPECT_THAT(std::string(wide.finish(sum).status().message()), HasSubstr("too many parts"));
  for (int i = 0; i < 2000; ++i) wide.number(-i);
  EXPECT_THAT(std::string(wide.apply("neg", {sum}).status().message()), HasSubstr("too many"));
}

TEST(Expression, ComputesAsTheOpsDo) {
  const std::tuple<const char*, double, double> cases[] = {
      {"gelu(x)", 1, 0.8413447460685429},
      {"gelu_tanh(x)", 1, 0.8411919906082768},
      {"silu(x)", 1, 0.7310585786300049},
      {"min(max(x, 0.0), 50.0)", 60, 50},
      {"where(less(x, 0.0), mul(0.01, x), x)", -2, -0.02},
      {"round(x)", 2.5, 2},
      {"round(x)", -1.5, -2},
      {"round(x)", 0.49999999999999994, 0},
      {"ceil(x)", -0.5, 0},
      {"min(x, inf)", 7, 7},
      {"float(and(greater(x, 0.0), not(bool(sub(x, 3.0)))))", 3, 1},
  };
  for (const auto& [text, x, y] : cases)
    EXPECT_NEAR(parse(text)(x), y, 1e-15 * std::max(1.0, std::abs(y))) << text;
  EXPECT_EQ(parse("reciprocal(x)")(0), std::numeric_limits<double>::infinity());
  // Blocks do not mix.
  std::vector<double> x(1000), y(1000);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
  parse("mul(x, x)").evaluate(x, y);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(y[i], x[i] * x[i]);
}

TEST(ScalarFunctions, AreOpsInOrder) {
  registerAllDialects();
  EXPECT_TRUE(llvm::is_sorted(scalarFunctions(),
                              [](const auto& a, const auto& b) { return a.name < b.name; }));
  for (const ScalarFunction& function : scalarFunctions()) {
    EXPECT_EQ(findScalarFunction(function.name), &function);
    const bool cast = function.name == "float" || function.name == "bool";
    const bool alone = llvm::is_contained({"acos", "asin", "atan", "pi"}, function.name);
    if (cast || alone) continue;
    const OpDef* op = findOpDef("tensor." + function.name.str());
    ASSERT_NE(op, nullptr) << function.name.str();
    EXPECT_EQ(op->operands.size(), function.operands.size()) << function.name.str();
  }
  EXPECT_EQ(findScalarFunction("matmul"), nullptr);
}

}  // namespace
}  // namespace lindero::ir::tensor
