#include "passes/quantize/whole.h"

#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "ir/core/text.h"
#include "ir/dialects.h"
#include "ir/integer/interpreter.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/choose_exponents.h"
#include "passes/quantize/quantize.h"

namespace lindero::passes {
namespace {

// An integer is picked by a one-hot row: 12 bits hold it up to 2,047.
constexpr char kPick[] = R"ir(
constant @words : f32[2x1] = [0, WORD]
constant @first : f32[1x2] = [0, 1]
func @main(%ids: tensor<2xi64>) -> tensor<1x1xf32> {
  %words = tensor.constant {value = @words} : tensor<2x1xf32>
  %first = tensor.constant {value = @first} : tensor<1x2xf32>
  %0 = tensor.embedding(%ids, %words) {exact = true} : tensor<2x1xf32>
  %1 = tensor.transpose(%0) {perm = [1, 0]} : tensor<1x2xf32>
  %2 = tensor.sub(%1, %first) : tensor<1x2xf32>
  %3 = tensor.activation(%2) {function = "where(equal(x, 0), 1, 0)"} : tensor<1x2xf32>
  %4 = tensor.matmul(%3, %0) : tensor<1x1xf32>
  tensor.return(%4) {names = ["word"]}
}
)ir";

absl::Status quantized(const std::string& word) {
  ir::registerAllDialects();
  auto module = ir::parse(absl::StrReplaceAll(kPick, {{"WORD", word}}));
  if (!module.ok()) return module.status();
  const ir::Function& main = **(*module)->functions().begin();
  const auto whole = wholeValues(main);
  for (const ir::Op& op : main.body().ops()) {
    if (op.numResults() != 1 || op.is("tensor.constant")) continue;
    EXPECT_TRUE(whole.contains(op.result())) << op.name().str();
  }
  const Sample sample = {ir::tensor::Array::integer({2}, {0, 1})};
  auto calibration = calibrate(main, sample);
  if (!calibration.ok()) return calibration.status();
  auto exponents = chooseExponents(main, *calibration, {});
  if (!exponents.ok()) return exponents.status();
  ir::Module target;
  return quantize(main, *exponents, *target.addFunction("main"));
}

TEST(Whole, NumbersThatDoNotFitAreRefused) {
  EXPECT_EQ(quantized("1000"), absl::OkStatus());
  const absl::Status refused = quantized("10000");
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnimplemented) << refused;
  EXPECT_NE(std::string(refused.message()).find("do not fit its bits exactly"), std::string::npos)
      << refused;
}

// Calibration sees the words 5 and 6 alone; all others may come.
constexpr char kEqual[] = R"ir(
constant @words : f32[10x1] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 40]
constant @five : f32[] = [5]
func @main(%ids: tensor<2xi64>) -> tensor<2x1xf32> {
  %words = tensor.constant {value = @words} : tensor<10x1xf32>
  %five = tensor.constant {value = @five} : tensor<f32>
  %0 = tensor.embedding(%ids, %words) {exact = true} : tensor<2x1xf32>
  %1 = tensor.sub(%0, %five) : tensor<2x1xf32>
  %2 = tensor.activation(%1) {function = "where(equal(x, 0), 1, 0)"} : tensor<2x1xf32>
  tensor.return(%2) {names = ["is_five"]}
}
)ir";

TEST(Whole, KeysCoverWhatCalibrationDidNotSee) {
  ir::registerAllDialects();
  auto module = ir::parse(kEqual);
  ASSERT_TRUE(module.ok()) << module.status();
  const ir::Function& main = **(*module)->functions().begin();
  for (const auto& [value, range] : wholeRanges(main)) {
    if (!value->definingOp()->is("tensor.sub")) continue;
    EXPECT_EQ(range.low, -5);
    EXPECT_EQ(range.high, 35);
  }
  const Sample sample = {ir::tensor::Array::integer({2}, {5, 6})};
  auto calibration = calibrate(main, sample);
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  auto exponents = chooseExponents(main, *calibration, {});
  ASSERT_TRUE(exponents.ok()) << exponents.status();
  ir::Module target;
  ir::Function& integers = *target.addFunction("main");
  ASSERT_EQ(quantize(main, *exponents, integers), absl::OkStatus());
  const int exponent = integers.body().terminator()->operand(0)->type().exponent;
  for (int64_t id = 0; id < 10; ++id) {
    auto found = ir::integer::interpret(integers, {ir::integer::IntArray{{2}, {id, 5}}});
    ASSERT_TRUE(found.ok()) << id << ": " << found.status();
    EXPECT_EQ(std::ldexp(found->front().values[0], -exponent), id == 5 ? 1 : 0) << id;
    EXPECT_EQ(std::ldexp(found->front().values[1], -exponent), 1);
  }
}

}  // namespace
}  // namespace lindero::passes
