#include "passes/quantize/limit_general.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/core/text.h"
#include "ir/dialects.h"
#include "passes/quantize/storage.h"

namespace lindero::passes {
namespace {

// The reader of a copy would take 12 bits of it; it has the 16 of what it copies.
TEST(LimitGeneral, CopiesAreAsWideAsWhatTheyCopy) {
  ir::registerAllDialects();
  auto module = ir::parse(R"ir(
constant @w : f32[1x4] = [0.375, 0.25, 0.375, 0.25]
func @main(%x: tensor<2x4xf32>) -> tensor<1x2xf32> {
  %w = tensor.constant {value = @w} : tensor<1x4xf32>
  %0 = tensor.transpose(%x) {perm = [1, 0]} : tensor<4x2xf32>
  %1 = tensor.matmul(%w, %0) : tensor<1x2xf32>
  tensor.return(%1)
}
)ir");
  ASSERT_TRUE(module.ok()) << module.status();
  const ir::Function& main = **(*module)->functions().begin();
  Exponents exponents;
  exponents.sites = {{"argument", "", {{"bits", 16}, {"exponent", 12}}},
                     {"tensor.transpose", "", {{"bits", 12}, {"exponent", 12}}},
                     {"tensor.matmul", "", {{"bits", 16}, {"exponent", 20}, {"input_bits", 12}}}};
  ASSERT_EQ(exponentSites(main).size(), exponents.sites.size());
  while (limitGeneral(main, exponents)) {
  }
  auto left = ir::tensor::Array::real({1, 4}, {0.375, 0.25, 0.375, 0.25});
  const StoredOperand operands[2] = {constantOperand(left, 12), {0x1p15, 12}};
  const auto exponent = static_cast<int>(exponents.sites[2].values["exponent"]);
  EXPECT_LT(exponent, 20);
  EXPECT_TRUE(planMatmul(operands, 4, false, 12, exponent, 16));
}

// A quotient that no exponent holds, found by fuzzing: its exponent fell without end.
TEST(LimitGeneral, WhatIsNeverPossibleIsLeftToTheLowering) {
  ir::registerAllDialects();
  auto module = ir::parse(R"ir(
func @main(%x: tensor<2xf32>, %y: tensor<2xf32>) -> tensor<2xf32> {
  %0 = tensor.div(%x, %y) : tensor<2xf32>
  tensor.return(%0)
}
)ir");
  ASSERT_TRUE(module.ok()) << module.status();
  const ir::Function& main = **(*module)->functions().begin();
  Exponents exponents;
  exponents.sites = {{"argument", "", {{"bits", 16}, {"exponent", 24}}},
                     {"argument", "", {{"bits", 16}, {"exponent", -30}}},
                     {"tensor.div", "", {{"bits", 15}, {"exponent", 24}}}};
  EXPECT_FALSE(limitGeneral(main, exponents));
  EXPECT_EQ(exponents.sites[2].values["exponent"], 24);
}

// A bit less of 20,000 is 15 bits, not 10,000.
TEST(LimitGeneral, WhatIsRoundedHasBitsOfItsOwn) {
  const StoredOperand operands[2] = {{14226, 12}, {20000, 12}};
  const std::optional<MatmulPlan> plan = planMatmul(operands, 8, false, 16, 12, 16);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->dropped[0], 0);
  EXPECT_EQ(plan->dropped[1], 2);  // 8 * 14226 * 10000 were below 2^30
}

}  // namespace
}  // namespace lindero::passes
