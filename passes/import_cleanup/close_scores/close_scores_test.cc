// close-scores against the float interpreter: masks in the spellings of exporters give the same
// probabilities before and after it, rows that are closed altogether included.

#include "passes/import_cleanup/close_scores/close_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ir/core/text.h"
#include "ir/dialects.h"
#include "ir/tensor/interpreter.h"
#include "passes/pass_manager.h"

namespace lindero {
namespace {

using ir::tensor::Array;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointwise;

constexpr char kConstants[] = R"(
constant @one : f32[] = [1]
constant @zero : f32[] = [0]
constant @two : f32[] = [2]
constant @lowest : f32[] = [-3.4028235e38]
constant @minus_inf : f32[] = [-inf]
constant @large : f32[] = [-1e9]
constant @small : f32[] = [-10000.0]
constant @moderate : f32[] = [-100.0]
constant @small_part : f32[] = [-1e-4]
constant @huge : f32[] = [1e9]
constant @mixed : f32[3] = [-10000.0, -1e9, -10000.0]
constant @bias : f32[2x3x3] = [0, -1, -2, 0, 0, -1, 1, 0, 0, 0, -3, -6, 0, 0, -3, 2, 0, 0]
constant @causal : bool[1x3x3] = [1, 0, 0, 1, 1, 0, 1, 1, 1]
constant @triangle : f32[1x3x3] = [0, -3.4028235e38, -3.4028235e38, 0, 0, -3.4028235e38, 0, 0, 0]
)";

// The function of scores s [2, 3, 3] and a mask m [3], both as they are in `body`.
std::string module(const std::string& body) {
  std::string text = kConstants;
  text += "\nfunc @main(%s: tensor<2x3x3xf32>, %m: tensor<3xi64>) -> tensor<2x3x3xf32> {\n";
  for (const char* name : {"one", "zero", "two", "lowest", "minus_inf", "large", "small",
                           "moderate", "huge", "small_part"}) {
    text +=
        std::string("  %") + name + " = tensor.constant {value = @" + name + "} : tensor<f32>\n";
  }
  return text + R"(
  %mixed = tensor.constant {value = @mixed} : tensor<3xf32>
  %bias = tensor.constant {value = @bias} : tensor<2x3x3xf32>
  %causal = tensor.constant {value = @causal} : tensor<1x3x3xi1>
  %triangle = tensor.constant {value = @triangle} : tensor<1x3x3xf32>
  %row = tensor.reshape(%m) {shape = [1, 1, 3]} : tensor<1x1x3xi64>
  %f = tensor.cast(%row) {to = "float"} : tensor<1x1x3xf32>
  %b = tensor.cast(%row) {to = "bool"} : tensor<1x1x3xi1>
  %inverse = tensor.sub(%one, %f) : tensor<1x1x3xf32>
)" + body +
         "  tensor.return(%p)\n}\n";
}

std::vector<double> run(const ir::Module& module, uint32_t seed, int mask) {
  std::mt19937 random(seed);
  Array s = Array::zeros(ir::Element::kFloat, {2, 3, 3});
  for (double& x : s.reals) x = 0.25 * (static_cast<double>(random() % 33) - 16);
  const Array m = Array::integer({3}, {mask & 1, mask >> 1 & 1, mask >> 2 & 1});
  auto outputs = ir::tensor::interpret(**module.functions().begin(), {s, m});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return (*outputs)[0].reals;
}

enum class Closed { kSame, kRefused, kNotMasked };

