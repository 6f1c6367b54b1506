// Causal models in integers: what comes later changes nothing, and a shorter program is the longer
// one's beginning.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/driver/compilation.h"
#include "gtest/gtest.h"
#include "ir/integer/interpreter.h"

namespace lindero::compiler {
namespace {

using ir::integer::IntArray;

constexpr int64_t kFirst = 3;

// The output's rows at the first positions.
std::vector<int64_t> firstRows(const Compilation& model, std::vector<int64_t> tokens) {
  const int64_t count = tokens.size();
  absl::StatusOr<std::vector<IntArray>> outputs =
      ir::integer::interpret(model.integerFunction(), {IntArray{{count}, std::move(tokens)}});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok()) return {};
  const std::vector<int64_t>& values = outputs->front().values;
  return {values.begin(), values.begin() + values.size() / count * kFirst};
}

class LengthsTest : public ::testing::TestWithParam<const char*> {};

TEST_P(LengthsTest, SeeNothingOfWhatIsLater) {
  absl::StatusOr<Compilation> model =
      Compilation::load(absl::StrCat(LINDERO_MODELS, "/", GetParam(), ".onnx"), {});
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_TRUE(model->facts().causal);
  const auto samples = model->defaultSamples(4);
  ASSERT_TRUE(samples.ok()) << samples.status();
  const auto exponents = model->calibrate(*samples, {});
  ASSERT_TRUE(exponents.ok()) << exponents.status();
  ASSERT_EQ(model->quantize(*exponents), absl::OkStatus());
  const std::vector<int64_t> first = firstRows(*model, {3, 1, 2, 0, 0, 0});
  EXPECT_EQ(firstRows(*model, {3, 1, 2, 7, 5, 4}), first);
  EXPECT_NE(firstRows(*model, {3, 5, 2, 0, 0, 0}), first);

  ASSERT_EQ(model->setLength(kFirst), absl::OkStatus());
  ASSERT_EQ(model->quantize(*exponents), absl::OkStatus());
  EXPECT_EQ(firstRows(*model, {3, 1, 2}), first);
}

INSTANTIATE_TEST_SUITE_P(Models, LengthsTest,
                         ::testing::Values("family_llama", "family_llama_rotated_in_pairs",
                                           "family_alibi", "family_sliding_window",
                                           "family_capped_scores", "exported_llama_dynamo",
                                           "exported_llama_fused_attention_dynamo"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace lindero::compiler
