#include "passes/quantize/wide_copy.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/dialects.h"

namespace lindero::passes {
namespace {

using ::testing::HasSubstr;

struct Norm {
  Norm(std::vector<float> gamma, std::vector<float> beta) {
    ir::registerAllDialects();
    ir::Builder builder(&module.addFunction("main")->body());
    const auto width = static_cast<int64_t>(gamma.size());
    auto constant = [&](const char* name, std::vector<float> values) {
      module.constants().addOwned(name, {width}, std::move(values));
      return builder.value("tensor.constant", {}, ir::Type::tensor(ir::Element::kFloat, {width}),
                           {{"value", ir::Symbol{name}}});
    };
    const ir::Type type = ir::Type::tensor(ir::Element::kFloat, {1, width});
    ir::Value* x = module.findFunction("main")->body().addArgument(type, "x");
    llvm::SmallVector<ir::Value*, 3> operands = {x, constant("gamma", std::move(gamma))};
    if (!beta.empty()) operands.push_back(constant("beta", std::move(beta)));
    op = builder.value("tensor.layernorm", operands, type, {{"epsilon", 1e-5}})->definingOp();
  }

  ir::Module module;
  const ir::Op* op = nullptr;
};

TEST(WideCopy, IsExactButForItsRounding) {
  const std::vector<float> gamma = {0.3f, -1.7f, 99.99f, 0.0f, 1e-6f, 1.0f},
                           beta = {0.5f, -3.0f, 0.01f, 7.7f, 0.0f, -0.1f};
  for (bool shifted : {true, false}) {
    const Norm norm(gamma, shifted ? beta : std::vector<float>());
    for (int copy_exponent : {4, 10, 14}) {
      const auto copy = wideCopy(*norm.op, 16, 10, copy_exponent);
      ASSERT_TRUE(copy.ok()) << copy.status();
      int64_t most = 0;
      for (size_t c = 0; c < gamma.size(); ++c) {
        for (int64_t z = -32768; z < 32768; z += z == 32700 ? 67 : 73) {
          const int64_t rest =
              (z * copy->rests[c] + (1 << (WideCopy::kRestShift - 1))) >> WideCopy::kRestShift;
          ASSERT_LE(std::abs(rest), 1 << (WideCopy::kRestBits - 2));
          const int64_t made = z * copy->factors[c] + rest + copy->offsets[c];
          const double wanted = std::ldexp(gamma[c] * std::ldexp(static_cast<double>(z), -10) +
                                               (shifted ? static_cast<double>(beta[c]) : 0),
                                           copy_exponent);
          // Half a unit of the rest, of beta, and of n, which is there 2^15 times.
          ASSERT_LE(std::abs(static_cast<double>(made) - wanted), 1.5) << c << " " << z;
          most = std::max(most, std::abs(made));
        }
      }
      EXPECT_LE(most, copy->reach);
      EXPECT_LT(copy->reach, 2 * most + (1 << WideCopy::kRestBits));
    }
  }
}

TEST(WideCopy, RefusesWhatNoSumHolds) {
  const Norm norm({1e6f, 1.0f}, {});
  EXPECT_TRUE(wideCopy(*norm.op, 16, 10, 12).ok());
  EXPECT_THAT(std::string(wideCopy(*norm.op, 16, 10, 24).status().message()),
              HasSubstr("gamma or beta of channel 0 is too large at exponent 24"));
}

}  // namespace
}  // namespace lindero::passes
