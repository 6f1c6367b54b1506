// What is left to a prover that adapts: nothing in the toys' circuits, and what is planted in
// changed ones is found, and turned into false traces that the checker accepts.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/check/checker.h"
#include "runtime/tamper/adaptive/attack.h"
#include "runtime/tamper/adaptive/rank.h"
#include "runtime/tamper/cell_campaign.h"
#include "tests/soundness/edited_run.h"
#include "tests/soundness/toy_run.h"

namespace lindero::test {
namespace {

using runtime::Checker;
using runtime::RankReport;
using ::testing::HasSubstr;

absl::StatusOr<RankReport> rank(const runtime::Package& package, const Statement& statement,
                                const std::vector<uint32_t>& main) {
  auto checker = Checker::create(package, statement, main);
  if (!checker.ok()) return checker.status();
  if (absl::Status s = (*checker)->fill(); !s.ok()) return s;
  runtime::ThreadPool pool(0);
  return runtime::rankChallengePhases(package, **checker, pool);
}

std::string text(const RankReport& report, const Circuit& circuit) {
  std::string result;
  for (const auto& f : report.findings) result += describe(f, circuit) + "\n";
  return result;
}

// A fault in the toy's circuit, and what finds it.
struct Fault {
  const char* name;
  std::function<void(Edit&)> plant;
  bool campaign, attack;
  std::string rank;
};

// A second gathered column, which the pole of the first one has to bind, too.
void shareThePole(Edit& edit) {
  const int at = edit.column("operands", "factor") + 1;
  Column* other = edit.insertColumn("operands", at);
  other->set_name("other");
  other->set_phase(2);
  other->mutable_gather()->set_index(edit.node(Node::CONSTANT, 0));
  Table* t = edit.circuit().mutable_tables(edit.table("operands"));
  *other->mutable_gather()->mutable_sources() = t->columns(at - 1).gather().sources();
  const uint32_t cell = edit.cell("operands", "other");
  const uint32_t end = edit.cell("operands", "left_end");
  Constraint* constraint = t->add_constraints();
  constraint->set_name("no other where none ends");
  constraint->set_node(edit.node(Node::SUB, cell, edit.node(Node::MUL, end, cell)));
  const int sum = edit.column("operands", "lookups.sum");
  Fraction* f = t->mutable_columns(sum)->mutable_fraction();
  const uint32_t before = f->numerator();
  f->set_numerator(edit.node(Node::SUB, before, edit.node(Node::MUL, end, cell)));
  for (Constraint& c : *t->mutable_constraints()) {
    if (c.name() != "lookups.sum") continue;
    const Node n = edit.circuit().nodes(static_cast<int>(c.node()));
    ASSERT_EQ(n.b(), before);
    c.set_node(edit.node(Node::SUB, n.a(), f->numerator()));
  }
}

std::vector<Fault> faults() {
  auto drop = [](const char* table, const char* constraint) {
    return [=](Edit& edit) { edit.dropConstraint(table, constraint); };
  };
  return {
      {"Unrepaired", drop("operands", "no factor where none ends"), true, true, "operands.factor"},
      {"Fold", drop("operands", "fold"), false, true, "operands.fold"},
      {"ArgmaxFold", drop("argmax", "fold"), false, true, "argmax.fold"},
      {"PartialFraction", drop("argmax", "lookups.0"), false, true, "argmax.lookups.0"},
      {"RunningSum", drop("argmax", "lookups.sum"), false, true, "argmax.lookups.sum"},
      {"CopiesUnderAnEarlyChallenge",
       [](Edit& edit) {
         for (Challenge& c : *edit.circuit().mutable_challenges()) {
           if (c.name() == "copy") c.set_phase(1);
         }
       },
       true, true, "operands.factor"},
      {"TwoCopiesAtOnePole", shareThePole, false, true, "operands.factor"},
  };
}

class FaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(FaultTest, IsFound) {
  const Fault& fault = GetParam();
  auto run = *ToyRun::create();
  auto edited = EditedPackage::create(run->path(), fault.plant);
  ASSERT_EQ(edited.status(), absl::OkStatus());
  const runtime::Package& package = (*edited)->package();
  const Circuit& circuit = package.circuit();
  auto report = rank(package, run->statement(), run->cells());
  ASSERT_EQ(report.status(), absl::OkStatus());
  std::cout << text(*report, circuit);
  EXPECT_FALSE(report->ok());
  EXPECT_THAT(text(*report, circuit), HasSubstr(fault.rank));
  runtime::CellCampaignOptions options;
  options.rows_per_column = 256;
  auto cells = runtime::tamperCells(package, run->statement(), run->cells(), options);
  if (cells.ok()) {
    bool solvable = false;
    for (const auto& s : cells->survivors) solvable |= s.solvable;
    EXPECT_EQ(solvable, fault.campaign) << cells->toString(circuit, true);
  } else {
    std::cout << cells.status() << "\n";
    EXPECT_EQ(cells.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_FALSE(fault.campaign);
  }
  auto attack =
      runtime::buildAttack(package, run->statement(), run->cells(), runtime::directionsOf(*report));
  ASSERT_EQ(attack.status(), absl::OkStatus());
  EXPECT_EQ(attack->has_value(), fault.attack);
  if (*attack) std::cout << describe(**attack, circuit) << " " << (*attack)->buses_balance << "\n";
}

INSTANTIATE_TEST_SUITE_P(Planted, FaultTest, ::testing::ValuesIn(faults()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lindero::test
