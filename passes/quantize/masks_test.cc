// Masks on the way to a softmax: a masked score gets the probability zero for every input in range,
// whatever is added to it, put beside it or multiplied with it after its mask.
#include "passes/quantize/masks.h"

#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/core/text.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "ir/integer/interpreter.h"
#include "ir/tensor/interpreter.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/choose_exponents.h"
#include "passes/quantize/compare.h"
#include "passes/quantize/quantize.h"

namespace lindero::passes {
namespace {

using ir::tensor::Array;
using ::testing::HasSubstr;

// x is as scores are; z is alike within each row of calibration, so that it hides nothing there,
// and anything in its range later on. Returned are probabilities.
struct Case {
  const char* name;
  const char* body;
  double z = 100;
  std::string refused = {};  // why, if it is
};

std::string textOf(const Case& c) {
  const llvm::StringRef body(c.body), type = body.substr(body.rfind("tensor<"));
  return absl::StrCat(R"(
constant @mask : f32[2x4] = [0, 0, -1e9, -1e9, 0, -1e9, 0, -1e9]
constant @other : f32[4] = [0, -inf, 0, 0]
constant @just : f32[4] = [0, 0, -10000, -10000]
constant @sinks : f32[2x2] = [1, -inf, 2, -1e9]
constant @first : bool[4] = [1, 1, 0, 0]
constant @least : f32[] = [-1e9]
constant @factor : f32[] = [0.125]
constant @factors : f32[4] = [2, 1, 0.5, 1]
func @main(%x: tensor<2x4xf32>, %z: tensor<2x4xf32>) -> )",
                      type.take_until([](char end) { return end == '>'; }).str(), R"(> {
  %mask = tensor.constant {value = @mask} : tensor<2x4xf32>
  %other = tensor.constant {value = @other} : tensor<4xf32>
  %just = tensor.constant {value = @just} : tensor<4xf32>
  %sinks = tensor.constant {value = @sinks} : tensor<2x2xf32>
  %first = tensor.constant {value = @first} : tensor<4xi1>
  %least = tensor.constant {value = @least} : tensor<f32>
  %factor = tensor.constant {value = @factor} : tensor<f32>
  %factors = tensor.constant {value = @factors} : tensor<4xf32>
)",
                      c.body, "  tensor.return(%p)\n}\n");
}

std::vector<Case> cases() {
  return {
      {"Alone", R"(
  %s = tensor.add(%x, %mask) : tensor<2x4xf32>
  %p = tensor.softmax(%s) {axis = 1} : tensor<2x4xf32>
)"},
      {"BeforeAnAddend", R"(
  %s = tensor.add(%x, %mask) : tensor<2x4xf32>
  %t = tensor.add(%s, %z) : tensor<2x4xf32>
  %p = tensor.softmax(%t) {axis = 1} : tensor<2x4xf32>
)"},
      {"BeforeASubtrahend", R"(
  %s = tensor.add(%x, %mask) : tensor<2x4xf32>
  %t = tensor.sub(%s, %z) : tensor<2x4xf32>
  %p = tensor.softmax(%t) {axis = 1} : tensor<2x4xf32>
)"},
      {"BeforeASelection", R"(
  %s = tensor.add(%x, %mask) : tensor<2x4xf32>
  %t = tensor.where(%first, %z, %s) : tensor<2x4xf32>
  %p = tensor.softmax(%t) {axis = 1} : tensor<2x4xf32>
)"},
      {"OfASelectedAddend", R"(
  %s = tensor.where(%first, %z, %least) : tensor<2x4xf32>
  %t = tensor.add(%x, %s) : tensor<2x4xf32>
  %p = tensor.softmax(%t) {axis = 1} : tensor<2x4xf32>
)"},
      {"BesideOthers", R"(
  %s = tensor.add(%x, %least) : tensor<2x4xf32>
  %t = tensor.concat(%s, %z) {axis = 1} : tensor<2x8xf32>
  %p = tensor.softmax(%t) {axis = 1} : tensor<2x8xf32>
)"},
      {"BesideConstants", R"(
  %s = tensor.add(%x, %z) : tensor<2x4xf32>
  %t = tensor.concat(%s, %sinks) {axis = 1} : tensor<2x6xf32>
  %p = tensor.softmax(%t) {axis = 1} : tensor<2x6xf32>
)"},
      {"BeforeAFactor", R"(
  %s = tensor.add(%x, %mask) : tensor<2x4xf32>
  %t = tensor.mul(%s, %factor) : tensor<2x4xf32>
  %u = tensor.add(%t, %z) : tensor<2x4xf32>
  %p = tensor.softmax(%u) {axis = 1} : tensor<2x4xf32>
)"},
      {"BeforeADivisor", R"(
  %s = tensor.add(%x, %mask) : tensor<2x4xf32>
  %t = tensor.div(%s, %factors) : tensor<2x4xf32>
  %p = tensor.softmax(%t) {axis = 1} : tensor<2x4xf32>
)"},
      {"TwoAtTwoDepths", R"(
  %s = tensor.add(%x, %mask) : tensor<2x4xf32>
  %t = tensor.add(%z, %s) : tensor<2x4xf32>
  %u = tensor.add(%t, %other) : tensor<2x4xf32>
  %v = tensor.transpose(%u) {perm = [1, 0]} : tensor<4x2xf32>
  %p = tensor.softmax(%v) {axis = 0} : tensor<4x2xf32>
)"},
      {"OfTwoReaders", R"(
  %s = tensor.add(%x, %mask) : tensor<2x4xf32>
  %t = tensor.add(%s, %z) : tensor<2x4xf32>
  %q = tensor.softmax(%s) {axis = 1} : tensor<2x4xf32>
  %r = tensor.softmax(%t) {axis = 1} : tensor<2x4xf32>
  %p = tensor.concat(%q, %r) {axis = 0} : tensor<4x4xf32>
)"},
      {"JustAMask", R"(
  %s = tensor.add(%x, %just) : tensor<2x4xf32>
  %t = tensor.add(%s, %z) : tensor<2x4xf32>
  %p = tensor.softmax(%t) {axis = 1} : tensor<2x4xf32>
)"},
      {"TooSmallAMask", R"(
  %s = tensor.add(%x, %just) : tensor<2x4xf32> loc("/Mask")
  %t = tensor.mul(%s, %factor) : tensor<2x4xf32>
  %u = tensor.sub(%t, %z) : tensor<2x4xf32>
  %v = tensor.sub(%u, %z) : tensor<2x4xf32>
  %p = tensor.softmax(%v) {axis = 1} : tensor<2x4xf32> loc("/Softmax")
)",
       200,
       "tensor.softmax (/Softmax): its mask puts scores at -1250, and others may reach 1025: "
       "masked "
       "ones would count unless the mask is -2114 or less; export the model with -inf"},
  };
}

class MasksTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override { ir::registerAllDialects(); }
};

Sample drawn(std::mt19937_64& random, double z, bool alike) {
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform(-z, z);
  Sample sample{Array::zeros(ir::Element::kFloat, {2, 4}),
                Array::zeros(ir::Element::kFloat, {2, 4})};
  for (double& x : sample[0].reals) x = normal(random);
  std::vector<double>& reals = sample[1].reals;
  for (size_t i = 0; i < reals.size(); ++i)
    reals[i] = alike && i % 4 > 0 ? reals[i - 1] : uniform(random);
  return sample;
}

TEST_P(MasksTest, LetNothingThrough) {
  const Case& c = GetParam();
  auto module = ir::parse(textOf(c));
  ASSERT_EQ(module.status(), absl::OkStatus());
  const ir::Function& source = *(*module)->findFunction("main");
  std::mt19937_64 random(1);
  std::vector<Sample> samples;
  for (int i = 0; i < 16; ++i) samples.push_back(drawn(random, c.z, true));
  auto calibration = calibrate(source, samples);
  ASSERT_EQ(calibration.status(), absl::OkStatus());
  auto exponents = chooseExponents(source, *calibration, {});
  ASSERT_EQ(exponents.status(), absl::OkStatus());
  ir::Module target;
  ir::Function& integers = *target.addFunction("main");
  const absl::Status status = quantize(source, *exponents, integers);
  if (!c.refused.empty()) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.refused));
    return;
  }
  ASSERT_EQ(status, absl::OkStatus());
  ASSERT_EQ(ir::verify(integers), absl::OkStatus());
  const int exponent = integers.body().terminator()->operand(0)->type().exponent;
  int accepted = 0;
  for (int i = 0; i < 300; ++i) {
    const Sample sample = drawn(random, c.z, i % 2 == 0);
    auto expected = ir::tensor::interpret(source, sample);
    ASSERT_EQ(expected.status(), absl::OkStatus());
    std::vector<ir::integer::IntArray> inputs;
    for (size_t k = 0; k < sample.size(); ++k)
      inputs.push_back(toIntegerInput(sample[k], *integers.body().arguments()[k]).value());
    auto actual = ir::integer::interpret(integers, inputs);
    if (actual.status().code() == absl::StatusCode::kOutOfRange) continue;
    ASSERT_EQ(actual.status(), absl::OkStatus());
    ++accepted;
    const std::vector<double>& p = expected->front().reals;
    for (size_t k = 0; k < p.size(); ++k) {
      const double got = std::ldexp(static_cast<double>(actual->front().values[k]), -exponent);
      ASSERT_NEAR(got, p[k], 0.02) << k << '\n' << ir::toText(target);
    }
  }
  EXPECT_GT(accepted, 200);
}

INSTANTIATE_TEST_SUITE_P(Cases, MasksTest, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lindero::passes
