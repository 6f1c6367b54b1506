// Quantization as a whole: from a canonical function to an integer program, run against the float
// one.
#include "passes/quantize/quantize.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/core/text.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "ir/integer/interpreter.h"
#include "ir/tensor/interpreter.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/choose_exponents.h"
#include "passes/quantize/compare.h"
#include "passes/quantize/passes.h"
#include "passes/quantize/range_report.h"
#include "passes/quantize/test_gpt.h"

namespace lindero::passes {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// A model, its exponents and its integer program.
struct Quantized {
  std::unique_ptr<ir::Module> source;
  Calibration calibration;
  Exponents exponents;
  ir::Module target;
  std::vector<TensorRecord> records;

  const ir::Function& floats() const { return *source->findFunction("main"); }
  const ir::Function& integers() const { return *target.findFunction("main"); }
};

absl::StatusOr<std::unique_ptr<Quantized>> quantizeGpt(const TestGpt& gpt,
                                                       const QuantizeOptions& options = {}) {
  auto q = std::make_unique<Quantized>();
  q->source = gpt.build();
  absl::StatusOr<std::vector<Sample>> samples = defaultSamples(q->floats(), 16);
  if (!samples.ok()) return samples.status();
  absl::StatusOr<Calibration> calibration = calibrate(q->floats(), *samples);
  if (!calibration.ok()) return calibration.status();
  q->calibration = *std::move(calibration);
  absl::StatusOr<Exponents> exponents = chooseExponents(q->floats(), q->calibration, options);
  if (!exponents.ok()) return exponents.status();
  q->exponents = *std::move(exponents);
  absl::Status status =
      quantize(q->floats(), q->exponents, *q->target.addFunction("main"), &q->records);
  if (!status.ok()) return status;
  return q;
}

std::vector<ComparisonSample> freshSamples(const ir::Function& function, uint64_t seed) {
  const std::vector<Sample> drawn = defaultSamples(function, 24, seed).value();
  std::vector<ComparisonSample> samples;
  for (const Sample& sample : drawn) samples.push_back({sample, {}});
  return samples;
}

struct Case {
  const char* name;
  TestGpt gpt;
  QuantizeOptions options;
  double least_cosine;
};

std::vector<Case> cases() {
  std::vector<Case> cases(12);
  cases[0] = {"gelu", {}, {}, 0.9999};
  cases[1] = {"relu", {}, {}, 0.9999};
  cases[1].gpt.activation = "relu";
  cases[2] = {"silu", {}, {}, 0.9999};
  cases[2].gpt.activation = "silu";
  cases[3] = {"massive", {}, {}, 0.9995};
  cases[3].gpt.massive = 200;
  cases[4] = {"post_norm", {}, {}, 0.9995};
  cases[4].gpt.post_norm = true;
  cases[5] = {"own_tables", {}, {}, 0.9999};
  cases[5].options.share_tables = false;
  cases[6] = {"finite_mask", {}, {}, 0.9999};
  cases[6].gpt.masked = -1e4;
  cases[7] = {"gated", {}, {}, 0.9995};
  cases[7].gpt.gated = true;
  cases[8] = {"gated_wide", {}, {}, 0.9999};
  cases[8].gpt.gated = true;
  cases[8].options.activation_bits = 16;
  cases[9] = {"precise", {}, preciseOptions(), 0.999995};
  cases[10] = {"precise_post_norm", {}, preciseOptions(), 0.999995};
  cases[10].gpt.post_norm = true;
  cases[11] = {"precise_gated", {}, preciseOptions(), 0.99998};
  cases[11].gpt.gated = true;
  return cases;
}

class Fidelity : public ::testing::TestWithParam<Case> {};

TEST_P(Fidelity, IntegerProgramFollowsTheFloatModel) {
  auto q = quantizeGpt(GetParam().gpt, GetParam().options);
  ASSERT_TRUE(q.ok()) << q.status();
  EXPECT_TRUE(ir::verify((*q)->target).ok()) << ir::verify((*q)->target);
  auto comparison = compareWithFloat((*q)->floats(), (*q)->integers(), (*q)->records,
                                     freshSamples((*q)->floats(), 99));
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->rejected, 0) << comparison->first_rejection;
  EXPECT_GT(comparison->rows, 200);
  EXPECT_GT(comparison->least_cosine, GetParam().least_cosine);
  EXPECT_GT(comparison->top1_agreement, 0.98);
  std::string text;
  llvm::raw_string_ostream os(text);
  print(*comparison, os);
  print(rangeReport((*q)->floats(), (*q)->records, &(*q)->calibration), os);
  EXPECT_THAT(os.str(), HasSubstr("/h.1/Add"));
}