// Masks of keys, by their first key: with the least of 1 each row has an open score, if it is
// causal.
void check(const std::string& body, Closed closed, bool causal) {
  ir::registerAllDialects();
  SCOPED_TRACE(body);
  auto before = ir::parse(module(body)), after = ir::parse(module(body));
  ASSERT_TRUE(before.ok() && after.ok()) << before.status();
  passes::PassManager manager({.check_unchanged = true});
  manager.add(passes::createCloseScores());
  ASSERT_TRUE(manager.run(**after).status().ok());
  const bool masked = ir::toText(**after).find("tensor.mask") != std::string::npos;
  EXPECT_EQ(masked, closed != Closed::kNotMasked);
  for (int mask = 0; mask < 8; ++mask) {
    const bool open = causal ? mask & 1 : mask != 0;  // in each row
    for (uint32_t seed = 0; seed < 5; ++seed) {
      const std::vector<double> expected = run(**before, seed, mask),
                                got = run(**after, seed, mask);
      if (open || closed != Closed::kRefused) {
        EXPECT_THAT(got, Pointwise(::testing::NanSensitiveDoubleNear(1e-9), expected)) << mask;
      } else {
        EXPECT_TRUE(llvm::any_of(got, [](double x) { return std::isnan(x); })) << mask;
      }
    }
  }
}

constexpr char kSoftmax[] = "  %p = tensor.softmax(%x) {axis = 2} : tensor<2x3x3xf32>\n";

TEST(CloseScores, MasksOfKeys) {
  for (const char* level : {"lowest", "large", "small", "minus_inf"}) {
    if (std::string(level) != "minus_inf") {
      check(std::string("  %t = tensor.mul(%inverse, %") + level +
                ") : tensor<1x1x3xf32>\n  %x = tensor.add(%s, %t) : tensor<2x3x3xf32>\n" + kSoftmax,
            Closed::kRefused, false);
    }
    check(
        std::string("  %x = tensor.where(%b, %s, %") + level + ") : tensor<2x3x3xf32>\n" + kSoftmax,
        Closed::kRefused, false);
    check(std::string("  %t = tensor.where(%b, %zero, %") + level +
              ") : tensor<1x1x3xf32>\n  %u = tensor.expand(%t) {shape = [2, 1, 3]} : "
              "tensor<2x1x3xf32>\n  %v = tensor.add(%s, %bias) : tensor<2x3x3xf32>\n  %x = "
              "tensor.add(%u, %v) : tensor<2x3x3xf32>\n" +
              kSoftmax,
          Closed::kRefused, false);
  }
  check(std::string("  %t = tensor.mul(%inverse, %huge) : tensor<1x1x3xf32>\n  %x = tensor.sub(%s, "
                    "%t) : tensor<2x3x3xf32>\n") +
            kSoftmax,
        Closed::kRefused, false);
}

// By their numbers where a key is open and where it is not, however they are spelled.
TEST(CloseScores, MasksByTheirNumbers) {
  const char* masks[] = {// (m - 1) * 1e9, m * 1e9 - 1e9, (1 - m) / -1e-4, -((-m + 1) * 1e9)
                         "  %i = tensor.sub(%f, %one) : tensor<1x1x3xf32>\n"
                         "  %t = tensor.mul(%i, %huge) : tensor<1x1x3xf32>\n",
                         "  %i = tensor.mul(%f, %huge) : tensor<1x1x3xf32>\n"
                         "  %t = tensor.add(%i, %large) : tensor<1x1x3xf32>\n",
                         "  %t = tensor.div(%inverse, %small_part) : tensor<1x1x3xf32>\n",
                         "  %n = tensor.neg(%f) : tensor<1x1x3xf32>\n"
                         "  %i = tensor.add(%n, %one) : tensor<1x1x3xf32>\n"
                         "  %h = tensor.mul(%i, %huge) : tensor<1x1x3xf32>\n"
                         "  %t = tensor.neg(%h) : tensor<1x1x3xf32>\n",
                         // One number more, of what is open.
                         "  %i = tensor.mul(%inverse, %large) : tensor<1x1x3xf32>\n"
                         "  %t = tensor.add(%i, %two) : tensor<1x1x3xf32>\n",
                         // Turned round on the way.
                         "  %i = tensor.mul(%f, %huge) : tensor<1x1x3xf32>\n"
                         "  %r = tensor.reshape(%i) {shape = [3]} : tensor<3xf32>\n"
                         "  %t = tensor.sub(%r, %huge) : tensor<3xf32>\n"};
  for (const char* mask : masks)
    check(std::string(mask) + "  %x = tensor.add(%s, %t) : tensor<2x3x3xf32>\n" + kSoftmax,
          Closed::kRefused, false);
  // In a sum with the scores: s - 1e4 + m * 1e4.
  check(std::string("  %t = tensor.mul(%f, %small) : tensor<1x1x3xf32>\n"
                    "  %u = tensor.add(%s, %small) : tensor<2x3x3xf32>\n"
                    "  %x = tensor.sub(%u, %t) : tensor<2x3x3xf32>\n") +
            kSoftmax,
        Closed::kRefused, false);
}

