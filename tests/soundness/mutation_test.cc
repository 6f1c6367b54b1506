// Every cell of the toy's main columns is pinned, or it is padding without influence; every rule of
// its circuit is necessary, or known to be implied; and a circuit that lacks a constraint is found
// out.
#include <map>
#include <random>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/check/checker.h"
#include "runtime/check/influence.h"
#include "runtime/tamper/cell_campaign.h"
#include "runtime/tamper/cheats.h"
#include "runtime/tamper/families.h"
#include "runtime/tamper/program_run.h"
#include "runtime/tamper/statement_campaign.h"
#include "runtime/tamper/step_campaign.h"
#include "tests/soundness/general_program.h"
#include "tests/soundness/toy_run.h"

namespace lindero::test {
namespace {

using runtime::CellCampaignReport;

struct Variant {
  const char* name;
  ToyOptions options;
};

class MutationTest : public ::testing::TestWithParam<Variant> {};

TEST_P(MutationTest, EveryCellIsPinnedOrPadding) {
  auto run = ToyRun::create(GetParam().options);
  ASSERT_EQ(run.status(), absl::OkStatus());
  // Lookup tables are the same in all variants: of theirs, a sample is enough but once.
  runtime::CellCampaignOptions options;
  if (std::string(GetParam().name) != "Argmax") options.rows_per_column = 512;
  auto report =
      runtime::tamperCells((*run)->package(), (*run)->statement(), (*run)->cells(), options);
  ASSERT_EQ(report.status(), absl::OkStatus());
  std::string text = report->toString((*run)->circuit());
  std::cout << text;
  EXPECT_EQ(report->total().survived, 0) << text;
  for (const runtime::ColumnTally& column : report->columns) {
    // A table without rows in use would make a vacuous test.
    EXPECT_GT(column.caught, 0) << (*run)->circuit().tables(column.table).name();
  }
}

TEST_P(MutationTest, OneErrorAndItsConsequencesAreCaught) {
  auto run = ToyRun::create(GetParam().options);
  ASSERT_EQ(run.status(), absl::OkStatus());
  runtime::StepCampaignOptions options;
  options.trials = 1000;
  options.before = (*run)->linked();
  auto report = runtime::tamperSteps((*run)->package(), (*run)->inputs(), options);
  ASSERT_EQ(report.status(), absl::OkStatus());
  std::string text = report->toString((*run)->package().program());
  std::cout << text;
  EXPECT_EQ(report->total().survived, 0) << text;
  EXPECT_GT(report->total().caught, 500) << text;
}

// What starts in the middle of the program ends as what starts at its beginning.
TEST_P(MutationTest, RerunsAreRuns) {
  auto run = ToyRun::create(GetParam().options);
  ASSERT_EQ(run.status(), absl::OkStatus());
  const runtime::Package& package = (*run)->package();
  auto program = runtime::ProgramRun::create(package, (*run)->inputs(), (*run)->linked());
  ASSERT_EQ(program.status(), absl::OkStatus());
  EXPECT_EQ((*program)->cells(), (*run)->cells());
  std::mt19937 random(5);
  int different = 0;
  for (int trial = 0; trial < 80; ++trial) {
    const int step = static_cast<int>(random() % package.program().steps_size());
    const std::vector<uint32_t> writes = runtime::buffersOf(package.program().steps(step)).writes;
    const uint64_t element = random();
    auto revise = [&](const Step& at, runtime::Buffers& buffers) {
      if (&at != &package.program().steps(step) || writes.empty()) return;
      absl::Span<int32_t> values = buffers.at(writes[element % writes.size()]);
      values[element % values.size()] += 1;
    };
    std::vector<uint32_t> whole;
    runtime::TraceOptions options;
    options.revise = revise;
    auto statement = (*run)->trace(whole, options);
    absl::Status rerun = (*program)->rerun(step, revise);
    ASSERT_EQ(rerun.code(), statement.status().code()) << rerun;
    if (!rerun.ok()) continue;
    EXPECT_EQ((*program)->revisedStatement().SerializeAsString(), statement->SerializeAsString());
    std::vector<uint32_t> cells = (*run)->cells();
    for (const runtime::CellChange& c : (*program)->changes()) {
      cells[package.traceLayout().offset(c.table, c.column) + c.row] = c.value;
      ++different;
    }
    runtime::ThreadPool pool(1);
    ASSERT_EQ(runtime::fillMultiplicities(package, absl::MakeSpan(cells), pool, true),
              absl::OkStatus());
    EXPECT_EQ(cells, whole) << "step " << step;
  }
  EXPECT_GT(different, 400);
}

// All padding at once, with anything.
TEST_P(MutationTest, PaddingIsFree) {
  auto run = ToyRun::create(GetParam().options);
  ASSERT_EQ(run.status(), absl::OkStatus());
  const runtime::Package& package = (*run)->package();
  std::vector<uint32_t> cells = (*run)->cells();
  auto index = runtime::ReadIndex::create(package, cells);
  ASSERT_EQ(index.status(), absl::OkStatus());
  runtime::Influence influence(package, *index);
  std::mt19937 random(3);
  int filled = 0;
  for (int t = 0; t < (*run)->circuit().tables_size(); ++t) {
    const Table& table = (*run)->circuit().tables(t);
    if (table.instances_size() == 0) continue;
    for (int c = 0; c < table.columns_size(); ++c) {
      if (table.columns(c).phase() != 1) continue;
      for (uint64_t row = 0; row < runtime::tableHeight(table); ++row) {
        if (runtime::findInstance(table, row) != nullptr) continue;
        runtime::Cell cell{static_cast<uint32_t>(t), static_cast<uint32_t>(c), row};
        if (!influence.of(cell).empty()) continue;
        cells[package.traceLayout().offset(t, c) + row] = random() % runtime::kModulus;
        ++filled;
      }
    }
  }
  EXPECT_GT(filled, 100);
  auto checker = runtime::Checker::create(package, (*run)->statement(), cells);
  ASSERT_EQ(checker.status(), absl::OkStatus());
  auto report = (*checker)->check();
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_TRUE(report->ok()) << report->toString();
}

INSTANTIATE_TEST_SUITE_P(
    Variants, MutationTest,
    ::testing::Values(Variant{"Argmax", {}}, Variant{"Logits", {.logits = true}},
                      // Rows of several blocks, everywhere.
                      Variant{"WideTables", {.lanes = 16}}, Variant{"NarrowTables", {.lanes = 2}},
                      Variant{"NarrowLogits", {.logits = true, .lanes = 1}},
                      Variant{"GivenStream", {.embedded = false, .causal = false}},
                      Variant{"Gated", {.gated = true}}, Variant{"Copied", {.copied = true}},
                      Variant{"General", {.general = 0}},
                      Variant{"Padded", {.general = kPaddedProgram}},
                      Variant{"WideSums", {.lanes = 4, .general = kWideSumsProgram}},
                      Variant{"Wide", {.wide = true}},
                      // The second block: one earlier block is open, two are closed.
                      Variant{"Carry", {.lanes = 2, .decode = true, .block = 2, .at = 1}}),
    [](const auto& info) { return info.param.name; });

struct Hole {
  const char* table;
  const char* constraint;  // that is deleted
  const char* column;      // whose cells are free then
};

class HoleTest : public ::testing::TestWithParam<Hole> {};

std::function<void(Circuit&)> without(const std::string& table_name, const std::string& name) {
  return [=](Circuit& circuit) {
    for (Table& table : *circuit.mutable_tables()) {
      if (table.name() != table_name) continue;
      for (int i = 0; i < table.constraints_size(); ++i) {
        if (table.constraints(i).name() != name) continue;
        table.mutable_constraints()->DeleteSubrange(i, 1);
        return;
      }
    }
    FAIL() << "no such constraint";
  };
}

bool accepts(const ToyRun& run, std::vector<uint32_t> cells,
             absl::Span<const runtime::CellChange> changes) {
  for (const runtime::CellChange& c : changes) {
    cells[run.package().traceLayout().offset(c.table, c.column) + c.row] = c.value;
  }
  auto checker = runtime::Checker::create(run.package(), run.statement(), cells);
  if (!checker.ok()) return false;
  auto report = (*checker)->check();
  return report.ok() && report->ok();
}

// What shows that a constraint is necessary, said to the complete checker of a circuit without it.
TEST(NecessityTest, HoldsOfCircuitsWithoutTheConstraint) {
  auto run = ToyRun::create();
  ASSERT_EQ(run.status(), absl::OkStatus());
  auto recheck = runtime::Recheck::create((*run)->package(), (*run)->statement(), (*run)->cells());
  ASSERT_EQ(recheck.status(), absl::OkStatus());
  runtime::Necessity necessity((*run)->package(), (*recheck)->index());
  runtime::CellCampaignOptions options;
  options.rows_per_column = 64;
  options.necessity = &necessity;
  ASSERT_EQ(runtime::tamperCells((*run)->package(), (*run)->statement(), (*run)->cells(), options)
                .status(),
            absl::OkStatus());
  int tried = 0;
  for (const runtime::Requirement& r : necessity.requirements()) {
    if (r.kind != runtime::Requirement::Kind::kConstraint || r.witness.empty()) continue;
    const Table& table = (*run)->circuit().tables(static_cast<int>(r.table));
    const std::string& name = table.constraints(static_cast<int>(r.index)).name();
    // One lane is as good as the others.
    if (name.find(".1") != std::string::npos) continue;
    // Shown by a generated cell, which is none of the trace: forger_test.py proves such circuits.
    if (absl::StrContains(r.witness, "makes up for it")) continue;
    SCOPED_TRACE(runtime::describe(r, (*run)->circuit()));
    auto hole = ToyRun::create({}, without(table.name(), name));
    ASSERT_EQ(hole.status(), absl::OkStatus());
    EXPECT_EQ((*hole)->cells(), (*run)->cells());
    const auto balanced = (*recheck)->withMultiplicities(r.changes);
    EXPECT_FALSE(accepts(**run, (*run)->cells(), r.changes));
    EXPECT_FALSE(accepts(**run, (*run)->cells(), balanced));
    EXPECT_TRUE(accepts(**hole, (*run)->cells(), r.changes) ||
                accepts(**hole, (*run)->cells(), balanced))
        << r.witness;
    ++tried;
  }
  EXPECT_GT(tried, 10);
}

// Over toys that have all rules: no rule is open, none is called implied that is shown, and the
// names in the lists of cheats and of what is implied are those of rules.
TEST(NecessityTest, EveryRuleIsShownOrImplied) {
  struct Known {
    bool shown = false, open = true;
  };
  std::map<std::string, Known> rules;
  for (const ToyOptions& toy :
       {ToyOptions{}, ToyOptions{.lanes = 2, .ties = true}, ToyOptions{.logits = true},
        ToyOptions{.gated = true}, ToyOptions{.copied = true}, ToyOptions{.lanes = 2, .general = 0},
        ToyOptions{.wide = true}, ToyOptions{.wide = true, .lanes = 2},
        ToyOptions{.general = kLongRowsProgram},
        ToyOptions{.lanes = 1, .general = kWideSumsProgram}}) {
    auto run = ToyRun::create(toy);
    ASSERT_EQ(run.status(), absl::OkStatus());
    const runtime::Package& package = (*run)->package();
    auto index = runtime::ReadIndex::create(package, (*run)->cells());
    ASSERT_EQ(index.status(), absl::OkStatus());
    runtime::Necessity necessity(package, *index);
    runtime::CellCampaignOptions cells;
    cells.rows_per_column = 64;
    cells.necessity = &necessity;
    ASSERT_EQ(runtime::tamperCells(package, (*run)->statement(), (*run)->cells(), cells).status(),
              absl::OkStatus());
    ASSERT_EQ(runtime::tamperStatement(package, (*run)->statement(), (*run)->cells(), &necessity)
                  .status(),
              absl::OkStatus());
    runtime::StepCampaignOptions steps;
    steps.trials = 0;  // but those that aim
    steps.necessity = &necessity;
    ASSERT_EQ(runtime::tamperSteps(package, (*run)->inputs(), steps).status(), absl::OkStatus());
    for (const runtime::Family& family : familiesOf(necessity, (*run)->circuit())) {
      Known& rule = rules[family.name];
      rule.shown |= family.shown > 0;
      rule.open &= family.open();
    }
  }
  for (const auto& [name, rule] : rules) EXPECT_FALSE(rule.open) << name;
  for (const runtime::ImpliedFamily& implied : runtime::impliedFamilies()) {
    ASSERT_EQ(rules.count(implied.name), 1) << implied.name;
    EXPECT_FALSE(rules[implied.name].shown) << implied.name;
  }
  for (const runtime::Cheat& cheat : runtime::cheats()) {
    for (const char* aim : cheat.aims) {
      if (aim == nullptr) continue;
      EXPECT_EQ(rules.count(aim), 1) << aim;
    }
  }
}

TEST_P(HoleTest, IsFound) {
  const Hole& hole = GetParam();
  auto run = ToyRun::create({}, without(hole.table, hole.constraint));
  ASSERT_EQ(run.status(), absl::OkStatus());
  // Of the large tables a sample is enough.
  runtime::CellCampaignOptions options;
  options.rows_per_column = 256;
  auto report =
      runtime::tamperCells((*run)->package(), (*run)->statement(), (*run)->cells(), options);
  ASSERT_EQ(report.status(), absl::OkStatus());
  bool found = false;
  for (const runtime::Survivor& s : report->survivors) {
    const Table& table = (*run)->circuit().tables(static_cast<int>(s.table));
    found |= table.name() == hole.table &&
             table.columns(static_cast<int>(s.column)).name() == hole.column;
  }
  EXPECT_TRUE(found) << report->toString((*run)->circuit(), true);
}

INSTANTIATE_TEST_SUITE_P(Constraints, HoleTest,
                         ::testing::Values(Hole{"norms", "normalize.1", "r.1"},
                                           Hole{"norms", "sum of squares", "sum_v"},
                                           Hole{"norm_statistics", "variance", "remainder"},
                                           Hole{"softmax", "masked remainder.2", "r.2"},
                                           Hole{"argmax", "index of the chosen", "chosen"}),
                         [](const auto& info) {
                           return std::string(info.param.table) + std::to_string(info.index);
                         });

// A fold that no constraint defines, and a sum of terms: no reader takes such a circuit.
TEST(GeneratedColumnTest, NeedsItsDefinition) {
  for (auto [table, column] : {std::pair("argmax", "fold"), {"norms", "tensors.sum"}}) {
    auto run = ToyRun::create({}, without(table, column));
    EXPECT_EQ(run.status().code(), absl::StatusCode::kInvalidArgument) << run.status();
    EXPECT_THAT(std::string(run.status().message()),
                ::testing::AllOf(::testing::HasSubstr(table), ::testing::HasSubstr(column),
                                 ::testing::HasSubstr("R0: ")));
  }
}

}  // namespace
}  // namespace lindero::test
