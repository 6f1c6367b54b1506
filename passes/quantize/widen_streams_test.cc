#include "passes/quantize/widen_streams.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/core/verifier.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/quantize/compare.h"
#include "passes/quantize/test_gpt.h"

namespace lindero::passes {
namespace {

struct Case {
  const char* name;
  TestGpt gpt;
  int wide_norms;       // of five
  int fine_tables;      // embeddings of an exponent that a sum of 16 bits does not take as it is
  int wide_copies = 0;  // of norms
};

std::vector<Case> cases() {
  std::vector<Case> cases;
  auto add = [&](const char* name, int wide_norms, int fine_tables, auto change) {
    cases.push_back({name, {}, wide_norms, fine_tables});
    change(cases.back().gpt);
  };
  add("Ordinary", 0, 0, [](TestGpt&) {});
  add("MassiveWord", 5, 0, [](TestGpt& g) { g.massive_word = 2500; });
  add("MassiveWordOfRmsNorm", 5, 0, [](TestGpt& g) { g.massive_word = 3000, g.rms = true; });
  add("TinyTables", 0, 1, [](TestGpt& g) { g.tables = 1e-6, g.epsilon = 1e-12; });
  add("TinyTablesOfRmsNorm", 0, 1,
      [](TestGpt& g) { g.tables = 1e-5, g.epsilon = 1e-10, g.rms = true; });
  add("MassiveWordOfPostNorm", 2, 0,
      [](TestGpt& g) { g.massive_word = 2500, g.massive_gamma = 200, g.post_norm = true; });
  cases.back().wide_copies = 1;
  return cases;
}

class WidenStreams : public ::testing::TestWithParam<Case> {};

TEST_P(WidenStreams, OnlyWhereRowsAreSmall) {
  const std::unique_ptr<ir::Module> source = GetParam().gpt.build();
  const ir::Function& floats = *source->findFunction("main");
  const auto samples = defaultSamples(floats, 16);
  ASSERT_TRUE(samples.ok());
  const auto calibration = calibrate(floats, *samples);
  ASSERT_TRUE(calibration.ok());
  const auto exponents = chooseExponents(floats, *calibration, {});
  ASSERT_TRUE(exponents.ok()) << exponents.status();
  ir::Module target;
  std::vector<TensorRecord> records;
  ASSERT_EQ(quantize(floats, *exponents, *target.addFunction("main"), &records), absl::OkStatus());
  ASSERT_EQ(ir::verify(target), absl::OkStatus());
  const ir::Function& integers = *target.findFunction("main");
  int wide = 0;
  for (const ir::Op& op : integers.body().ops())
    wide += op.is("integer.layernorm") && op.has("row_shift") ? 1 : 0;
  EXPECT_EQ(wide, GetParam().wide_norms);
  int fine = 0, copies = 0;
  for (const ExponentSite& site : exponents->sites) {
    copies += site.op == "tensor.layernorm" && isWide(site) ? 1 : 0;
    if (site.op == "tensor.embedding") fine += site.values.at("exponent") > 24 ? 1 : 0;
  }
  EXPECT_EQ(fine, GetParam().fine_tables);
  EXPECT_EQ(copies, GetParam().wide_copies);
  std::vector<ComparisonSample> fresh;
  const std::vector<Sample> others = defaultSamples(floats, 24, 99).value();
  for (const Sample& sample : others) fresh.push_back({sample, {}});
  const auto comparison = compareWithFloat(floats, integers, records, fresh);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->rejected, 0) << comparison->first_rejection;
  EXPECT_GT(comparison->least_cosine, 0.999);
}

INSTANTIATE_TEST_SUITE_P(Models, WidenStreams, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lindero::passes