TEST(CloseScores, MasksOfKeysAndQueries) {
  const std::string both = "  %c = tensor.and(%b, %causal) : tensor<1x3x3xi1>\n";
  const std::string lowest =
      "  %t = tensor.where(%c, %zero, %lowest) : tensor<1x3x3xf32>\n"
      "  %x = tensor.add(%s, %t) : tensor<2x3x3xf32>\n";
  check(both + lowest + kSoftmax, Closed::kSame, true);
  check(both + "  %x = tensor.where(%c, %s, %small) : tensor<2x3x3xf32>\n" + kSoftmax,
        Closed::kSame, true);
  check(both + "  %x = tensor.where(%c, %s, %minus_inf) : tensor<2x3x3xf32>\n" + kSoftmax,
        Closed::kRefused, true);
  // Two masks that add up, then a floor.
  const std::string sum =
      "  %t = tensor.mul(%inverse, %lowest) : tensor<1x1x3xf32>\n"
      "  %u = tensor.add(%t, %triangle) : tensor<1x3x3xf32>\n";
  check(sum + "  %x = tensor.add(%s, %u) : tensor<2x3x3xf32>\n" + kSoftmax, Closed::kRefused, true);
  check(sum +
            "  %v = tensor.max(%u, %lowest) : tensor<1x3x3xf32>\n  %x = tensor.add(%s, %v) : "
            "tensor<2x3x3xf32>\n" +
            kSoftmax,
        Closed::kSame, true);
  // One number is added to all scores of a row.
  check(both +
            "  %t = tensor.where(%c, %zero, %small) : tensor<1x3x3xf32>\n"
            "  %x = tensor.add(%s, %t) : tensor<2x3x3xf32>\n" +
            kSoftmax,
        Closed::kSame, true);
  // What is left of scores shows.
  check(both +
            "  %t = tensor.where(%c, %zero, %large) : tensor<1x3x3xf32>\n"
            "  %x = tensor.add(%s, %t) : tensor<2x3x3xf32>\n" +
            kSoftmax,
        Closed::kRefused, true);
}

// A mask of some keys, or of some queries, beside what is always open.
TEST(CloseScores, MasksOfAPart) {
  check(std::string("  %h = tensor.slice(%b) {axis = 2, start = 0, size = 2} : tensor<1x1x2xi1>\n"
                    "  %t = tensor.where(%h, %zero, %lowest) : tensor<1x1x2xf32>\n"
                    "  %z = tensor.reshape(%zero) {shape = [1, 1, 1]} : tensor<1x1x1xf32>\n"
                    "  %u = tensor.concat(%t, %z) {axis = 2} : tensor<1x1x3xf32>\n"
                    "  %x = tensor.add(%s, %u) : tensor<2x3x3xf32>\n") +
            kSoftmax,
        Closed::kSame, false);
  for (const char* level : {"lowest", "minus_inf"}) {
    check(std::string("  %t = tensor.where(%b, %zero, %") + level +
              ") : tensor<1x1x3xf32>\n"
              "  %z = tensor.expand(%one) {shape = [1, 2, 3]} : tensor<1x2x3xf32>\n"
              "  %u = tensor.concat(%t, %z) {axis = 1} : tensor<1x3x3xf32>\n"
              "  %x = tensor.add(%s, %u) : tensor<2x3x3xf32>\n" +
              kSoftmax,
          level == std::string("lowest") ? Closed::kSame : Closed::kRefused, false);
  }
}

