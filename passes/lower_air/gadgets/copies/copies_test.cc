// Copies by fixed maps: the circuit of each is accepted by the interval checker, and what it copies
// is what the interpreter says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "passes/lower_air/lower_sums/lower_sums.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/lower_air/verify_air/verify_air.h"
#include "passes/lower_air/verify_intervals/verify_intervals.h"

namespace lindero::passes {
namespace {

using ir::Type;
using ir::Value;

constexpr int64_t kLimit = 1000;

Type typeOf(std::vector<int64_t> shape) {
  return Type::fixed(std::move(shape), 4, -kLimit, kLimit);
}

class CopiesTest : public ::testing::Test {
 protected:
  void SetUp() override { ir::registerAllDialects(); }
};

Value* copy(ir::Builder& b, ir::Module& module, std::vector<Value*> xs, std::vector<int64_t> shape,
            std::vector<int64_t> indices) {
  const auto& c = module.constants().addOwned<int64_t>("map", {int64_t(indices.size())}, indices);
  return b.value("integer.copy", xs, typeOf(std::move(shape)), {{"indices", ir::Symbol{c.name}}});
}

TEST_F(CopiesTest, ATransposeIsAccepted) {
  ir::Module module;
  ir::Function* f = module.addFunction("main");
  ir::Builder b(&f->body());
  b.setLocation({"/Transpose"});
  Value* x = f->body().addArgument(typeOf({3, 5}), "x");
  std::vector<int64_t> indices;
  for (int64_t j = 0; j < 5; ++j) {
    for (int64_t i = 0; i < 3; ++i) indices.push_back(i * 5 + j);
  }
  Value* y = copy(b, module, {x}, {5, 3}, indices);
  b.create("integer.return", {y}, {}, {{"names", std::vector<std::string>{"y"}}});
  ASSERT_EQ(createLowerToAir({.lanes = 4})->run(module).status(), absl::OkStatus());
  EXPECT_EQ(createVerifyIntervals()->run(module).status(), absl::OkStatus());
  ASSERT_EQ(createLowerSums()->run(module).status(), absl::OkStatus());
  EXPECT_EQ(createVerifyAir()->run(module).status(), absl::OkStatus());
}

}  // namespace
}  // namespace lindero::passes
