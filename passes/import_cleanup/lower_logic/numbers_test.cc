// Integer inputs that are numbers: the integer program computes with them exactly, and refuses
// those beyond its range.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ir/core/text.h"
#include "ir/dialects.h"
#include "ir/integer/interpreter.h"
#include "ir/tensor/interpreter.h"
#include "passes/import_cleanup/import_cleanup.h"
#include "passes/pass_manager.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/choose_exponents.h"
#include "passes/quantize/quantize.h"

namespace lindero {
namespace {

using ir::tensor::Array;
using Ints = std::vector<int64_t>;

std::vector<std::string> names(size_t count) {
  std::vector<std::string> list;
  for (size_t i = 0; i < count; ++i) list.push_back("y" + std::to_string(i));
  return list;
}

// The integer program of @main(a, b) computes what the float interpreter does, and has a circuit.
void expectSame(ir::Module& module, const Ints& a, const Ints& b,
                const passes::Sample& calibration) {
  const auto count = static_cast<int64_t>(a.size());
  const std::vector<Array> inputs = {Array::integer({count}, a), Array::integer({count}, b)};
  auto expected = ir::tensor::interpret(**module.functions().begin(), inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();

  passes::PassManager manager({.check_unchanged = true});
  ASSERT_TRUE(manager.addPipeline(passes::importCleanupPipeline()).ok());
  const auto cleaned = manager.run(module);
  ASSERT_TRUE(cleaned.ok()) << cleaned.status();
  const ir::Function& main = **module.functions().begin();
  auto calibrated = passes::calibrate(main, calibration);
  ASSERT_TRUE(calibrated.ok()) << calibrated.status();
  auto exponents = passes::chooseExponents(main, *calibrated, {});
  ASSERT_TRUE(exponents.ok()) << exponents.status();
  ir::Module target;
  ir::Function& integers = *target.addFunction("main");
  ASSERT_EQ(passes::quantize(main, *exponents, integers), absl::OkStatus());
  integers.body().terminator()->set("names", names(expected->size()));
  auto results = ir::integer::interpret(
      integers, {ir::integer::IntArray{{count}, a}, ir::integer::IntArray{{count}, b}});
  ASSERT_TRUE(results.ok()) << results.status() << ir::toText(target);
  for (size_t i = 0; i < results->size(); ++i) {
    const int exponent = integers.body().terminator()->operand(i)->type().exponent;
    for (int64_t j = 0; j < count; ++j) {
      ASSERT_EQ(std::ldexp(static_cast<double>((*results)[i].values[j]), -exponent),
                static_cast<double>((*expected)[i].integers[j]))
          << "output " << i << " of numbers " << a[j] << " and " << b[j];
    }
  }
  passes::PassManager circuit;
  ASSERT_TRUE(circuit.addPipeline("lower-to-air").ok());
  const auto lowered = circuit.run(target);
  ASSERT_TRUE(lowered.ok()) << lowered.status();
}

// All pairs of the numbers, through the ops of a function of a and b; calibrated on them.
void expectExact(const std::string& ops, const std::string& outputs, const std::string& types,
                 const Ints& numbers, const Ints& divisors) {
  ir::registerAllDialects();
  passes::registerAllPasses();
  Ints a, b;
  for (int64_t x : numbers)
    for (int64_t y : divisors) a.push_back(x), b.push_back(y);
  const auto count = static_cast<int64_t>(a.size());
  std::string text =
      "constant @base : i64[] = [2]\nconstant @divisor : i64[] = [-3]\n"
      "constant @dividend : i64[] = [1000]\nconstant @limit : i64[] = [8]\n\nfunc @main(%a: "
      "tensor<Nxi64>, %b: tensor<Nxi64>) -> "
      "(" +
      types + ") {\n" + ops + "  tensor.return(" + outputs + ")\n}\n";
  for (size_t at = 0; (at = text.find("<N", at)) != std::string::npos;)
    text.replace(at + 1, 1, std::to_string(count));
  auto module = ir::parse(text);
  ASSERT_TRUE(module.ok()) << module.status();
  expectSame(**module, a, b, {Array::integer({count}, a), Array::integer({count}, b)});
}

// All that is asked of integers above 2,048, for all pairs of numbers: the integer program is
// exact.
TEST(Numbers, LargeOnesPickedByInputsAreExact) {
  ir::registerAllDialects();
  passes::registerAllPasses();
  constexpr char kText[] = R"(
constant @numbers : i64[30] = [0, 1, -1, 127, 128, -128, -129, 255, 256, 511, 512, 513, 2047, 2048, 2049, -2048, 32767, 32768, -32768, 32896, 65535, 65536, 65537, -65536, 131071, 131072, 1048576, -1048576, 1048448, 8388608]
constant @far : i64[] = [70001]
func @main(%a: tensor<900xi64>, %b: tensor<900xi64>) -> (tensor<900xi1>, tensor<900xi1>, tensor<900xi64>, tensor<900xi64>, tensor<900xi64>, tensor<900xi64>, tensor<900xi64>, tensor<900xi1>) {
  %numbers = tensor.constant {value = @numbers} : tensor<30xi64>
  %far = tensor.constant {value = @far} : tensor<i64>
  %0 = tensor.gather(%numbers, %a) {axis = 0} : tensor<900xi64>
  %1 = tensor.gather(%numbers, %b) {axis = 0} : tensor<900xi64>
  %2 = tensor.equal(%0, %1) : tensor<900xi1>
  %3 = tensor.less(%0, %1) : tensor<900xi1>
  %4 = tensor.max(%0, %1) : tensor<900xi64>
  %5 = tensor.min(%0, %1) : tensor<900xi64>
  %6 = tensor.sub(%0, %1) : tensor<900xi64>
  %7 = tensor.where(%3, %far, %1) : tensor<900xi64>
  %8 = tensor.relu(%6) : tensor<900xi64>
  %9 = tensor.greater_or_equal(%6, %far) : tensor<900xi1>
  tensor.return(%2, %3, %4, %5, %6, %7, %8, %9)
}
)";
  auto module = ir::parse(kText);
  ASSERT_TRUE(module.ok()) << module.status();
  Ints a, b;
  for (int64_t i = 0; i < 900; ++i) a.push_back(i / 30), b.push_back(i % 30);
  // Calibration sees two small numbers.
  const Array ones = Array::integer({900}, Ints(900, 1));
  expectSame(**module, a, b, {ones, ones});
}

TEST(Numbers, SumsAndComparisonsAreExact) {
  const Ints numbers = {0, 1, -1, 2, 255, -256, 4095, 65536, -65537, 1 << 20, -(1 << 20)};
  expectExact(R"(  %0 = tensor.add(%a, %b) : tensor<Nxi64>
  %1 = tensor.sub(%a, %b) : tensor<Nxi64>
  %2 = tensor.less(%a, %b) : tensor<Nxi1>
  %3 = tensor.max(%a, %b) : tensor<Nxi64>
  %4 = tensor.abs(%a) : tensor<Nxi64>
  %5 = tensor.sign(%b) : tensor<Nxi64>
)",
              "%0, %1, %2, %3, %4, %5",
              "tensor<Nxi64>, tensor<Nxi64>, tensor<Nxi1>, tensor<Nxi64>, tensor<Nxi64>, "
              "tensor<Nxi64>",
              numbers, numbers);
}

TEST(Numbers, QuotientsAreExact) {
  expectExact(R"(  %0 = tensor.div(%a, %b) : tensor<Nxi64>
  %1 = tensor.mul(%0, %b) : tensor<Nxi64>
  %2 = tensor.sub(%a, %1) : tensor<Nxi64>
)",
              "%0, %2", "tensor<Nxi64>, tensor<Nxi64>",
              {0, 1, -1, 5, 6, 7, -7, 100, 511, 512, -513, 1000, -1000},
              {1, -1, 2, 3, -3, 7, 100, 512, -1000});
}

