// The general path on random graphs: every graph has an integer program that verifies and stays
// close to the float one.
#include <cmath>

#include "gtest/gtest.h"
#include "ir/core/text.h"
#include "ir/core/verifier.h"
#include "ir/integer/interpreter.h"
#include "ir/tensor/interpreter.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/choose_exponents.h"
#include "passes/quantize/compare.h"
#include "passes/quantize/quantize.h"
#include "passes/quantize/random_graph.h"

namespace lindero::passes {
namespace {

using ir::integer::IntArray;
using ir::tensor::Array;

// ||a - b|| / ||b||, of all outputs the largest. Where terms cancel, what is left is as exact as
// they are: less than kSmall per element counts as that.
constexpr double kSmall = 0.1;
double distance(const ir::Function& integers, const std::vector<Array>& expected,
                const std::vector<IntArray>& actual) {
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const int exponent = integers.body().terminator()->operand(i)->type().exponent;
    double error = 0, norm = kSmall * kSmall * static_cast<double>(expected[i].reals.size());
    for (size_t k = 0; k < expected[i].reals.size(); ++k) {
      const double real = std::ldexp(static_cast<double>(actual[i].values[k]), -exponent);
      error += std::pow(real - expected[i].reals[k], 2);
      norm += std::pow(expected[i].reals[k], 2);
    }
    largest = std::max(largest, std::sqrt(error / norm));
  }
  return largest;
}

class GeneralTest : public ::testing::TestWithParam<int> {};

TEST_P(GeneralTest, IntegersStayCloseToReals) {
  const uint64_t seed = GetParam();
  auto module = RandomGraph(seed).build(4 + static_cast<int>(seed % 9));
  const ir::Function& source = *module->findFunction("main");
  SCOPED_TRACE(ir::toText(*module));
  ASSERT_EQ(ir::verify(source), absl::OkStatus());
  auto samples = defaultSamples(source, 8);
  ASSERT_EQ(samples.status(), absl::OkStatus());
  auto calibration = calibrate(source, *samples);
  ASSERT_EQ(calibration.status(), absl::OkStatus());
  auto exponents = chooseExponents(source, *calibration, {});
  ASSERT_EQ(exponents.status(), absl::OkStatus());
  ir::Module target;
  ir::Function& integers = *target.addFunction("main");
  ASSERT_EQ(quantize(source, *exponents, integers), absl::OkStatus());
  ASSERT_EQ(ir::verify(integers), absl::OkStatus());
  for (const Sample& sample : *samples) {
    auto expected = ir::tensor::interpret(source, sample);
    ASSERT_EQ(expected.status(), absl::OkStatus());
    std::vector<IntArray> inputs;
    for (size_t i = 0; i < sample.size(); ++i)
      inputs.push_back(toIntegerInput(sample[i], *integers.body().arguments()[i]).value());
    auto actual = ir::integer::interpret(integers, inputs);
    ASSERT_EQ(actual.status(), absl::OkStatus()) << ir::toText(target);
    EXPECT_LT(distance(integers, *expected, *actual), 0.05) << ir::toText(target);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, GeneralTest, ::testing::Range(0, 300));

}  // namespace
}  // namespace lindero::passes
