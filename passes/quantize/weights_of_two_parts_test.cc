// With inputs of 16 bits the bound leaves weights about 11: what rounding takes from them counts,
// unless it is a product of its own.
#include <cmath>

#include "gtest/gtest.h"
#include "ir/core/text.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/choose_exponents.h"
#include "passes/quantize/compare.h"
#include "passes/quantize/quantize.h"

namespace lindero::passes {
namespace {

// Columns of a linear of a norm.
std::unique_ptr<ir::Module> columnsOfLinear() {
  constexpr int64_t kRows = 6, kWidth = 64, kColumns = 8;
  ir::registerAllDialects();
  auto module = std::make_unique<ir::Module>();
  ir::Function* function = module->addFunction("main");
  ir::Builder builder(&function->body());
  auto type = [](llvm::ArrayRef<int64_t> shape) {
    return ir::Type::tensor(ir::Element::kFloat, shape);
  };
  auto constant = [&](const char* name, std::vector<int64_t> shape, auto element) {
    std::vector<float> values;
    for (int64_t i = 0; i < shape[0]; ++i) {
      for (int64_t j = 0; j < (shape.size() > 1 ? shape[1] : 1); ++j)
        values.push_back(static_cast<float>(element(i, j)));
    }
    module->constants().addOwned(name, shape, std::move(values));
    return builder.value("tensor.constant", {}, type(shape), {{"value", ir::Symbol{name}}});
  };
  ir::Value* x = function->body().addArgument(type({kRows, kWidth}), "x");
  auto one = [](int64_t, int64_t) { return 1.0; };
  ir::Value* z = builder.value(
      "tensor.layernorm", {x, constant("gamma", {kWidth}, one), constant("beta", {kWidth}, one)},
      type({kRows, kWidth}), {{"epsilon", 1e-5}});
  ir::Value* w = constant("w", {kWidth, kWidth}, [](int64_t i, int64_t j) {
    return std::cos(static_cast<double>(i * i + 7 * j * j + i * j));
  });
  ir::Value* h = builder.value("tensor.linear", {z, w}, type({kRows, kWidth}));
  ir::Value* columns = constant("columns", {kWidth, kColumns},
                                [](int64_t i, int64_t j) { return i == j ? 1.0 : 0.0; });
  ir::Value* y = builder.value("tensor.linear", {h, columns}, type({kRows, kColumns}));
  builder.create("tensor.return", {y}, {}, {{"names", std::vector<std::string>{"y"}}});
  return module;
}

TEST(WeightsOfTwoParts, LoseLess) {
  const auto source = columnsOfLinear();
  const ir::Function& floats = *source->findFunction("main");
  const auto calibration = calibrate(floats, *defaultSamples(floats, 16));
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  std::vector<ComparisonSample> fresh;
  const std::vector<Sample> drawn = defaultSamples(floats, 24, 99).value();
  for (const Sample& sample : drawn) fresh.push_back({sample, {}});
  double errors[2];
  for (bool both : {false, true}) {
    QuantizeOptions options = preciseOptions();
    if (!both) options.least_weight_bits = 0;
    const auto exponents = chooseExponents(floats, *calibration, options);
    ASSERT_TRUE(exponents.ok()) << exponents.status();
    ir::Module target;
    std::vector<TensorRecord> records;
    const absl::Status status = quantize(floats, *exponents, *target.addFunction("main"), &records);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(ir::verify(target).ok()) << ir::verify(target);
    EXPECT_EQ(ir::toText(target).find("@w_rest}") != std::string::npos, both);
    const auto comparison = compareWithFloat(floats, *target.findFunction("main"), records, fresh);
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    EXPECT_EQ(comparison->rejected, 0) << comparison->first_rejection;
    errors[both] = 1 - comparison->mean_cosine;
  }
  EXPECT_LT(4 * errors[1], errors[0]);
}

}  // namespace
}  // namespace lindero::passes
