// Choices among what masks leave open, from ONNX text to integers: exactly what the float model
// chooses, or refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/driver/compile_model.h"
#include "ir/integer/interpreter.h"
#include "passes/quantize/compare.h"
#include "runtime/error/error.h"
#include "tests/onnx_node/onnx_text.h"

namespace lindero::compiler {
namespace {

using ir::tensor::Array;
using ::testing::HasSubstr;

constexpr int64_t kRows = 4, kWidth = 8;

// `nodes` make "masked" of the logits, [4, 8], and of the integers m, [4, 8]; `choice` makes y.
std::string graph(const std::string& type, const std::string& nodes, const std::string& choice,
                  double scale) {
  return absl::StrCat(
      "g (float[4,8] x, int64[4,8] m) => (", type, " y) <float scale = {", scale,
      "}, float one = {1}, float lowest = {-3.4028235e38}, float endless = {-1e30}, "
      "float large = {-1e9}, float far = {1e9}, float half = {-65504}, float whole = {65504}, "
      "float highest = {3.4028235e38}, float part = {0.03125}, float[8] remote = {0, 0, 1e30, 0, "
      "1e30, 0, 0, 0}, float small "
      "= {-10000}, int64[1] three = {3}, int64[1] axis = {1}, int64 none = {0}, "
      "float[8] hidden = {0, 0, -1e9, 0, -1e9, 0, 0, 0}, float[8] bias = {0, "
      "-10000, 0, 0, 0, 0, 0, 0}, int64[3] boxed = {2, 2, 8}, int64[2] flat = {4, "
      "8}> { logits = Mul(x, scale) ",
      nodes, " ", choice, " }");
}

absl::StatusOr<PreparedModel> prepared(const std::string& text) {
  testing::ScratchFolder folder;
  onnx::ModelProto model = testing::parseModel(text, 18);
  for (onnx::TensorProto& constant : *model.mutable_graph()->mutable_initializer()) {
    if (constant.name() == "endless") constant.set_float_data(0, -HUGE_VALF);
  }
  const std::string path = folder.write("model.onnx", model.SerializeAsString());
  runtime::Monitor monitor;
  ModelOptions options;
  options.samples = 64;  // of masks, too
  absl::StatusOr<PreparedModel> prepared = prepareModel(path, options, monitor);
  if (!prepared.ok()) return prepared;
  if (absl::Status status = prepared->compilation.quantize(prepared->exponents); !status.ok())
    return status;
  return prepared;
}

// Different numbers in each row, an eighth or more apart, and a mask; of `closed` rows, all zeros.
passes::Sample sample(uint32_t seed, int64_t closed) {
  std::mt19937 random(seed);
  std::vector<double> x;
  std::vector<int64_t> m;
  for (int64_t row = 0; row < kRows; ++row) {
    std::vector<int> numbers(33);
    std::iota(numbers.begin(), numbers.end(), -16);
    std::shuffle(numbers.begin(), numbers.end(), random);
    for (int64_t i = 0; i < kWidth; ++i) {
      x.push_back(0.125 * numbers[i]);
      // Three are open at the least.
      m.push_back(row < closed ? 0 : i % 3 == 1 || random() % 2 == 0);
    }
  }
  return {Array::real({kRows, kWidth}, x), Array::integer({kRows, kWidth}, m)};
}

absl::StatusOr<std::vector<double>> integersOf(const PreparedModel& model,
                                               const passes::Sample& inputs) {
  const ir::Function& function = model.compilation.integerFunction();
  std::vector<ir::integer::IntArray> integers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto one = passes::toIntegerInput(inputs[i], *function.body().arguments()[i]);
    if (!one.ok()) return one.status();
    integers.push_back(*std::move(one));
  }
  auto outputs = ir::integer::interpret(function, integers);
  if (!outputs.ok()) return outputs.status();
  const ir::Type& type = function.body().terminator()->operand(0)->type();
  std::vector<double> y;
  for (int64_t value : (*outputs)[0].values)
    y.push_back(type.element == ir::Element::kFixed ? std::ldexp(value, -type.exponent) : value);
  return y;
}

std::vector<double> expectedOf(const PreparedModel& model, const passes::Sample& inputs) {
  auto outputs = model.compilation.reference(inputs, {"y"});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  const Array& y = (*outputs)[0];
  return y.isReal() ? y.reals : std::vector<double>(y.integers.begin(), y.integers.end());
}

enum class Closed { kSame, kRefused };

void check(const std::string& text, Closed closed, double error = 0) {
  SCOPED_TRACE(text.substr(text.find("> {")));
  const absl::StatusOr<PreparedModel> model = prepared(text);
  ASSERT_TRUE(model.ok()) << model.status();
  for (uint32_t seed = 0; seed < 30; ++seed) {
    const int64_t rows = seed % 3 == 2 ? 1 : 0;
    const passes::Sample inputs = sample(seed, rows);
    const auto got = integersOf(*model, inputs);
    if (rows > 0 && closed == Closed::kRefused) {
      EXPECT_FALSE(got.ok()) << seed;
      continue;
    }
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_THAT(*got,
                ::testing::Pointwise(::testing::DoubleNear(error), expectedOf(*model, inputs)))
        << seed;
  }
}

std::string added(const char* level) {
  return absl::StrCat("f = Cast<to = 1>(m) i = Sub(one, f) t = Mul(i, ", level,
                      ") masked = Add(logits, t)");
}
std::string chosen(const char* level) {
  return absl::StrCat("b = Cast<to = 9>(m) masked = Where(b, logits, ", level, ")");
}
std::string equal(const char* level) {
  return absl::StrCat("b = Equal(m, none) masked = Where(b, ", level, ", logits)");
}

constexpr char kArgmax[] = "y = ArgMax<axis = 1, keepdims = 0>(masked)";
constexpr char kIds[] = "int64[4]";

// With logits of up to two, and of up to two hundred.
TEST(MaskedChoices, ArgmaxOfWhatIsOpen) {
  for (double scale : {1., 100.}) {
    for (const char* level : {"lowest", "endless", "large", "half", "small"}) {
      check(graph(kIds, chosen(level), kArgmax, scale), Closed::kSame);
      check(graph(kIds, equal(level), kArgmax, scale), Closed::kSame);
    }
    for (const char* level : {"lowest", "half", "small"})
      check(graph(kIds, added(level), kArgmax, scale), Closed::kSame);
    check(graph(kIds, added("large"), kArgmax, scale), Closed::kRefused);
    // Of constants.
    check(graph(kIds, "masked = Add(logits, hidden)", kArgmax, scale), Closed::kSame);
    check(graph(kIds, "u = Add(logits, hidden) f = Cast<to = 1>(m) masked = Sub(u, f)", kArgmax,
                scale),
          Closed::kSame);
  }
}

// One of -10000 for all of them chooses nothing, whatever 16 bits hold beside it.
TEST(MaskedChoices, WhatIsAddedToAllIsNone) {
  check(
      graph(kIds, "u = Add(logits, small) f = Cast<to = 1>(m) g = Mul(f, scale) masked = Sub(u, g)",
            kArgmax, 1),
      Closed::kSame);
}

// A number that is added and does not reach below all others is added.
TEST(MaskedChoices, WhatReachesNotFarEnoughIsAdded) {
  check(graph(kIds, added("small"), kArgmax, 7990), Closed::kSame);
  check(graph(kIds, "masked = Add(logits, bias)", kArgmax, 7990), Closed::kSame);
}

TEST(MaskedChoices, StepsApart) {
  const std::string steps =
      absl::StrCat(added("lowest"),
                   " box = Reshape(masked, boxed) turned = Transpose<perm = [1, 0, 2]>(box) back "
                   "= Transpose<perm = [1, 0, 2]>(turned) level = Reshape(back, flat)");
  check(graph(kIds, steps, "y = ArgMax<axis = 1, keepdims = 0>(level)", 1), Closed::kSame);
  check(graph("int64[8]", chosen("large"), "y = ArgMax<axis = 0, keepdims = 0>(masked)", 1),
        Closed::kSame);
  // The index is computed with.
  check(
      graph(kIds, chosen("large"),
            "p = ArgMax<axis = 1, keepdims = 0>(masked) one_more = Add(p, axis) y = Mul(one_more, "
            "three)",
            1),
      Closed::kRefused);
}

TEST(MaskedChoices, Values) {
  const std::string most = "y = ReduceMax<keepdims = 0>(masked, axis)";
  for (const char* level : {"lowest", "endless", "large", "half", "small"}) {
    check(graph("float[4]", chosen(level), most, 1), Closed::kRefused, 1e-3);
    if (std::string(level) != "endless")
      check(graph("float[4]", added(level), most, 1), Closed::kRefused, 1e-3);
  }
  check(graph("float[4]", "masked = Add(logits, hidden)", most, 1), Closed::kSame, 1e-3);
  check(graph("float[4]", added("small"), most, 100), Closed::kRefused, 0.1);
}

TEST(MaskedChoices, LargestFew) {
  const std::string values = "y, p = TopK<axis = 1>(masked, three)",
                    indices = "v, y = TopK<axis = 1>(masked, three)";
  for (const char* level : {"lowest", "endless", "large", "small"}) {
    check(graph("float[4,3]", chosen(level), values, 1), Closed::kRefused, 1e-3);
    check(graph("int64[4,3]", chosen(level), indices, 1), Closed::kRefused);
  }
  check(graph("int64[4,3]", added("large"), indices, 10), Closed::kRefused);
  check(graph("float[4,3]", "masked = Add(logits, hidden)", values, 1), Closed::kSame, 1e-3);
}

TEST(MaskedChoices, TheLeastOfWhatIsOpen) {
  const std::string far =
      "f = Cast<to = 1>(m) i = Sub(one, f) t = Mul(i, far) masked = Add(logits, t)";
  check(graph(kIds, far, "y = ArgMin<axis = 1, keepdims = 0>(masked)", 1), Closed::kRefused);
  check(graph("float[4]", far, "y = ReduceMin<keepdims = 0>(masked, axis)", 1), Closed::kRefused,
        1e-3);
  check(graph("int64[4,3]", far, "v, y = TopK<axis = 1, largest = 0>(masked, three)", 1),
        Closed::kRefused);
}

// Between bounds, of which those of closed elements are at one.
TEST(MaskedChoices, WithinBounds) {
  for (const char* bounds : {"half, whole", "lowest, highest"}) {
    const std::string clip = absl::StrCat(" bound = Clip(masked, ", bounds, ")");
    check(graph(kIds, added("lowest") + clip, "y = ArgMax<axis = 1, keepdims = 0>(bound)", 1),
          Closed::kSame);
    check(graph(kIds, added("highest") + clip, "y = ArgMin<axis = 1, keepdims = 0>(bound)", 1),
          Closed::kSame);
    check(graph(kIds, "masked = Sub(logits, remote)" + clip,
                "y = ArgMax<axis = 1, keepdims = 0>(bound)", 1),
          Closed::kSame);
  }
}

// An offset of all of them chooses nothing, and is not what others are as good beside.
TEST(MaskedChoices, OffsetsChooseNothing) {
  const std::string ones = "f = Cast<to = 1>(m) g = Mul(f, part) v = Sub(logits, g) ";
  for (const char* offset :
       {"masked = Add(v, small)", "masked = Sub(v, small)", "u = Sub(small, v) masked = Neg(u)"}) {
    const std::string text = ones + offset;
    check(graph(kIds, text, kArgmax, 1), Closed::kSame);
    check(graph(kIds, text, "y = ArgMin<axis = 1, keepdims = 0>(masked)", 1), Closed::kSame);
    check(graph("int64[8]", text, "y = ArgMin<axis = 0, keepdims = 0>(masked)", 1), Closed::kSame);
    check(graph("int64[4,3]", text, "v2, y = TopK<axis = 1>(masked, three)", 1), Closed::kSame);
    check(graph("int64[4,3]", text, "v2, y = TopK<axis = 1, largest = 0>(masked, three)", 1),
          Closed::kSame);
  }
}

// An input of reals that is added may be a mask: what it leaves open is lost beside 1e30, though
// the one element that is open in most rows is chosen.
TEST(MaskedChoices, RefusesWhatIsLostBesideMasks) {
  testing::ScratchFolder folder;
  const std::string path = folder.write(
      "model.onnx", testing::parseModel("g (float[2,6] x, float[2,6] m) => (int64[2] y) { u = "
                                        "Sub(x, m) y = ArgMax<axis = 1, keepdims = 0>(u) }",
                                        18)
                        .SerializeAsString());
  ModelOptions options;
  options.calibrate = folder.write("inputs.json",
                                   R"({"x": [[0.5, 1, 1.5, 2, 2.5, 3], [3, 2.5, 2, 1.5, 1, 0.5]],
          "m": [[0.0, 1e30, 1e30, 1e30, 1e30, 1e30], [0.0, 0, 1e30, 1e30, 1e30, 1e30]]})");
  runtime::Monitor monitor;
  const absl::Status status = prepareModel(path, options, monitor).status();
  EXPECT_EQ(runtime::errorOf(status), runtime::Error::kImprecise) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("output 'y'"));
}

TEST(MaskedChoices, RefusesMasksThatMayNotReachFarEnough) {
  const std::string most = "y = ReduceMax<keepdims = 0>(masked, axis)";
  for (const std::string& text : {graph(kIds, chosen("small"), kArgmax, 8000),
                                  graph("float[4]", chosen("small"), most, 8000)}) {
    const absl::Status status = prepared(text).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr("mask"));
    EXPECT_FALSE(status.ok());
  }
}

}  // namespace
}  // namespace lindero::compiler
