// close-choices against the float interpreter: the same choices before and after it, with masks in
// the spellings of exporters, and rows that are closed altogether.

#include "passes/import_cleanup/close_choices/close_choices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "ir/core/text.h"
#include "ir/dialects.h"
#include "ir/tensor/interpreter.h"
#include "llvm/ADT/bit.h"
#include "passes/pass_manager.h"

namespace lindero {
namespace {

using ir::tensor::Array;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kConstants[] = R"(
constant @one : f32[] = [1]
constant @zero : f32[] = [0]
constant @lowest : f32[] = [-3.4028235e38]
constant @highest : f32[] = [3.4028235e38]
constant @minus_inf : f32[] = [-inf]
constant @large : f32[] = [-1e9]
constant @half : f32[] = [-65504.0]
constant @small : f32[] = [-10000.0]
constant @moderate : f32[] = [-100.0]
constant @list : i64[4] = [0, 1, 2, 3]
constant @suppressed : f32[4] = [0, -1e9, 0, 0]
constant @hidden : f32[2x4] = [-10000.0, -10000.0, -10000.0, -10000.0, 0, 0, 0, -10000.0]
constant @absent : f32[2x4] = [-inf, -inf, -inf, -inf, 0, -inf, 0, 0]
constant @bias : f32[4] = [-20000.0, 0, -40000.0, 0]
)";

// The function of values x [2, 4] and a mask m [4], both as they are in `body`, which makes %y.
std::string module(const std::string& body, const std::string& type) {
  std::string text = kConstants;
  absl::StrAppend(&text, "\nfunc @main(%x: tensor<2x4xf32>, %m: tensor<4xi64>) -> tensor<", type,
                  "> {\n");
  for (const char* name :
       {"one", "zero", "lowest", "highest", "minus_inf", "large", "half", "small", "moderate"})
    absl::StrAppend(&text, "  %", name, " = tensor.constant {value = @", name, "} : tensor<f32>\n");
  return text + R"(
  %list = tensor.constant {value = @list} : tensor<4xi64>
  %suppressed = tensor.constant {value = @suppressed} : tensor<4xf32>
  %hidden = tensor.constant {value = @hidden} : tensor<2x4xf32>
  %absent = tensor.constant {value = @absent} : tensor<2x4xf32>
  %bias = tensor.constant {value = @bias} : tensor<4xf32>
  %f = tensor.cast(%m) {to = "float"} : tensor<4xf32>
  %b = tensor.cast(%m) {to = "bool"} : tensor<4xi1>
  %inverse = tensor.sub(%one, %f) : tensor<4xf32>
)" + body +
         "  tensor.return(%y)\n}\n";
}

std::vector<double> run(const ir::Module& module, uint32_t seed, int mask) {
  std::mt19937 random(seed);
  Array x = Array::zeros(ir::Element::kFloat, {2, 4});
  for (double& one : x.reals) one = 0.25 * (static_cast<double>(random() % 33) - 16);
  const Array m = Array::integer({4}, {mask & 1, mask >> 1 & 1, mask >> 2 & 1, mask >> 3 & 1});
  auto outputs = ir::tensor::interpret(**module.functions().begin(), {x, m});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  const Array& y = (*outputs)[0];
  if (y.isReal()) return y.reals;
  return {y.integers.begin(), y.integers.end()};
}

std::unique_ptr<ir::Module> close(const std::string& text) {
  ir::registerAllDialects();
  auto module = ir::parse(text);
  EXPECT_TRUE(module.ok()) << module.status();
  passes::PassManager manager({.check_unchanged = true});
  manager.add(passes::createCloseChoices());
  const absl::Status status = manager.run(**module).status();
  EXPECT_TRUE(status.ok()) << status;
  return *std::move(module);
}

std::string closed(const std::string& text) { return ir::toText(*close(text)); }

// The same for all inputs that leave `open` elements or more open; of others either the same, or a
// value that is no number, where the function still has one.
void check(const std::string& body, const std::string& type, const std::string& form,
           int64_t open = 0) {
  SCOPED_TRACE(body);
  const auto after = close(module(body, type));
  auto before = ir::parse(module(body, type));
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_THAT(ir::toText(*after), HasSubstr(form));
  for (int mask = 0; mask < 16; ++mask) {
    if (llvm::popcount(static_cast<unsigned>(mask)) < open) continue;
    for (uint32_t seed = 0; seed < 20; ++seed)
      EXPECT_EQ(run(*after, seed, mask), run(**before, seed, mask)) << mask;
  }
}

constexpr char kArgmax[] =
    "  %y = tensor.argmax(%v) {axis = 1, keepdims = false} : tensor<2xi64>\n";
constexpr char kMax[] =
    "  %y = tensor.reduce_max(%v) {axes = [1], keepdims = false} : tensor<2xf32>\n";
constexpr char kMask[] = "tensor.mask(";
constexpr char kFilled[] = "tensor.where(";

std::string product(const char* level) {
  return absl::StrCat("  %t = tensor.mul(%inverse, %", level,
                      ") : tensor<4xf32>\n  %v = tensor.add(%x, %t) : tensor<2x4xf32>\n");
}

std::string choice(const char* level) {
  return absl::StrCat("  %v = tensor.where(%b, %x, %", level, ") : tensor<2x4xf32>\n");
}

TEST(CloseChoices, ArgmaxOfWhatIsOpen) {
  // By one number: rows that are closed altogether have the first index.
  for (const char* level : {"lowest", "minus_inf", "large", "half", "small"})
    check(choice(level) + kArgmax, "2xi64", kMask);
  check(product("lowest") + kArgmax, "2xi64", kMask);
  // What these add leaves the order.
  check(product("half") + kArgmax, "2xi64", "added");
  check(product("small") + kArgmax, "2xi64", "added");
  // In single precision, this leaves some of it.
  check(product("large") + kArgmax, "2xi64", "reciprocal", 1);
}

