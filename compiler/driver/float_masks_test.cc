// Masks of 0 and 1 that a model reads as reals, without samples to calibrate on: from ONNX text to
// integers, in the spellings of exporters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/driver/compile_model.h"
#include "ir/integer/interpreter.h"
#include "passes/quantize/compare.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero::compiler {
namespace {

using ir::tensor::Array;

constexpr int64_t kRows = 4, kKeys = 8;

// `nodes` make the scores z, [4, 8], of s, [4, 8], and the mask m, [1, 8].
std::string graph(const std::string& nodes) {
  return absl::StrCat(
      "g (float[4,8] x, float[1,8] m) => (float[4,8] y) <float one = {1}, float half = {0.5}, "
      "float zero = {0}, float scale = {2}, float far = {10000}, float near = {-10000}, float "
      "large "
      "= {-1e9}, float lowest = {-3.4028235e38}, float part = {-0.0001}> { s = Mul(x, scale) ",
      nodes, " y = Softmax<axis = -1>(z) }");
}

absl::StatusOr<PreparedModel> prepared(const std::string& text) {
  testing::ScratchFolder folder;
  const std::string path =
      folder.write("model.onnx", testing::parseModel(text, 18).SerializeAsString());
  runtime::Monitor monitor;
  absl::StatusOr<PreparedModel> model = prepareModel(path, ModelOptions(), monitor);
  if (!model.ok()) return model;
  if (absl::Status status = model->compilation.quantize(model->exponents); !status.ok())
    return status;
  return model;
}

// The input m is of integers where it can only be a mask.
enum class Input { kTruth, kReal };

void check(const std::string& nodes, Input input, bool one_hides = false) {
  SCOPED_TRACE(nodes);
  const absl::StatusOr<PreparedModel> model = prepared(graph(nodes));
  ASSERT_TRUE(model.ok()) << model.status();
  const ir::Function& function = model->compilation.integerFunction();
  EXPECT_EQ(model->compilation.facts().inputs[1].integer, input == Input::kTruth);
  std::mt19937 random(1);
  for (int64_t open = 1; open <= kKeys; ++open) {
    Array x = Array::zeros(ir::Element::kFloat, {kRows, kKeys});
    for (double& number : x.reals) number = 0.0625 * (static_cast<double>(random() % 33) - 16);
    std::vector<int64_t> m;
    for (int64_t i = 0; i < kKeys; ++i) m.push_back((i < open) != one_hides);
    const passes::Sample sample = {x, input == Input::kTruth
                                          ? Array::integer({1, kKeys}, m)
                                          : Array::real({1, kKeys}, {m.begin(), m.end()})};
    const auto expected = model->compilation.reference(sample, {"y"});
    ASSERT_TRUE(expected.ok()) << expected.status();
    std::vector<ir::integer::IntArray> integers;
    for (size_t i = 0; i < sample.size(); ++i) {
      const auto one = passes::toIntegerInput(sample[i], *function.body().arguments()[i]);
      ASSERT_TRUE(one.ok()) << one.status();
      integers.push_back(*one);
    }
    const auto outputs = ir::integer::interpret(function, integers);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    const int exponent = function.body().terminator()->operand(0)->type().exponent;
    std::vector<double> got;
    for (int64_t value : (*outputs)[0].values)
      got.push_back(std::ldexp(static_cast<double>(value), -exponent));
    EXPECT_THAT(got, ::testing::Pointwise(::testing::DoubleNear(0.01), (*expected)[0].reals));
  }
}

TEST(FloatMasks, ByTheirNumbers) {
  for (const char* level : {"near", "large", "lowest"}) {
    check(absl::StrCat("i = Sub(one, m) t = Mul(i, ", level, ") z = Add(s, t)"), Input::kTruth);
    check(absl::StrCat("t = Mul(m, ", level, ") z = Add(s, t)"), Input::kTruth, true);
  }
  for (const char* nodes : {
           "i = Sub(m, one) t = Mul(i, far) z = Add(s, t)",
           "i = Mul(m, far) t = Sub(i, far) z = Add(t, s)",
           "i = Mul(m, far) t = Add(i, near) z = Add(s, t)",
           "n = Neg(m) i = Add(n, one) t = Mul(far, i) z = Sub(s, t)",
           "i = Sub(one, m) t = Div(i, part) z = Add(s, t)",
           "i = Mul(m, far) a = Sub(s, far) z = Add(a, i)",
           "i = Sub(one, m) b = Cast<to = 9>(i) f = Where(b, lowest, i) z = Add(s, f)",
           "w = Mul(s, m) i = Sub(one, m) t = Mul(i, near) z = Add(w, t)",
       })
    check(nodes, Input::kTruth);
}

TEST(FloatMasks, ByComparison) {
  check("b = Greater(m, half) z = Where(b, s, near)", Input::kReal);
  check("b = Less(m, half) z = Where(b, large, s)", Input::kReal);
  check("b = Equal(m, zero) z = Where(b, lowest, s)", Input::kReal);
  check("b = Cast<to = 9>(m) z = Where(b, s, large)", Input::kReal);
  check("b = Greater(m, half) z = Where(b, large, s)", Input::kReal, true);
}

// What is added to scores as it is, and what is no score at all.
TEST(FloatMasks, OtherInputsStayReal) {
  for (const char* nodes : {"z = Add(s, m)", "t = Mul(m, scale) z = Add(s, t)"}) {
    const absl::StatusOr<PreparedModel> model = prepared(graph(nodes));
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_FALSE(model->compilation.facts().inputs[1].integer) << nodes;
  }
}

}  // namespace
}  // namespace lindero::compiler