INSTANTIATE_TEST_SUITE_P(Models, Fidelity, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Quantize, OnlyExponentsCrossFromFloat) {
  auto first = quantizeGpt({}, preciseOptions());
  ASSERT_TRUE(first.ok());
  auto exponents = exponentsFromJson(toJson((*first)->exponents));
  ASSERT_TRUE(exponents.ok()) << exponents.status();
  EXPECT_EQ(*exponents, (*first)->exponents);
  ir::Module again;
  ASSERT_TRUE(quantize((*first)->floats(), *exponents, *again.addFunction("main")).ok());
  // The text holds the digests of all constants.
  EXPECT_EQ(ir::toText(again), ir::toText((*first)->target));
}

// Positions do not see what comes after them, nor how long the sequence is.
TEST(Quantize, ResultsDoNotDependOnTheLength) {
  TestGpt longer, shorter;
  shorter.tokens = 7;
  auto q = quantizeGpt(longer);
  ASSERT_TRUE(q.ok());
  // The same weights: only the first rows of the positions.
  auto source = longer.build();
  const ir::Constant& positions = *source->constants().find("wpe");
  std::vector<float> first(positions.as<float>().begin(),
                           positions.as<float>().begin() + 7 * longer.width);
  auto small = shorter.build();
  for (const ir::Constant* constant : source->constants().constants()) {
    const std::string name = constant->name;
    small->constants().erase(name);
    if (name == "wpe") {
      small->constants().addOwned("wpe", {7, longer.width}, first);
    } else {
      small->constants().add(*constant);
    }
  }
  ir::Module target;
  absl::Status status =
      quantize(*small->findFunction("main"), (*q)->exponents, *target.addFunction("main"));
  ASSERT_TRUE(status.ok()) << status;
  std::vector<int64_t> ids;
  for (int64_t t = 0; t < longer.tokens; ++t) ids.push_back((5 * t + 2) % longer.vocabulary);
  auto all = ir::integer::interpret((*q)->integers(), ir::integer::IntArray{{longer.tokens}, ids});
  ids.resize(7);
  auto some = ir::integer::interpret(*target.findFunction("main"), ir::integer::IntArray{{7}, ids});
  ASSERT_TRUE(all.ok() && some.ok()) << all.status() << some.status();
  (*all)[0].values.resize((*some)[0].values.size());
  EXPECT_EQ((*all)[0].values, (*some)[0].values);
}

// An embedding whose last position is far out, read by a product.
std::unique_ptr<ir::Module> embeddingAndProduct(int64_t tokens) {
  auto module = std::make_unique<ir::Module>();
  ir::Function* function = module->addFunction("main");
  ir::Builder builder(&function->body());
  ir::Value* ids =
      function->body().addArgument(ir::Type::tensor(ir::Element::kInt, {tokens}), "ids");
  auto constant = [&](const char* name, int64_t rows, std::vector<float> values) {
    module->constants().addOwned(name, {rows, 2}, std::move(values));
    return builder.value("tensor.constant", {}, ir::Type::tensor(ir::Element::kFloat, {rows, 2}),
                         {{"value", ir::Symbol{name}}});
  };
  std::vector<float> positions(2 * tokens, 0.1f);
  if (tokens == 4) positions.back() = 40;
  const ir::Type type = ir::Type::tensor(ir::Element::kFloat, {tokens, 2});
  ir::Value* words = constant("words", 3, {0.3f, -0.4f, 0.5f, 0.1f, -0.2f, 0.7f});
  ir::Value* x = builder.value("tensor.embedding",
                               {ids, words, constant("positions", tokens, positions)}, type);
  ir::Value* y =
      builder.value("tensor.linear", {x, constant("w", 2, {0.9f, -0.7f, 0.8f, 0.6f})}, type);
  builder.create("tensor.return", {y}, {}, {{"names", std::vector<std::string>{"logits"}}});
  return module;
}

