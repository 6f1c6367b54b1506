#include "passes/quantize/calibrate.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/core/text.h"
#include "passes/quantize/choose_exponents.h"
#include "passes/quantize/storage.h"
#include "passes/quantize/test_gpt.h"

namespace lindero::passes {
namespace {

using ir::tensor::Array;
using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<ir::Module> parse(llvm::StringRef text) {
  ir::registerAllDialects();
  auto module = ir::parse(text);
  EXPECT_TRUE(module.ok()) << module.status();
  return *std::move(module);
}

const ir::Function& mainOf(const std::unique_ptr<ir::Module>& module) {
  return *module->findFunction("main");
}

constexpr char kNormText[] = R"(
constant @one : f32[2] = [1.0, 1.0]
constant @zero : f32[2] = [0.0, 0.0]
constant @w : f32[2x1] = [3.0, -1.0]
func @main(%x: tensor<2x2xf32>) -> tensor<2x1xf32> {
  %g = tensor.constant {value = @one} : tensor<2xf32>
  %w = tensor.constant {value = @w} : tensor<2x1xf32>
  %b = tensor.constant {value = @zero} : tensor<2xf32>
  %n = tensor.layernorm(%x, %g, %b) {epsilon = 0.0} : tensor<2x2xf32>
  %y = tensor.linear(%n, %w) : tensor<2x1xf32>
  tensor.return(%y)
})";

TEST(Calibrate, KeepsTheLargestMagnitudes) {
  auto module = parse(kNormText);
  auto calibration = calibrate(mainOf(module), {{Array::real({2, 2}, {1, 5, -9, -3})},
                                                {Array::real({2, 2}, {2, 0, 0, 0.5})}});
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  EXPECT_EQ(calibration->samples, 2);
  EXPECT_EQ(calibration->rows, 4);
  ASSERT_EQ(calibration->ranges.size(), 3u);  // x, n, y
  const TensorRange& x = calibration->ranges[0];
  EXPECT_EQ(x.largest, 9);
  EXPECT_EQ(x.first_row_largest, 5);
  EXPECT_THAT(x.channels, ElementsAre(9, 5));
  EXPECT_THAT(x.deviations, ElementsAre(3, 3));  // rows 1 5 and -9 -3
  EXPECT_THAT(x.normalized, ElementsAre(1, 1));
  EXPECT_THAT(x.square_sum, DoubleEq(18));
  EXPECT_THAT(calibration->ranges[2].largest, DoubleEq(4));  // 3 z0 - z1 = -4
  EXPECT_TRUE(calibration->ranges[1].deviations.empty());
}

TEST(Calibrate, RefusesWhatIsNotFinite) {
  auto module = parse(kNormText);
  EXPECT_THAT(std::string(calibrate(mainOf(module), {{Array::real({2, 2}, {1, 2, 3, INFINITY})}})
                              .status()
                              .message()),
              HasSubstr("infinite or not a number"));
  EXPECT_THAT(std::string(calibrate(mainOf(module), {}).status().message()),
              HasSubstr("at least one sample"));
}

TEST(DefaultSamples, DependOnTheSeedAloneAndStayInTheVocabulary) {
  const TestGpt gpt;
  auto module = gpt.build();
  auto first = defaultSamples(mainOf(module), 3, 1), again = defaultSamples(mainOf(module), 3, 1);
  auto other = defaultSamples(mainOf(module), 3, 2),
       noise = defaultSamples(mainOf(module), 3, 1, 0);
  ASSERT_TRUE(first.ok() && again.ok() && other.ok() && noise.ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ((*first)[i][0].integers, (*again)[i][0].integers);
    EXPECT_NE((*first)[i][0].integers, (*other)[i][0].integers);
    EXPECT_NE((*first)[i][0].integers, (*noise)[i][0].integers);
    EXPECT_EQ((*first)[i][0].integers[0], (*noise)[i][0].integers[0]);
    for (int64_t id : (*first)[i][0].integers) {
      EXPECT_GE(id, 0);
      EXPECT_LT(id, gpt.vocabulary);
    }
  }
}

TEST(Storage, FollowsFromMakerAndReaders) {
  auto module = TestGpt().build();
  std::map<std::string, Storage> storages;
  for (const ir::Value* value : exponentSites(mainOf(module))) {
    auto storage = storageOf(*value);
    ASSERT_TRUE(storage.ok()) << storage.status();
    const ir::Op& op = *value->definingOp();
    storages[op.location().front() + " " + op.name().str()] = *storage;
  }
  EXPECT_EQ(storages["/wte/Gather tensor.embedding"], Storage::kResidual);
  EXPECT_EQ(storages["/h.0/ln_1 tensor.layernorm"], Storage::kNormalized);
  EXPECT_EQ(storages["/h.0/attn/qkv tensor.linear"], Storage::kSliced);
  EXPECT_EQ(storages["/h.0/attn/Split tensor.slice"], Storage::kValue);  // the last of three
  EXPECT_EQ(storages["/h.0/attn/Softmax tensor.attention"], Storage::kInput);
  EXPECT_EQ(storages["/h.0/proj tensor.linear"], Storage::kPartial);
  EXPECT_EQ(storages["/h.0/fc tensor.linear"], Storage::kKey);
  EXPECT_EQ(storages["/h.0/Add tensor.add"], Storage::kResidual);
  EXPECT_EQ(storages["/head tensor.linear"], Storage::kRaw);
}

TEST(Storage, KeepsAValueForReadersThatDisagree) {
  auto module = parse(R"ir(
constant @w : f32[2x2] = [1.0, 0.0, 0.0, 1.0]
func @main(%x: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  %w = tensor.constant {value = @w} : tensor<2x2xf32>
  %a = tensor.linear(%x, %w) : tensor<2x2xf32> loc("/a")
  %b = tensor.activation(%a) {function = "relu(x)"} : tensor<2x2xf32> loc("/b")
  %c = tensor.linear(%a, %w) : tensor<2x2xf32> loc("/c")
  tensor.return(%b, %c)
})ir");
  const auto sites = exponentSites(mainOf(module));
  EXPECT_EQ(*storageOf(*sites[1]), Storage::kStored);
}

int64_t valueOf(const Exponents& exponents, llvm::StringRef node, const char* name) {
  for (const ExponentSite& site : exponents.sites) {
    if (site.node == node && site.values.contains(name)) return site.values.at(name);
  }
  return INT64_MIN;
}

TEST(ChooseExponents, FitsTheRangesWithTheirMargins) {
  auto module = parse(kNormText);
  auto calibration = calibrate(mainOf(module), {{Array::real({2, 2}, {1, 5, -9, -3})}});
  QuantizeOptions options;
  options.residual_margin = 2;
  auto exponents = chooseExponents(mainOf(module), *calibration, options);
  ASSERT_TRUE(exponents.ok()) << exponents.status();
  EXPECT_EQ(valueOf(*exponents, "x", "exponent"), 10);  // 9 * 2 * 2^10 = 18432 < 32767
  EXPECT_EQ(valueOf(*exponents, "x", "bits"), 16);
  EXPECT_EQ(exponents->sites[1].values.at("exponent"), 10);  // |z| <= 1, margin 1.25: 1280 <= 2047
  // V = 18 * 2^2 * 2^(20 - 1) = 2^25.2 takes j = 5.
  EXPECT_EQ(exponents->sites[1].values.at("max_exponent"), 5);
}

TEST(ChooseExponents, MassiveChannelsWidenTheNormalizedValues) {
  for (double massive : {0.0, 200.0}) {
    TestGpt gpt;
    gpt.massive = massive;
    auto module = gpt.build();
    auto calibration = calibrate(mainOf(module), *defaultSamples(mainOf(module), 4));
    auto exponents = chooseExponents(mainOf(module), *calibration, {});
    ASSERT_TRUE(exponents.ok()) << exponents.status();
    EXPECT_EQ(valueOf(*exponents, "/h.1/ln_2", "bits"), massive > 0 ? 16 : 12);
  }
}

TEST(ChooseExponents, AttentionOutputsStayWithinTheShiftsOfTheirRequantization) {
  auto module = TestGpt().build();
  auto calibration = calibrate(mainOf(module), *defaultSamples(mainOf(module), 4));
  for (TensorRange& range : calibration->ranges) range.largest = std::min(range.largest, 1e-4);
  auto exponents = chooseExponents(mainOf(module), *calibration, {});
  ASSERT_TRUE(exponents.ok());
  for (size_t i = 0; i < exponents->sites.size(); ++i) {
    if (exponents->sites[i].op != "tensor.attention") continue;
    const int64_t value = exponents->sites[i - 1].values.at("exponent"),
                  out = exponents->sites[i].values.at("exponent");
    EXPECT_GE(16 + value - out, 1);
    EXPECT_LE(16 + value - out, 16);
  }
}

}  // namespace
}  // namespace lindero::passes