TEST(Numbers, QuotientsByAndOfConstantsAreExact) {
  expectExact(R"(  %divisor = tensor.constant {value = @divisor} : tensor<i64>
  %dividend = tensor.constant {value = @dividend} : tensor<i64>
  %0 = tensor.div(%a, %divisor) : tensor<Nxi64>
  %1 = tensor.div(%dividend, %b) : tensor<Nxi64>
)",
              "%0, %1", "tensor<Nxi64>, tensor<Nxi64>",
              {0, 1, -1, 2, 3, -3, 4, 5, 6, -7, 100, 511, 512, -1000}, {1, -1, 2, 3, -7, 500});
}

TEST(Numbers, QuotientsByPowersOfTwoAreExact) {
  expectExact(R"(  %base = tensor.constant {value = @base} : tensor<i64>
  %0 = tensor.abs(%b) : tensor<Nxi64>
  %1 = tensor.pow(%base, %0) : tensor<Nxi64>
  %2 = tensor.div(%a, %1) : tensor<Nxi64>
)",
              "%2", "tensor<Nxi64>", {0, 1, -1, 5, 7, 8, -8, 9, 15, -15, 16, -16},
              {0, 1, -1, 2, 3, 4, 5, 16});
}

TEST(Numbers, BitsAreExact) {
  const Ints numbers = {0, 1, -1, 2, 5, 127, 128, -128, 255, 256, -300, 16384, -16383};
  expectExact(R"(  %0 = tensor.bit_and(%a, %b) : tensor<Nxi64>
  %1 = tensor.wrap(%a) {bits = 8, signed = false} : tensor<Nxi64>
  %2 = tensor.add(%a, %b) : tensor<Nxi64>
  %3 = tensor.wrap(%2) {bits = 8, signed = true} : tensor<Nxi64>
  %4 = tensor.wrap(%2) {bits = 32, signed = true} : tensor<Nxi64>
)",
              "%0, %1, %3, %4", "tensor<Nxi64>, tensor<Nxi64>, tensor<Nxi64>, tensor<Nxi64>",
              numbers, numbers);
}

TEST(Numbers, ProductsAndPowersAreExact) {
  const Ints numbers = {0, 1, -1, 2, 3, -7, 8, 15, -16};
  expectExact(R"(  %0 = tensor.mul(%a, %b) : tensor<Nxi64>
  %1 = tensor.mul(%0, %a) : tensor<Nxi64>
)",
              "%0, %1", "tensor<Nxi64>, tensor<Nxi64>", numbers, numbers);
}

// They are no positions: nothing else is known of an id that is held against a limit.
TEST(Numbers, AreWhatIsHeldAgainstOneConstant) {
  expectExact(R"(  %limit = tensor.constant {value = @limit} : tensor<i64>
  %0 = tensor.less(%a, %limit) : tensor<Nxi1>
  %1 = tensor.equal(%b, %limit) : tensor<Nxi1>
)",
              "%0, %1", "tensor<Nxi1>, tensor<Nxi1>", {0, 8, 7, 9, -1, 50, 70000, -70000},
              {0, 8, 7, 50, -65536, 65537});
}

}  // namespace
}  // namespace lindero
