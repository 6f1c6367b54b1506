// Bounds hold on random graphs and on small GPTs, and a wrong integer program is beyond them.
#include "passes/quantize/error_bound.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"
#include "ir/core/text.h"
#include "ir/integer/interpreter.h"
#include "passes/quantize/choose_exponents.h"
#include "passes/quantize/double_interval.h"
#include "passes/quantize/random_graph.h"
#include "passes/quantize/test_gpt.h"

namespace lindero::passes {
namespace {

struct Quantized {
  std::unique_ptr<ir::Module> source;
  ir::Module target;
  std::vector<TensorRecord> records;
  std::vector<Sample> samples;

  ir::Function& integers() { return *target.findFunction("main"); }
  absl::StatusOr<BoundedRun> bound(size_t sample) {
    return boundErrors(*source->findFunction("main"), integers(), records, samples[sample]);
  }
};

std::unique_ptr<Quantized> quantized(std::unique_ptr<ir::Module> source) {
  auto q = std::make_unique<Quantized>();
  q->source = std::move(source);
  const ir::Function& floats = *q->source->findFunction("main");
  q->samples = defaultSamples(floats, 8).value();
  const Calibration calibration = calibrate(floats, q->samples).value();
  const Exponents exponents = chooseExponents(floats, calibration, {}).value();
  EXPECT_EQ(quantize(floats, exponents, *q->target.addFunction("main"), &q->records),
            absl::OkStatus());
  return q;
}

// What is beyond its bound, by role and node.
std::vector<std::string> beyond(const BoundedRun& run) {
  std::vector<std::string> found;
  for (const auto* list : {&run.tensors, &run.steps, &run.outputs}) {
    for (const BoundedTensor& tensor : *list)
      if (tensor.firstBeyond() >= 0) found.push_back(tensor.role + " " + tensor.node);
  }
  return found;
}

class RandomGraphs : public ::testing::TestWithParam<int> {};

TEST_P(RandomGraphs, AreWithinTheirBounds) {
  const int seed = GetParam();
  auto q = quantized(RandomGraph(seed).build(4 + seed % 9));
  for (size_t sample : {0, 1}) {
    auto run = q->bound(sample);
    ASSERT_EQ(run.status(), absl::OkStatus());
    EXPECT_EQ(beyond(*run), std::vector<std::string>()) << ir::toText(*q->source);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, ::testing::Range(0, 100));

struct GptCase {
  const char* name;
  void (*change)(TestGpt&);
};

class Gpts : public ::testing::TestWithParam<GptCase> {};

TEST_P(Gpts, AreWithinTheirBounds) {
  TestGpt gpt;
  GetParam().change(gpt);
  auto q = quantized(gpt.build());
  auto run = q->bound(0);
  ASSERT_EQ(run.status(), absl::OkStatus());
  EXPECT_EQ(beyond(*run), std::vector<std::string>());
  EXPECT_GT(run->tensors.size(), 20);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Gpts,
    ::testing::Values(GptCase{"Gelu", [](TestGpt&) {}},
                      GptCase{"Relu", [](TestGpt& g) { g.activation = "relu"; }},
                      GptCase{"FiniteMask", [](TestGpt& g) { g.masked = -1e4; }},
                      GptCase{"PostNorm", [](TestGpt& g) { g.post_norm = true; }},
                      GptCase{"Gated", [](TestGpt& g) { g.gated = true; }},
                      GptCase{"MassiveWord", [](TestGpt& g) { g.massive_word = 2500; }},
                      GptCase{"MassiveWordOfRmsNorm",
                              [](TestGpt& g) { g.massive_word = 3000, g.rms = true; }}),
    [](const auto& info) { return info.param.name; });

// A place of one result is moved, as by a wrong rounding: in half a unit's bound there is no room
// for it, and the steps show which op it was.
TEST(ErrorBound, FindsAWrongRounding) {
  auto q = quantized(TestGpt().build());
  for (const ir::Op& op : q->integers().body().ops()) {
    if (!op.is("integer.linear") || op.numOperands() < 3) continue;
    const ir::Op& reader = *op.result()->users().front();
    if (!reader.is("integer.requantize")) continue;
    // All biases up by a unit of the result: rounded up instead of to the nearest.
    ir::Op& bias = *op.operand(2)->definingOp();
    const ir::Constant& constant = *q->target.constants().find(bias.symbolAttr("value"));
    auto values = ir::integer::readConstant(constant).value().values;
    std::vector<int32_t> moved;
    for (int64_t value : values)
      moved.push_back(static_cast<int32_t>(value + (int64_t{1} << reader.intAttr("shift"))));
    const ir::Constant& added =
        q->target.constants().addOwned("moved", constant.shape, std::move(moved));
    bias.set("value", ir::Symbol{added.name});
    ir::Type type = bias.result()->type();
    type.low = -(int64_t{1} << 31);
    type.high = (int64_t{1} << 31) - 1;
    bias.result()->setType(type);
    auto run = q->bound(0);
    ASSERT_EQ(run.status(), absl::OkStatus());
    std::vector<std::string> steps;
    for (const BoundedTensor& step : run->steps)
      if (step.firstBeyond() >= 0) steps.push_back(step.node);
    ASSERT_EQ(steps.size(), 1);
    return;
  }
  FAIL() << "no linear with a bias";
}

// Against random points of each interval.
TEST(DoubleIntervalTest, HoldsTheFunctionsValues) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(-4, 4);
  for (const char* text : {"mul(x, sigmoid(x))",
                           "gelu(x)",
                           "relu(sub(x, 1.5))",
                           "floor(mul(3.0, x))",
                           "sin(mul(2.0, x))",
                           "cos(x)",
                           "abs(x)",
                           "pow(x, 3.0)",
                           "pow(x, 2.0)",
                           "reciprocal(add(abs(x), 0.25))",
                           "where(greater(x, 0.5), tanh(x), neg(x))",
                           "float(equal(round(x), 2.0))",
                           "exp(min(x, 1.0))",
                           "div(x, add(1.0, mul(x, x)))",
                           "sign(x)",
                           "ceil(x)",
                           "erf(x)",
                           "log(add(abs(x), 1.0))",
                           "sqrt(abs(x))",
                           "float(not(less_or_equal(x, 1.0)))"}) {
    SCOPED_TRACE(text);
    auto function = ir::tensor::Expression::parse(text);
    ASSERT_EQ(function.status(), absl::OkStatus());
    for (int i = 0; i < 200; ++i) {
      const double at = uniform(random), width = std::exp(3 * uniform(random) - 4);
      const DoubleInterval values = valuesOn(*function, {at - width, at + width});
      double low = 1e300, high = -1e300;
      for (int k = 0; k <= 64; ++k) {
        const double y = (*function)(std::min(at - width + 2 * width * k / 64, at + width));
        ASSERT_TRUE(values.contains(y)) << at << " " << width;
        low = std::min(low, y), high = std::max(high, y);
      }
      // Hardly wider than the function's values, where these were seen closely.
      if (width < 0.05 && low < high) {
        EXPECT_LT(values.high - values.low, 4 * (high - low) + 2 * width) << at << " " << width;
      }
    }
  }
  const auto step = ir::tensor::Expression::parse("float(greater(x, 0.0))");
  EXPECT_EQ(valuesOn(*step, {0, 0}).high, 0);
  EXPECT_EQ(valuesOn(*step, {-0.25, 0.25}).high, 1);
  EXPECT_EQ(valuesOn(*step, {0.25, 0.5}).low, 1);
}

}  // namespace
}  // namespace lindero::passes