// Rows that are closed, but not by one number: what a model gives them is no longer known.
TEST(CloseScores, ClosedByMoreThanOneLevel) {
  const std::string both = "  %c = tensor.and(%b, %causal) : tensor<1x3x3xi1>\n";
  // A score above zero is above the floor, too.
  check(both +
            "  %t = tensor.where(%c, %zero, %small) : tensor<1x3x3xf32>\n"
            "  %v = tensor.add(%s, %t) : tensor<2x3x3xf32>\n"
            "  %x = tensor.max(%v, %small) : tensor<2x3x3xf32>\n" +
            kSoftmax,
        Closed::kRefused, true);
  check(both + "  %x = tensor.where(%c, %s, %mixed) : tensor<2x3x3xf32>\n" + kSoftmax,
        Closed::kRefused, true);
  // One mask, or two.
  check(both +
            "  %n = tensor.not(%c) : tensor<1x3x3xi1>\n"
            "  %d = tensor.cast(%n) {to = \"float\"} : tensor<1x3x3xf32>\n"
            "  %e = tensor.add(%d, %inverse) : tensor<1x3x3xf32>\n"
            "  %t = tensor.mul(%e, %lowest) : tensor<1x3x3xf32>\n"
            "  %x = tensor.add(%s, %t) : tensor<2x3x3xf32>\n" +
            kSoftmax,
        Closed::kRefused, true);
}

TEST(CloseScores, RowsThatTheModelGuards) {
  const std::string scores =
      "  %c = tensor.and(%b, %causal) : tensor<1x3x3xi1>\n"
      "  %x = tensor.where(%c, %s, %minus_inf) : tensor<2x3x3xf32>\n"
      "  %q = tensor.softmax(%x) {axis = 2} : tensor<2x3x3xf32>\n"
      "  %n = tensor.is_nan(%q) : tensor<2x3x3xi1>\n";
  check(scores + "  %p = tensor.where(%n, %zero, %q) : tensor<2x3x3xf32>\n", Closed::kSame, true);
  // Another number in place of NaN is not zero: the run is refused.
  auto other =
      ir::parse(module(scores + "  %p = tensor.where(%n, %one, %q) : tensor<2x3x3xf32>\n"));
  ASSERT_TRUE(other.ok()) << other.status();
  passes::PassManager manager({.check_unchanged = true});
  manager.add(passes::createCloseScores());
  ASSERT_TRUE(manager.run(**other).status().ok());
  EXPECT_THAT(ir::toText(**other), HasSubstr("reciprocal("));
}

// The choice of ONNX's Attention: 0 where all of the mask is -inf.
std::string guarded(const std::string& mask, const std::string& rows) {
  return mask +
         "  %x = tensor.add(%s, %t) : tensor<2x3x3xf32>\n"
         "  %q = tensor.softmax(%x) {axis = 2} : tensor<2x3x3xf32>\n"
         "  %m0 = tensor.reduce_max(%t) {axes = [2], keepdims = true} : tensor<1x" +
         rows + "x1xf32>\n  %e = tensor.equal(%m0, %minus_inf) : tensor<1x" + rows +
         "x1xi1>\n  %p = tensor.where(%e, %zero, %q) : tensor<2x3x3xf32>\n";
}