TEST(Quantize, WeightsDoNotDependOnTheLength) {
  auto longer = embeddingAndProduct(4), shorter = embeddingAndProduct(3);
  const ir::Function& floats = *longer->findFunction("main");
  auto exponents = chooseExponents(floats, *calibrate(floats, *defaultSamples(floats, 16)), {});
  ASSERT_TRUE(exponents.ok()) << exponents.status();
  std::vector<ir::Type> weights;
  ir::Module targets[2];
  for (int i = 0; i < 2; ++i) {
    ir::Function& integers = *targets[i].addFunction("main");
    absl::Status status =
        quantize(*(i == 0 ? longer : shorter)->findFunction("main"), *exponents, integers);
    ASSERT_TRUE(status.ok()) << status;
    for (const ir::Op& op : integers.body().ops()) {
      if (op.is("integer.linear")) weights.push_back(op.operand(1)->type());
    }
  }
  ASSERT_EQ(weights.size(), 2u);
  EXPECT_EQ(weights[0], weights[1]);
}

// ((x w_0) * (x w_1)) * ... of that many factors, as a linear sees it; of their normalized rows, if
// `normalized`.
struct ProductCase {
  const char* name;
  int factors;
  double scale;  // of the weights
  bool normalized;
  int activation_bits;
  double least_cosine;
};

std::unique_ptr<ir::Module> productOfLinears(const ProductCase& c) {
  constexpr int64_t kWidth = 4;
  ir::registerAllDialects();
  auto module = std::make_unique<ir::Module>();
  ir::Function* function = module->addFunction("main");
  ir::Builder builder(&function->body());
  const ir::Type type = ir::Type::tensor(ir::Element::kFloat, {6, kWidth});
  auto constant = [&](const std::string& name, std::vector<int64_t> shape, double scale) {
    std::vector<float> values;
    const int64_t size = shape.size() == 1 ? kWidth : kWidth * kWidth;
    for (int64_t k = 0; k < size; ++k) {
      values.push_back(static_cast<float>(scale * std::cos(k * k + 7.0 * name.back())));
    }
    module->constants().addOwned(name, shape, std::move(values));
    return builder.value("tensor.constant", {}, ir::Type::tensor(ir::Element::kFloat, shape),
                         {{"value", ir::Symbol{name}}});
  };
  auto named = [](const char* name, int i) { return name + std::to_string(i); };
  ir::Value *x = function->body().addArgument(type, "x"), *product = nullptr;
  for (int i = 0; i < c.factors; ++i) {
    builder.setLocation({named("/factor_", i)});
    ir::Value* factor =
        c.normalized ? builder.value("tensor.layernorm",
                                     {x, constant(named("g", i), {kWidth}, c.scale),
                                      constant(named("b", i), {kWidth}, c.scale)},
                                     type, {{"epsilon", 1e-5}})
                     : builder.value("tensor.linear",
                                     {x, constant(named("w", i), {kWidth, kWidth}, c.scale)}, type);
    builder.setLocation({named("/Mul_", i)});
    product = product ? builder.value("tensor.mul", {product, factor}, type) : factor;
  }
  builder.setLocation({"/out"});
  ir::Value* y =
      builder.value("tensor.linear", {product, constant("w", {kWidth, kWidth}, 1.0)}, type);
  builder.create("tensor.return", {y}, {}, {{"names", std::vector<std::string>{"y"}}});
  return module;
}

class Products : public ::testing::TestWithParam<ProductCase> {};

TEST_P(Products, FitTheirTable) {
  auto source = productOfLinears(GetParam());
  ASSERT_TRUE(ir::verify(*source).ok()) << ir::verify(*source);
  const ir::Function& floats = *source->findFunction("main");
  QuantizeOptions options;
  options.activation_bits = GetParam().activation_bits;
  auto exponents =
      chooseExponents(floats, *calibrate(floats, *defaultSamples(floats, 16)), options);
  ASSERT_TRUE(exponents.ok()) << exponents.status();
  ir::Module target;
  std::vector<TensorRecord> records;
  absl::Status status = quantize(floats, *exponents, *target.addFunction("main"), &records);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(ir::verify(target).ok()) << ir::verify(target);
  auto comparison =
      compareWithFloat(floats, *target.findFunction("main"), records, freshSamples(floats, 5));
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->rejected, 0) << comparison->first_rejection;
  EXPECT_GT(comparison->mean_cosine, GetParam().least_cosine);
}

