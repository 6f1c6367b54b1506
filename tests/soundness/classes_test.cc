// Circuits without a class of constraints (drop-class) take the traces of the whole circuit.
#include "gtest/gtest.h"
#include "tests/soundness/forgery.h"

namespace lindero::test {
namespace {

struct Case {
  const char* name;
  ToyOptions options;
};

class ClassesTest : public ::testing::TestWithParam<Case> {};

std::vector<std::vector<std::string>> filledColumns(const Circuit& circuit) {
  std::vector<std::vector<std::string>> tables;
  for (const Table& table : circuit.tables()) {
    tables.push_back({table.name()});
    for (const Column& column : table.columns()) {
      if (column.phase() <= 1) tables.back().push_back(column.name());
    }
  }
  return tables;
}

// Hence the terms of each class sum to zero by themselves.
TEST_P(ClassesTest, HonestTraceIsAcceptedWithoutAnyOfThem) {
  auto run = ToyRun::create(GetParam().options);
  ASSERT_EQ(run.status(), absl::OkStatus());
  Forgery honest(**run);
  ASSERT_EQ(honest.forge(), absl::OkStatus());
  for (const char* kind : {"local", "continuity", "boundary"}) {
    auto rest = (*run)->without(kind);
    ASSERT_EQ(rest.status(), absl::OkStatus()) << "without " << kind;
    EXPECT_EQ(filledColumns(rest->circuit()), filledColumns((*run)->circuit()));
    auto accepted = honest.acceptedBy(*rest);
    ASSERT_EQ(accepted.status(), absl::OkStatus()) << "without " << kind;
    EXPECT_TRUE(*accepted) << "without " << kind;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Toys, ClassesTest,
    ::testing::Values(Case{"Argmax", {}}, Case{"Logits", {.logits = true}},
                      Case{"GivenStream", {.embedded = false, .causal = false}},
                      Case{"Decode", {.decode = true}},
                      Case{"Carry", {.lanes = 2, .decode = true, .block = 2, .at = 1}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace lindero::test