TEST(CloseScores, RowsThatTheMaskGuards) {
  const std::string closed = "  %t0 = tensor.where(%b, %zero, %minus_inf) : tensor<1x1x3xf32>\n";
  const std::string both =
      "  %c = tensor.and(%b, %causal) : tensor<1x3x3xi1>\n"
      "  %t = tensor.where(%c, %zero, %minus_inf) : tensor<1x3x3xf32>\n";
  check(guarded(both, "3"), Closed::kSame, true);
  // Two masks that add up.
  const std::string sum = closed +
                          "  %u = tensor.where(%causal, %zero, %minus_inf) : tensor<1x3x3xf32>\n"
                          "  %t = tensor.add(%t0, %u) : tensor<1x3x3xf32>\n";
  check(guarded(sum, "3"), Closed::kSame, true);
  // No row of the mask is -inf altogether: the guard goes.
  const std::string finite =
      "  %t0 = tensor.where(%b, %zero, %large) : tensor<1x1x3xf32>\n"
      "  %u = tensor.where(%causal, %zero, %minus_inf) : tensor<1x3x3xf32>\n"
      "  %t = tensor.add(%t0, %u) : tensor<1x3x3xf32>\n";
  for (const std::string& mask : {both, sum, finite}) {
    auto module = ir::parse(lindero::module(guarded(mask, "3")));
    ASSERT_TRUE(module.ok()) << module.status();
    passes::PassManager manager({.check_unchanged = true});
    manager.add(passes::createCloseScores());
    ASSERT_TRUE(manager.run(**module).status().ok());
    EXPECT_THAT(ir::toText(**module), Not(HasSubstr("tensor.reduce_max")));
  }
  check(guarded(finite, "3"), Closed::kRefused, true);
  // A mask of keys; the probabilities with another axis.
  std::string keys =
      guarded(closed + "  %t = tensor.expand(%t0) {shape = [1, 1, 3]} : tensor<1x1x3xf32>\n", "1");
  check(keys, Closed::kRefused, false);
  for (std::string text : {keys, guarded(both, "3")}) {
    const size_t choice = text.find("  %p = ");
    text.replace(choice, std::string::npos,
                 "  %r = tensor.reshape(%q) {shape = [1, 2, 3, 3]} : tensor<1x2x3x3xf32>\n"
                 "  %w = tensor.where(%e, %zero, %r) : tensor<1x2x3x3xf32>\n"
                 "  %p = tensor.reshape(%w) {shape = [2, 3, 3]} : tensor<2x3x3xf32>\n");
    const bool queries = text.find("%c = ") != std::string::npos;
    check(text, queries ? Closed::kSame : Closed::kRefused, queries);
  }
}

// A guard that looks at another mask than the one that closes the scores says nothing about them.
TEST(CloseScores, GuardsOfOtherMasksStay) {
  const std::string other =
      "  %c = tensor.and(%b, %causal) : tensor<1x3x3xi1>\n"
      "  %u = tensor.where(%c, %zero, %minus_inf) : tensor<1x3x3xf32>\n"
      "  %x = tensor.add(%s, %u) : tensor<2x3x3xf32>\n"
      "  %q = tensor.softmax(%x) {axis = 2} : tensor<2x3x3xf32>\n"
      "  %t = tensor.where(%b, %zero, %minus_inf) : tensor<1x1x3xf32>\n"
      "  %m0 = tensor.reduce_max(%t) {axes = [2], keepdims = true} : tensor<1x1x1xf32>\n"
      "  %e = tensor.equal(%m0, %minus_inf) : tensor<1x1x1xi1>\n"
      "  %p = tensor.where(%e, %zero, %q) : tensor<2x3x3xf32>\n";
  auto module = ir::parse(lindero::module(other));
  ASSERT_TRUE(module.ok()) << module.status();
  passes::PassManager manager({.check_unchanged = true});
  manager.add(passes::createCloseScores());
  ASSERT_TRUE(manager.run(**module).status().ok());
  EXPECT_THAT(ir::toText(**module), HasSubstr("tensor.reduce_max"));
  EXPECT_THAT(ir::toText(**module), HasSubstr("reciprocal("));
}

TEST(CloseScores, WhatIsNoMaskStays) {
  // Ordinary numbers, constants alone, and multiples of what may be more than 0 and 1.
  check(std::string("  %t = tensor.mul(%inverse, %moderate) : tensor<1x1x3xf32>\n  %x = "
                    "tensor.add(%s, %t) : tensor<2x3x3xf32>\n") +
            kSoftmax,
        Closed::kNotMasked, false);
  check(std::string("  %x = tensor.add(%s, %triangle) : tensor<2x3x3xf32>\n") + kSoftmax,
        Closed::kNotMasked, false);
  check(
      std::string("  %g = tensor.sub(%f, %two) : tensor<1x1x3xf32>\n  %t = tensor.mul(%g, %large) "
                  ": tensor<1x1x3xf32>\n  %x = tensor.add(%s, %t) : tensor<2x3x3xf32>\n") +
          kSoftmax,
      Closed::kNotMasked, false);
}

}  // namespace
}  // namespace lindero