// Exponents end at 24: values below 2^-13 have fewer bits than they might, and a product of two of
// them has none. So of "four" a row is lost altogether, which counts as a cosine of 0.
INSTANTIATE_TEST_SUITE_P(Cases, Products,
                         ::testing::Values(ProductCase{"two", 2, 1.0, false, 12, 0.999},
                                           ProductCase{"four", 4, 1.0, false, 12, 0.98},
                                           ProductCase{"tiny", 2, 1e-4, false, 12, -1},
                                           ProductCase{"tiny_chain", 3, 1e-4, false, 12, -1},
                                           ProductCase{"huge", 2, 1e6, false, 12, 0.999},
                                           ProductCase{"wide", 2, 1.0, false, 16, 0.9999},
                                           ProductCase{"wide_chain", 4, 1.0, false, 16, 0.999},
                                           ProductCase{"few_bits", 3, 1.0, false, 4, -1},
                                           ProductCase{"normalized", 2, 1.0, true, 12, 0.999}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Quantize, LayersShareTables) {
  auto q = quantizeGpt({});
  ASSERT_TRUE(q.ok());
  std::set<std::string> tables;
  ir::walk(std::as_const(*(*q)->target.findFunction("main")).body(), [&](const ir::Op& op) {
    for (llvm::StringRef user : {"integer.layernorm", "integer.softmax", "integer.lookup"}) {
      if (op.is(user))
        tables.insert(user.str() + " " + op.operand(1)->definingOp()->symbolAttr("value"));
    }
  });
  EXPECT_EQ(tables.size(), 3u) << ::testing::PrintToString(tables);
}

TEST(Quantize, StaticBoundsCoverTheWorstInput) {
  auto q = quantizeGpt({});
  ASSERT_TRUE(q.ok());
  ir::walk(std::as_const(*(*q)->target.findFunction("main")).body(), [&](const ir::Op& op) {
    if (!op.is("integer.linear")) return;
    const ir::Type& x = op.operand(0)->type();
    auto w = ir::integer::readConstant(
        *(*q)->target.constants().find(op.operand(1)->definingOp()->symbolAttr("value")));
    ir::integer::IntArray bias{{w->shape[1]}, std::vector<int64_t>(w->shape[1], 0)};
    if (op.numOperands() > 2) {
      bias = *ir::integer::readConstant(
          *(*q)->target.constants().find(op.operand(2)->definingOp()->symbolAttr("value")));
    }
    int64_t most = 0, least = 0;
    for (int64_t j = 0; j < w->shape[1]; ++j) {
      int64_t high = bias.values[j], low = bias.values[j];
      for (int64_t i = 0; i < w->shape[0]; ++i) {
        const int64_t weight = w->values[i * w->shape[1] + j];
        high += weight > 0 ? weight * x.high : weight * x.low;
        low += weight > 0 ? weight * x.low : weight * x.high;
      }
      most = std::max(most, high);
      least = std::min(least, low);
    }
    EXPECT_EQ(op.result()->type().high, most) << op.location().front();
    EXPECT_EQ(op.result()->type().low, least) << op.location().front();
    EXPECT_LT(std::max(most, -least), int64_t{1} << 30);
  });
}

TEST(Quantize, WiderWeightsBreakABound) {
  auto q = quantizeGpt({});
  ASSERT_TRUE(q.ok());
  // Twice the resolution at a requantization would break its soundness, its shift limit, its weight
  // width or its bound.
  ir::walk(std::as_const(*(*q)->target.findFunction("main")).body(), [&](const ir::Op& op) {
    if (!op.is("integer.requantize")) return;
    const ir::Op* linear = op.operand(0)->definingOp();
    if (linear->is("integer.slice")) linear = linear->operand(0)->definingOp();
    if (!linear->is("integer.linear")) return;
    const int64_t shift = op.intAttr("shift"), bits = op.intAttr("bits"),
                  prime = (int64_t{1} << 31) - 1;
    const ir::Type& acc = op.operand(0)->type();
    const ir::Type& w = linear->operand(1)->type();
    int64_t bound = std::max(-acc.low, acc.high);
    int64_t addend = op.numOperands() > 1 ? int64_t{32768} << op.intAttr("addend_shift") : 0;
    EXPECT_LT((int64_t{1} << (bits - 1 + shift)) + (int64_t{1} << (shift - 1)) + bound + addend,
              prime);
    const bool at_limit = shift == std::min<int64_t>(16, 31 - bits) ||
                          2 * std::max(-w.low, w.high) >= 32767 - 1 ||
                          2 * bound + 4096 * 64 >= int64_t{1} << 30 ||
                          (int64_t{1} << (bits + shift)) + (int64_t{1} << shift) + 2 * bound +
                                  2 * addend + 4096 * 64 >=
                              prime;
    EXPECT_TRUE(at_limit) << op.location().front() << " shift " << shift << " weights " << w.high
                          << " bound " << bound;
  });
}

struct Refusal {
  const char* name;
  void (*edit)(TestGpt&, QuantizeOptions&);
  const char* message;
};

class Refuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refuses, WithNodeAndReason) {
  TestGpt gpt;
  QuantizeOptions options;
  GetParam().edit(gpt, options);
  auto q = quantizeGpt(gpt, options);
  EXPECT_THAT(std::string(q.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Refuses,
    ::testing::Values(
        Refusal{"unknown_function", [](TestGpt& g, QuantizeOptions&) { g.activation = "mish"; },
                "mish"},
        Refusal{"logarithm", [](TestGpt& g, QuantizeOptions&) { g.activation = "log"; },
                "tensor.activation (/h.0/act)"},
        Refusal{"weak_mask", [](TestGpt& g, QuantizeOptions&) { g.masked = -30; },
                "tensor.attention (/h.0/attn/Softmax): its mask puts keys at -30"},
        Refusal{"wide_scores", [](TestGpt&, QuantizeOptions& o) { o.query_key_bits = 15; },
                "tensor.attention (/h.0/attn/Softmax): scores may reach"},
        Refusal{
            "wide_inputs",
            [](TestGpt&, QuantizeOptions& o) { o.normalized_bits = o.widest_normalized_bits = 25; },
            "tensor.layernorm (/h.0/ln_1)"},
        Refusal{"narrow_weights", [](TestGpt&, QuantizeOptions& o) { o.weight_bits = 3; },
                "tensor.linear (/h.0/attn/qkv): no shift keeps the product exact"}),
    [](const auto& info) { return std::string(info.param.name); });

// Somewhere between margins that fit and those that leave nothing but zeros.
TEST(Quantize, WeightsOfHardlyAnyBitsAreRefused) {
  std::string said;
  for (double margin = 256; margin < 1e7; margin *= 2) {
    QuantizeOptions options;
    options.residual_margin = margin;
    auto q = quantizeGpt({}, options);
    if (!q.ok()) said = std::string(q.status().message());
    if (!said.empty()) break;
  }
  EXPECT_THAT(said,
              HasSubstr("no shift keeps the product exact: at 14 bits, its weights have 3 bits"));
  EXPECT_THAT(said, HasSubstr("and 4 are needed; use a larger exponent for its result"));
}

TEST(Quantize, FewBitsOfActivationsRejectNoInput) {
  for (int bits : {4, 6, 8}) {
    QuantizeOptions options;
    options.activation_bits = bits;
    options.weight_bits = 24;
    auto q = quantizeGpt({}, options);
    ASSERT_TRUE(q.ok()) << bits << ": " << q.status();
    auto comparison = compareWithFloat((*q)->floats(), (*q)->integers(), (*q)->records,
                                       freshSamples((*q)->floats(), 7));
    ASSERT_TRUE(comparison.ok());
    EXPECT_EQ(comparison->rejected, 0) << bits << ": " << comparison->first_rejection;
  }
}

TEST(Quantize, ComparesWithTheReferenceThatIsGiven) {
  auto q = quantizeGpt({});
  ASSERT_TRUE(q.ok()) << q.status();
  using Outputs = std::vector<ir::tensor::Array>;
  auto negated = [&](llvm::ArrayRef<ComparisonSample> samples,
                     llvm::ArrayRef<std::string> outputs) {
    EXPECT_EQ(outputs.vec(), std::vector<std::string>{"logits"});
    std::vector<Outputs> all;
    for (const ComparisonSample& sample : samples) {
      Outputs results = ir::tensor::interpret((*q)->floats(), sample.inputs).value();
      for (double& x : results.front().reals) x = -x;
      // More rows than the function has are those of a longer context.
      results.front().reals.push_back(7);
      all.push_back(std::move(results));
    }
    return absl::StatusOr<std::vector<Outputs>>(std::move(all));
  };
  auto comparison = compareWithFloat((*q)->floats(), (*q)->integers(), (*q)->records,
                                     freshSamples((*q)->floats(), 5), negated);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_LT(comparison->mean_cosine, -0.999);
}

TEST(CheckSameReals, AllowsRoundingAndNoMore) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  EXPECT_TRUE(checkSameReals({1, -200, inf, nan}, {1.1, -200.1, inf, nan}).ok());
  EXPECT_FALSE(checkSameReals({1, -200}, {1.3, -200}).ok());
  EXPECT_FALSE(checkSameReals({1, inf}, {1, -inf}).ok());
  EXPECT_FALSE(checkSameReals({1, 2}, {1, nan}).ok());
  EXPECT_FALSE(checkSameReals({1, nan}, {1, 2}).ok());
  EXPECT_FALSE(checkSameReals({1, 2}, {1}).ok());
  EXPECT_FALSE(checkSameReals({0, 0}, {0, 1e-30}).ok());
}

TEST(Quantize, ValuesBeyondCalibrationAreErrorsThatNameTheNode) {
  TestGpt gpt;
  QuantizeOptions options;
  options.key_margin = 0.2;
  auto q = quantizeGpt(gpt, options);
  ASSERT_TRUE(q.ok()) << q.status();
  auto comparison = compareWithFloat((*q)->floats(), (*q)->integers(), (*q)->records,
                                     freshSamples((*q)->floats(), 5));
  ASSERT_TRUE(comparison.ok());
  EXPECT_GT(comparison->rejected, 0);
  EXPECT_THAT(comparison->first_rejection, HasSubstr("integer.lookup (/h.0/act): lookup key"));
}

// Samples run together; what is said of them is what is said of those that are taken, alone.
TEST(Quantize, RefusedSamplesDoNotCount) {
  TestGpt gpt;
  QuantizeOptions options;
  options.key_margin = 0.6;
  auto q = quantizeGpt(gpt, options);
  ASSERT_TRUE(q.ok()) << q.status();
  auto compare = [&](llvm::ArrayRef<ComparisonSample> samples) {
    return compareWithFloat((*q)->floats(), (*q)->integers(), (*q)->records, samples).value();
  };
  const std::vector<ComparisonSample> samples = freshSamples((*q)->floats(), 5);
  std::vector<ComparisonSample> taken;
  for (const ComparisonSample& sample : samples)
    if (compare(sample).rejected == 0) taken.push_back(sample);
  ASSERT_FALSE(taken.empty());
  ASSERT_LT(taken.size(), samples.size());
  const Comparison all = compare(samples), some = compare(taken);
  EXPECT_EQ(all.samples, static_cast<int64_t>(samples.size()));
  EXPECT_EQ(all.rejected, static_cast<int64_t>(samples.size() - taken.size()));
  EXPECT_EQ(all.divergence, some.divergence);
  ASSERT_EQ(all.tensors.size(), some.tensors.size());
  for (auto [a, b] : llvm::zip(all.tensors, some.tensors)) {
    EXPECT_EQ(a.rms, b.rms) << a.node;
    EXPECT_EQ(a.rows.rows, b.rows.rows) << a.node;
  }
}

TEST(Quantize, ExponentsOfAnotherModelAreRefused) {
  auto q = quantizeGpt({});
  ASSERT_TRUE(q.ok());
  TestGpt other;
  other.layers = 1;
  auto source = other.build();
  ir::Module target;
  EXPECT_THAT(std::string(quantize(*source->findFunction("main"), (*q)->exponents,
                                   *target.addFunction("main"))
                              .message()),
              HasSubstr("made for another model"));
}

TEST(QuantizePass, ReplacesTheFunctionAndItsWeights) {
  registerAllPasses();
  auto module = TestGpt().build();
  auto passes = parsePipeline("quantize{samples=4 activation_bits=11}");
  ASSERT_TRUE(passes.ok()) << passes.status();
  auto changed = passes->front()->run(*module);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_TRUE(*changed);
  EXPECT_EQ(module->functions().size(), 1u);
  EXPECT_THAT(ir::toText(*module), Not(HasSubstr("tensor.linear")));
  for (const ir::Constant* constant : module->constants().constants()) {
    EXPECT_NE(constant->scalar, ir::Scalar::kF32) << constant->name;
  }
  EXPECT_THAT(std::string(parsePipeline("quantize{bits=3}").status().message()), HasSubstr("bits"));
  EXPECT_THAT(std::string(parsePipeline("calibrate").status().message()), HasSubstr("output"));
}

}  // namespace
}  // namespace lindero::passes
