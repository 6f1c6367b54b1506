// The columns that a layout is chosen by are those that the circuit has.
#include "passes/lower_air/lower_to_air/choose_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/core/op_table.h"
#include "ir/dialects.h"
#include "passes/lower_air/lower_sums/lower_sums.h"
#include "passes/lower_air/lower_to_air/planner.h"
#include "tests/soundness/toy_gpt.h"

namespace lindero::passes {

void PrintTo(const TableShape& s, std::ostream* out) {
  *out << s.fixed << " fixed, " << s.main << " main, " << s.folds << " folds, " << s.fractions
       << " fractions";
}

namespace {

using ::testing::ElementsAre;

// Of each table of a circuit whose sums are lowered.
std::map<std::string, TableShape> emittedShapes(ir::Module& module,
                                                const LowerToAirOptions& options) {
  EXPECT_EQ(createLowerToAir(options)->run(module).status(), absl::OkStatus());
  EXPECT_EQ(createLowerSums()->run(module).status(), absl::OkStatus());
  std::map<std::string, TableShape> shapes;
  for (const ir::Op& table : module.findFunction("circuit")->body().ops()) {
    if (!table.is("air.table")) continue;
    TableShape& shape = shapes[table.stringAttr("name")];
    for (const ir::Op& op : table.block()->ops()) {
      if (op.is("air.column")) ++(op.intAttr("phase") == 0 ? shape.fixed : shape.main);
      if (op.is("air.scan") || op.is("air.gather")) ++shape.folds;
      if (op.is("air.fraction")) ++shape.fractions;
    }
  }
  return shapes;
}

class MeasuredShapes : public ::testing::TestWithParam<test::ToyOptions> {};

TEST_P(MeasuredShapes, AreThoseOfTheCircuit) {
  ir::registerAllDialects();
  for (int64_t lanes : {1, 2, 4}) {
    ir::Module module;
    ASSERT_EQ(test::makeToyGpt(module, GetParam()), absl::OkStatus());
    const LowerToAirOptions options{.lanes = lanes, .widest = true, .decode = GetParam().decode};
    Planner planner(*module.findFunction("main"), options);
    ASSERT_EQ(planner.plan(), absl::OkStatus());
    absl::StatusOr<ChosenLayout> chosen = chooseLayout(planner.wiring(), planner.tables());
    ASSERT_EQ(chosen.status(), absl::OkStatus());
    const std::map<std::string, TableShape> emitted = emittedShapes(module, options);
    for (const TableKind* kind : planner.tables()) {
      for (const Stack& stack : chosen->layout.stacks(*kind)) {
        ASSERT_TRUE(emitted.count(stack.name)) << stack.name;
        EXPECT_EQ(measureTable(*kind, planner.wiring(), chosen->layout, stack.items),
                  emitted.at(stack.name))
            << stack.name << ", " << lanes << " lanes";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Toys, MeasuredShapes,
                         ::testing::Values(test::ToyOptions{}, test::ToyOptions{.logits = true},
                                           test::ToyOptions{.embedded = false},
                                           test::ToyOptions{.causal = false},
                                           test::ToyOptions{.decode = true},
                                           test::ToyOptions{.decode = true, .block = 2}));

constexpr TableShape kShape{.fixed = 2, .main = 4, .folds = 1, .fractions = 1};  // 12 online

TEST(PackRows, OneTableWhereItIsFull) {
  EXPECT_THAT(packRows({16, 16}, kShape, 0), ElementsAre(ElementsAre(0, 1)));
}

TEST(PackRows, ASecondTableWhereItSavesMoreThanItsColumns) {
  // 64 + 32 rows instead of 128 save 32 rows of 12 cells; a table is 14 columns.
  EXPECT_THAT(packRows({64, 20}, kShape, 384 / 14), ElementsAre(ElementsAre(0), ElementsAre(1)));
  EXPECT_THAT(packRows({64, 20}, kShape, 384 / 14 + 1), ElementsAre(ElementsAre(0, 1)));
}

TEST(PackRows, ItemsStayWhole) {
  EXPECT_THAT(packRows({40, 40, 40}, kShape, 0), ElementsAre(ElementsAre(0, 1, 2)));
}

TEST(PackRows, TheTallestFirstWhereTheOrderOfTheProgramDoesNotSplit) {
  // In order, 8 + 20 of 32 leave 24 + 12, which take 64 again; 24 + 8 leave 32.
  EXPECT_THAT(packRows({8, 20, 24, 12}, kShape, 0),
              ElementsAre(ElementsAre(0, 2), ElementsAre(1, 3)));
}

}  // namespace
}  // namespace lindero::passes
