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

// All pairs of the numbers, through the ops of a function of a and b; calibrated on ones.
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
      "constant @dividend : i64[] = [1000]\n\nfunc @main(%a: tensor<Nxi64>, %b: tensor<Nxi64>) -> "
      "(" +
      types + ") {\n" + ops + "  tensor.return(" + outputs + ")\n}\n";
  for (size_t at = 0; (at = text.find("<N", at)) != std::string::npos;)
    text.replace(at + 1, 1, std::to_string(count));
  auto module = ir::parse(text);
  ASSERT_TRUE(module.ok()) << module.status();
  const std::vector<Array> inputs = {Array::integer({count}, a), Array::integer({count}, b)};
  auto expected = ir::tensor::interpret(**(*module)->functions().begin(), inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();

  passes::PassManager manager({.check_unchanged = true});
  ASSERT_TRUE(manager.addPipeline(passes::importCleanupPipeline()).ok());
  const auto cleaned = manager.run(**module);
  ASSERT_TRUE(cleaned.ok()) << cleaned.status();
  const ir::Function& main = **(*module)->functions().begin();
  auto calibration = passes::calibrate(main, passes::Sample(inputs));
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  auto exponents = passes::chooseExponents(main, *calibration, {});
  ASSERT_TRUE(exponents.ok()) << exponents.status();
  ir::Module target;
  ir::Function& integers = *target.addFunction("main");
  ASSERT_EQ(passes::quantize(main, *exponents, integers), absl::OkStatus());
  target.findFunction("main")->body().terminator()->set("names", names(expected->size()));
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

}  // namespace
}  // namespace lindero