TEST(CloseChoices, ArgmaxWithConstants) {
  const std::string sum = "  %v = tensor.add(%x, %suppressed) : tensor<2x4xf32>\n";
  check(sum + kArgmax, "2xi64", kMask);
  // A row of which nothing is open.
  for (const char* mask : {"hidden", "absent"})
    check(absl::StrCat("  %v = tensor.add(%x, %", mask, ") : tensor<2x4xf32>\n", kArgmax), "2xi64",
          kMask);
  // Steps apart; along another axis.
  check(sum +
            "  %r = tensor.reshape(%v) {shape = [2, 2, 2]} : tensor<2x2x2xf32>\n"
            "  %s = tensor.slice(%r) {axis = 1, start = 0, size = 1} : tensor<2x1x2xf32>\n"
            "  %y = tensor.argmax(%s) {axis = 2, keepdims = true} : tensor<2x1x1xi64>\n",
        "2x1x1xi64", kMask);
  check(product("lowest") +
            "  %w = tensor.transpose(%v) {perm = [1, 0]} : tensor<4x2xf32>\n"
            "  %y = tensor.argmax(%w) {axis = 0, keepdims = false} : tensor<2xi64>\n",
        "2xi64", kMask);
}

TEST(CloseChoices, ArgminIsTheMirrorImage) {
  const std::string sum =
      "  %t = tensor.mul(%inverse, %highest) : tensor<4xf32>\n"
      "  %u = tensor.add(%x, %t) : tensor<2x4xf32>\n";
  check(sum + "  %v = tensor.neg(%u) : tensor<2x4xf32>\n" + kArgmax, "2xi64", kMask);
  check(sum + "  %y = tensor.reduce_min(%u) {axes = [1], keepdims = true} : tensor<2x1xf32>\n",
        "2x1xf32", kFilled, 1);
}

TEST(CloseChoices, TheLargestOfWhatIsOpen) {
  for (const char* level : {"lowest", "minus_inf", "large", "half", "small"}) {
    check(choice(level) + kMax, "2xf32", kFilled, 1);
    if (std::string(level) != "minus_inf") check(product(level) + kMax, "2xf32", kFilled, 1);
  }
  EXPECT_THAT(closed(module(choice("large") + kMax, "2xf32")), HasSubstr("tensor.within"));
  EXPECT_THAT(closed(module(choice("lowest") + kMax, "2xf32")), Not(HasSubstr("tensor.within")));
  check("  %v = tensor.add(%x, %suppressed) : tensor<2x4xf32>\n" + std::string(kMax), "2xf32",
        kFilled);
}

// As the importer writes TopK, of the two largest: their values, or their indices.
std::string topTwo(bool values) {
  const std::string argmax = ") {axis = 1, keepdims = true} : tensor<2x1xi64>\n";
  std::string text =
      "  %l = tensor.reduce_min(%v) {axes = [0, 1], keepdims = false} : tensor<f32>\n"
      "  %least = tensor.sub(%l, %one) : tensor<f32>\n  %p0 = tensor.argmax(%v" +
      argmax +
      "  %c0 = tensor.equal(%list, %p0) : tensor<2x4xi1>\n"
      "  %w0 = tensor.where(%c0, %v, %zero) : tensor<2x4xf32>\n"
      "  %s0 = tensor.reduce_sum(%w0) {axes = [1], keepdims = true} : tensor<2x1xf32>\n"
      "  %v1 = tensor.where(%c0, %least, %v) : tensor<2x4xf32>\n  %p1 = tensor.argmax(%v1" +
      argmax +
      "  %c1 = tensor.equal(%list, %p1) : tensor<2x4xi1>\n"
      "  %w1 = tensor.where(%c1, %v, %zero) : tensor<2x4xf32>\n"
      "  %s1 = tensor.reduce_sum(%w1) {axes = [1], keepdims = true} : tensor<2x1xf32>\n";
  return text + (values ? "  %y = tensor.concat(%s0, %s1) {axis = 1} : tensor<2x2xf32>\n"
                        : "  %y = tensor.concat(%p0, %p1) {axis = 1} : tensor<2x2xi64>\n");
}

TEST(CloseChoices, TheLargestTwoOfWhatIsOpen) {
  for (const char* level : {"lowest", "large", "small"}) {
    check(product(level) + topTwo(true), "2x2xf32", kFilled, 2);
    check(choice(level) + topTwo(false), "2x2xi64", kFilled, 2);
  }
  check("  %v = tensor.add(%x, %suppressed) : tensor<2x4xf32>\n" + topTwo(true), "2x2xf32",
        kFilled);
  // With one element open there are no two: such a run is refused.
  EXPECT_THAT(closed(module(product("large") + topTwo(true), "2x2xf32")),
              HasSubstr("reciprocal(where(greater(x, 1), 1, 0))"));
}

TEST(CloseChoices, WhatIsNoMaskStays) {
  for (const std::string& body :
       {product("moderate") + kArgmax,
        "  %v = tensor.add(%x, %bias) : tensor<2x4xf32>\n" + std::string(kArgmax),
        "  %v = tensor.add(%x, %large) : tensor<2x4xf32>\n" + std::string(kArgmax)})
    EXPECT_THAT(closed(module(body, "2xi64")), Not(HasSubstr(kMask))) << body;
  // All of a row that is closed has values that are no elements of x.
  const std::string hidden = "  %v = tensor.add(%x, %hidden) : tensor<2x4xf32>\n";
  EXPECT_THAT(closed(module(hidden + kMax, "2xf32")), Not(HasSubstr(kFilled)));
}

}  // namespace
}  // namespace lindero
