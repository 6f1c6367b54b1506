#include "compiler/compare/comparison.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/error/error.h"

namespace lindero::compiler {
namespace {

using runtime::Error;
using runtime::PublicTensorValues;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(Spread, IsTheMiddleAndTheEnds) {
  struct Case {
    std::vector<double> numbers;
    double median, least, most;
  };
  for (const Case& c :
       {Case{{3}, 3, 3, 3}, Case{{5, 1, 3}, 3, 1, 5}, Case{{4, 1, 2, 9}, 3, 1, 9}}) {
    const Spread spread = spreadOf(c.numbers);
    EXPECT_EQ(spread.median, c.median);
    EXPECT_EQ(spread.least, c.least);
    EXPECT_EQ(spread.most, c.most);
  }
  EXPECT_DOUBLE_EQ(spreadOf({9, 10, 11}).width(), 0.2);
}

Transcript transcript(size_t placement, double seconds, double grinding, int64_t fri) {
  return {.placement = placement,
          .prove_seconds = seconds,
          .stages = {{"fri", seconds - grinding}, {"grinding", grinding}},
          .peak_memory_bytes = 1000 * fri,
          .proof_bytes = 10 * fri,
          .parts = {{"fri", fri}}};
}

TEST(Measured, IsOfOnePlacement) {
  const std::vector<Transcript> all = {transcript(0, 5, 1, 7), transcript(1, 90, 2, 70),
                                       transcript(0, 9, 4, 8), transcript(0, 7, 0.5, 9)};
  const Measured measured = measuredOf(0, all);
  EXPECT_EQ(measured.prove_seconds.median, 7);
  EXPECT_EQ(measured.seconds_without_grinding.median, 5);  // of 4, 5, 6.5
  EXPECT_EQ(measured.proof_bytes.least, 70);
  EXPECT_THAT(measured.stages, ElementsAre(Pair("fri", 5), Pair("grinding", 1)));
  EXPECT_THAT(measured.parts, ElementsAre(Pair("fri", 8)));
  EXPECT_EQ(measuredOf(1, all).peak_memory_bytes.median, 70000);
}

TEST(Measured, KnowsStagesThatOnlySomeTranscriptsHave) {
  std::vector<Transcript> all = {transcript(0, 5, 1, 7), transcript(0, 6, 2, 7)};
  all[1].stages.emplace_back("check_fixed", 3);
  EXPECT_THAT(measuredOf(0, all).stages,
              ElementsAre(Pair("fri", 4), Pair("grinding", 1.5), Pair("check_fixed", 3)));
}

TEST(Forecasts, HaveTheirErrors) {
  const Placement placement{.online_cells = 100,
                            .fixed_cells = 50,
                            .predicted = {.online_cells = 90,
                                          .fixed_cells = 50,
                                          .seconds = 6,
                                          .memory_bytes = 8000,
                                          .proof_bytes = 77}};
  const std::vector<Transcript> all = {transcript(0, 5, 1, 7)};
  std::vector<std::pair<std::string, double>> errors;
  for (const Forecast& forecast : forecastsOf(placement, measuredOf(0, all)))
    errors.emplace_back(forecast.quantity, std::round(forecast.errorPercent()));
  EXPECT_THAT(errors, ElementsAre(Pair("online_cells", -10), Pair("fixed_cells", 0),
                                  Pair("seconds_without_grinding", 50),
                                  Pair("peak_memory_bytes", 14), Pair("proof_bytes", 10)));
}

Placement rated(const char* policy, int64_t promised, double bits, const char* regime = "proven") {
  return {.policy = policy, .promised_bits = promised, .regime = regime, .security_bits = bits};
}

TEST(EqualSecurity, IsDemanded) {
  struct Case {
    Placement second;
    const char* problem;  // empty: none
  };
  const Case cases[] = {
      {rated("b", 96, 96.0), ""},
      {rated("b", 96, 97.2), ""},
      {rated("b", 96, 95.9), "the key of b promises 96 bits (proven) and has 95.9"},
      {rated("b", 96, 97.3), "the keys of a and b have 96.3 and 97.3 bits"},
      {rated("b", 80, 96.3), "promises 80 bits"},
      {rated("b", 96, 96.3, "list-decoding"), "96 bits (list-decoding)"},
  };
  for (const Case& c : cases) {
    const absl::Status status = checkEqualSecurity({rated("a", 96, 96.3), c.second}, 96, "proven");
    EXPECT_EQ(status.ok(), *c.problem == '\0') << status;
    EXPECT_THAT(status.message(), HasSubstr(c.problem));
    EXPECT_EQ(runtime::errorOf(status), status.ok() ? Error::kOk : Error::kPackage);
  }
}

PublicTensorValues tensor(const char* name, bool output, std::vector<int64_t> values) {
  return {name, output, static_cast<int64_t>(values.size()), 1, 0, std::move(values)};
}

TEST(SameValues, AreDemandedInAnyOrder) {
  const PublicTensorValues x = tensor("x", false, {1, 2}), y = tensor("y", true, {3, 4}),
                           z = tensor("z", true, {5});
  EXPECT_TRUE(checkSameValues({x, y, z}, {x, z, y}, "a", "b").ok());
  struct Case {
    std::vector<PublicTensorValues> theirs;
    const char* problem;
  };
  PublicTensorValues scaled = y, missing = y;
  scaled.exponent = 1;
  missing.values.reset();
  const Case cases[] = {
      {{x, tensor("y", true, {3, 5}), z}, "of a and b state 4 and 5 at 1 of output 'y'"},
      {{tensor("x", false, {0, 2}), y, z}, "state 1 and 0 at 0 of input 'x'"},
      {{x, y}, "other numbers of tensors"},
      {{x, tensor("y", true, {3}), z}, "differ in output 'y'"},
      {{x, scaled, z}, "differ in the shape of output 'y'"},
      {{x, missing, z}, "differ in output 'y'"},
      {{x, tensor("w", true, {3, 4}), z}, "differ in output 'y'"},
  };
  for (const Case& c : cases) {
    const absl::Status status = checkSameValues({x, y, z}, c.theirs, "a", "b");
    EXPECT_THAT(status.message(), HasSubstr(c.problem));
    EXPECT_EQ(runtime::errorOf(status), Error::kInternal);
  }
}

}  // namespace
}  // namespace lindero::compiler
