// What is left to a prover that adapts: nothing in the toys' circuits, and what is planted in
// changed ones is found, and turned into false traces that the checker accepts.
#include "runtime/tamper/adaptive/adaptive.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/check/checker.h"
#include "runtime/package/files.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"
#include "tests/soundness/edited_run.h"
#include "tests/soundness/general_program.h"
#include "tests/soundness/toy_run.h"

namespace lindero::test {
namespace {

using runtime::AdaptiveReport;
using runtime::Checker;
using runtime::RankReport;
using ::testing::HasSubstr;

// All that was found, a line each.
std::string findings(const AdaptiveReport& report, const Circuit& circuit) {
  std::string text;
  for (const auto* ranks : {&report.run, &report.any}) {
    for (const auto& f : ranks->findings) absl::StrAppend(&text, describe(f, circuit), "\n");
  }
  for (const runtime::Survivor& s : report.cells.survivors) {
    absl::StrAppend(&text, "survived: ", describeInfluence(s), "\n");
  }
  for (const runtime::Premise& p : report.premises) {
    for (const std::string& e : p.examples) absl::StrAppend(&text, p.name, ": ", e, "\n");
  }
  return text + report.campaign_error;
}

struct Variant {
  const char* name;
  ToyOptions options;
};

class AdaptiveTest : public ::testing::TestWithParam<Variant> {};

// There is no cell that nothing reads, either: no list of harmless ones.
TEST_P(AdaptiveTest, NothingIsLeft) {
  auto run = ToyRun::create(GetParam().options);
  ASSERT_EQ(run.status(), absl::OkStatus());
  runtime::AdaptiveOptions options;
  options.rows_per_column = 256;
  auto report =
      runtime::tamperAdaptively((*run)->package(), (*run)->statement(), (*run)->cells(), options);
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_EQ(report->alarms(), 0);
  EXPECT_EQ(findings(*report, (*run)->circuit()), "");
  for (const RankReport* ranks : {&report->run, &report->any}) {
    const auto& phases = ranks->phases;
    for (uint32_t p : {2u, 3u}) {
      EXPECT_GT(phases[p].cells, 0);
      EXPECT_GT(phases[p].claimed_sums, 0);
      EXPECT_GT(phases[p].derivatives, phases[p].cells);
    }
    // Copied factors, all of which are bound.
    EXPECT_GT(phases[2].parameters, 0);
    EXPECT_EQ(phases[2].bound, phases[2].parameters);
    EXPECT_EQ(phases[3].parameters, 0);
  }
  EXPECT_FALSE(report->attack_tried);
}

INSTANTIATE_TEST_SUITE_P(
    Variants, AdaptiveTest,
    ::testing::Values(Variant{"Argmax", {}}, Variant{"Logits", {.logits = true}},
                      Variant{"OneLane", {.lanes = 1}}, Variant{"Ties", {.lanes = 2, .ties = true}},
                      Variant{"GivenStream", {.embedded = false}},
                      Variant{"NotCausal", {.causal = false}}, Variant{"Gated", {.gated = true}},
                      Variant{"Copied", {.copied = true}}, Variant{"General", {.general = 0}},
                      Variant{"Padded", {.general = kPaddedProgram}},
                      Variant{"WideSums", {.lanes = 4, .general = kWideSumsProgram}},
                      Variant{"Wide", {.wide = true}}, Variant{"Decode", {.decode = true}},
                      Variant{"CarryFirst", {.decode = true, .block = 2}},
                      Variant{"CarryLater", {.decode = true, .block = 2, .at = 2}}),
    [](const auto& info) { return std::string(info.param.name); });

// A fault in the toy's circuit, and who finds it.
struct Fault {
  const char* name;
  std::function<void(Edit&)> plant;
  // What the campaign says, the rank analyses and the premises; empty: nothing.
  const char* campaign = "";
  const char* rank = "";
  const char* premise = "";  // among others
  bool attack = false;       // the checker accepts a false trace
  ToyOptions toy = {};
};

// Without the constraint of R4 that LINDERO-2026-1 lacked.
constexpr const char kNoFactor[] = "no factor where none ends";
constexpr const char kUndefined[] = "is filled from its generator, but no constraint says so";
constexpr const char kSolvable[] = "solvable: only sums under challenges";
constexpr const char kRefused[] = "changes are checked against an accepted trace";

std::function<void(Edit&)> drop(const char* table, const char* constraint) {
  return [=](Edit& edit) { edit.dropConstraint(table, constraint); };
}

// Rows of the operands that end a left factor.
std::vector<size_t> ends(Edit& edit) {
  std::vector<size_t> rows;
  absl::Span<uint32_t> column = edit.fixedColumn("operands", "left_end");
  for (size_t row = 0; row < column.size(); ++row) {
    if (column[row] == 1) rows.push_back(row);
  }
  return rows;
}

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
  f->set_numerator(edit.node(Node::SUB, f->numerator(), edit.node(Node::MUL, end, cell)));
  for (Constraint& c : *t->mutable_constraints()) {
    if (c.name() != "lookups.sum") continue;
    const Node definition = edit.circuit().nodes(static_cast<int>(c.node()));
    c.set_node(edit.node(Node::SUB, definition.a(), f->numerator()));
  }
}

// A fold whose first row goes on from the last one, and so on: no row begins it.
void closeTheFold(Edit& edit) {
  Table* t = edit.circuit().mutable_tables(edit.table("operands"));
  const Scan scan = t->columns(edit.column("operands", "fold")).scan();
  for (uint32_t& within : edit.fixedColumn("operands", "left_within")) within = 1;
  const uint32_t before = edit.cell("operands", "fold", -1);
  const uint32_t left =
      edit.node(Node::SUB, edit.cell("operands", "fold"), edit.node(Node::MUL, scan.mul(), before));
  for (Constraint& c : *t->mutable_constraints()) {
    if (c.name() == "fold") c.set_node(edit.node(Node::SUB, left, scan.add()));
  }
}

std::vector<Fault> phaseFaults() {
  return {
      {"Unrepaired", drop("operands", kNoFactor), kSolvable, "operands.factor, 88 rows", "", true},
      {"Fold", drop("operands", "fold"), kUndefined, "hole: phase 2, operands.fold", "", true},
      {"ArgmaxFold", drop("argmax", "fold"), kUndefined, "hole: phase 2, argmax.fold", "", true},
      {"PartialFraction", drop("argmax", "lookups.0"), kUndefined,
       "hole: phase 3, argmax.lookups.0", "", true},
      {"RunningSum", drop("argmax", "lookups.sum"), kUndefined,
       "claimed sum argmax.lookups.sum is the sum of nothing", "", true},
      {"FoldFromTheLastRow", closeTheFold, kRefused, "hole: phase 2, operands.fold", "", false},
      {"AnEarlyCopyChallenge",
       [](Edit& edit) {
         for (Challenge& c : *edit.circuit().mutable_challenges()) {
           if (c.name() == "copy") c.set_phase(1);
         }
       },
       kSolvable, "hole: phase 2, operands.factor, 168 rows", "", true},
      {"CopiesUnderTheChallengeOfProducts",
       [](Edit& edit) { edit.swapChallenge("operands", "lookups.sum", "copy", "product"); },
       kRefused, "hole: phase 2, operands.factor, 168 rows", "copies: given once", false},
      {"VocabularyRowsUnderAnEarlyChallenge",
       [](Edit& edit) {
         edit.swapChallenge("embeddings", "lookups.sum", "tuple_point_late", "tuple_point");
       },
       kRefused, "can be made zero after its challenges are drawn", "", false},
      {"TwoCopiesAtOnePole", shareThePole, "", "hole: phase 2, operands.factor, 168 rows",
       "copies: given once, taken once", true},
  };
}

// What a prover commits first is no function of anything: its uniqueness has premises.
std::vector<Fault> mainFaults() {
  return {
      {"ARowWithoutLeftEnd",
       [](Edit& edit) { edit.fixedColumn("operands", "left_end")[ends(edit)[0]] = 0; }, kRefused,
       "", "copies: given once, taken once"},
      {"TwoTakersOfOneCopy",
       [](Edit& edit) {
         absl::Span<uint32_t> copy = edit.fixedColumn("operands", "copy");
         copy[ends(edit)[0]] = copy[ends(edit)[1]];
       },
       kRefused, "hole: phase 2, operands.factor, 1 rows", "copies: given once, taken once"},
      {"AnElementTakenTwice",
       [](Edit& edit) {
         for (const char* name : {"in.address", "in.place", "in.corner"}) {
           absl::Span<uint32_t> column = edit.fixedColumn("operands", name);
           column[1] = column[0];
         }
       },
       kRefused, "", "elements of edges: given once, taken once"},
      {"AnElementThatNobodyGives",
       [](Edit& edit) {
         absl::Span<uint32_t> on = edit.fixedColumn("results", "out0.on");
         *std::find(on.begin(), on.end(), 1) = 0;
       },
       kRefused, "", "elements with one end: padding"},
      {"AProductWithoutResult",
       [](Edit& edit) {
         for (uint32_t& end : edit.fixedColumn("argmax", "end")) end = 0;
       },
       kRefused, "", "products: one result"},
      {"TwoRowsOfOneKey",
       [](Edit& edit) {
         absl::Span<uint32_t> u = edit.fixedColumn("normalizers", "root0.m");
         u[100] = u[101];
       },
       "", "", "lookup tables: one row for each key"},
      {"AGapInARange",
       [](Edit& edit) {
         absl::Span<uint32_t> id = edit.fixedColumn("functions", "function0.id");
         for (size_t row = 0; row < id.size(); ++row) {
           if (id[row] == 12) edit.fixedColumn("functions", "function0.u")[row] = 99999;
         }
       },
       kRefused, "", "ranges: without gaps"},
      {"AnIncreasingExponential",
       [](Edit& edit) { edit.fixedColumn("normalizers", "exponential0.p")[1000] += 70000; }, "", "",
       "exponentials: monotone"},
      {"ANotherPower", [](Edit& edit) { edit.fixedColumn("results", "power")[0] *= 2; }, kRefused,
       "", "powers: two to the tag"},
      {"AFoldLongerThanDeclared",
       [](Edit& edit) {
         Table* t = edit.circuit().mutable_tables(edit.table("weights"));
         Scan* scan = t->mutable_columns(edit.column("weights", "fold"))->mutable_scan();
         scan->set_rows(scan->rows() - 1);
       },
       "", "", "folds: no longer than declared"},
      {"ATagGivenTwice",
       [](Edit& edit) {
         absl::Span<uint32_t> tag = edit.fixedColumn("copied_rows_1", "tag.0");
         tag[0] = tag[1];
       },
       kRefused,
       "",
       "tagged buses: each tag is given once",
       false,
       {.copied = true}},
      {"ATagGivenMoreOftenThanLookedUp",
       [](Edit& edit) { edit.fixedColumn("copied_columns_4", "times.0")[0] += 1; },
       kRefused,
       "",
       "tagged buses: each tag is given once, as often as it is looked up",
       false,
       {.copied = true}},
      {"RowsThatNothingLooksUp",
       [](Edit& edit) {
         edit.fixedColumn("results", "on")[0] = 0;
         edit.fixedColumn("results", "product")[0] = 0;
       },
       kRefused, "", "main cells in use: something reads them"},
  };
}

class FaultTest : public ::testing::TestWithParam<Fault> {};

// Analysed without asking whether the honest trace is accepted: for some it is not.
absl::StatusOr<AdaptiveReport> examine(const runtime::Package& package, const ToyRun& run) {
  AdaptiveReport report;
  runtime::CellCampaignOptions options;
  options.rows_per_column = 256;
  options.first_phase = 2;
  auto cells = runtime::tamperCells(package, run.statement(), run.cells(), options);
  if (cells.ok()) report.cells = *std::move(cells);
  report.campaign_error = std::string(cells.status().message());
  runtime::ThreadPool pool(0);
  const std::vector<uint32_t> random = runtime::randomMain(package, 1);
  for (bool any : {false, true}) {
    LINDERO_ASSIGN_OR_RETURN(auto checker,
                             Checker::create(package, run.statement(), any ? random : run.cells()));
    LINDERO_RETURN_IF_ERROR(checker->fill());
    LINDERO_ASSIGN_OR_RETURN((any ? report.any : report.run),
                             runtime::rankChallengePhases(package, *checker, pool));
    if (!any) continue;
    LINDERO_ASSIGN_OR_RETURN(
        report.premises,
        runtime::checkPremises(package, runtime::Witness::of(*checker), nullptr, pool));
  }
  return report;
}

void expectText(const std::string& text, const char* expected, const char* who) {
  if (*expected == 0) {
    EXPECT_EQ(text, "") << who;
  } else {
    EXPECT_THAT(text, HasSubstr(expected)) << who;
  }
}

TEST_P(FaultTest, IsFound) {
  const Fault& fault = GetParam();
  auto run = ToyRun::create(fault.toy);
  ASSERT_EQ(run.status(), absl::OkStatus());
  auto edited = EditedPackage::create((*run)->path(), fault.plant);
  ASSERT_EQ(edited.status(), absl::OkStatus());
  const runtime::Package& package = (*edited)->package();
  auto report = examine(package, **run);
  ASSERT_EQ(report.status(), absl::OkStatus());
  const auto part = [&](auto keep) {
    AdaptiveReport one;
    keep(one);
    return findings(one, package.circuit());
  };
  expectText(part([&](AdaptiveReport& r) {
               r.cells = report->cells;
               r.campaign_error = report->campaign_error;
             }),
             fault.campaign, "campaign");
  expectText(part([&](AdaptiveReport& r) { r.run = report->run; }), fault.rank, "rank of the run");
  expectText(part([&](AdaptiveReport& r) { r.any = report->any; }), fault.rank,
             "rank of any witness");
  const std::string premises = part([&](AdaptiveReport& r) { r.premises = report->premises; });
  EXPECT_THAT(premises, HasSubstr(fault.premise));
  EXPECT_EQ(report->run.ok(), *fault.rank == 0);
  auto attack = runtime::buildAttack(package, (*run)->statement(), (*run)->cells(),
                                     runtime::directionsOf(report->run));
  if (std::string(fault.campaign) == kRefused) {  // there is no trace to start from
    EXPECT_EQ(attack.ok(), *fault.rank == 0 || runtime::directionsOf(report->run).empty());
    return;
  }
  ASSERT_EQ(attack.status(), absl::OkStatus());
  EXPECT_EQ(attack->has_value(), fault.attack);
  if (*attack) {
    std::cout << describe(**attack, package.circuit()) << "\n";
    EXPECT_FALSE((*attack)->cells.empty());
  }
}

const auto kFaultName = [](const auto& info) { return std::string(info.param.name); };
INSTANTIATE_TEST_SUITE_P(Phases, FaultTest, ::testing::ValuesIn(phaseFaults()), kFaultName);
INSTANTIATE_TEST_SUITE_P(Main, FaultTest, ::testing::ValuesIn(mainFaults()), kFaultName);

// Random cells alone show what random cells show beside a run.
TEST(AnyWitnessTest, NeedsNoRun) {
  auto run = ToyRun::create();
  ASSERT_EQ(run.status(), absl::OkStatus());
  auto report = runtime::examineAnyWitness((*run)->package());
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_EQ(findings(*report, (*run)->circuit()), "");
  EXPECT_EQ(report->any.phases[2].bound, report->any.phases[2].parameters);
  EXPECT_GT(report->any.phases[2].parameters, 0);
  for (const runtime::Premise& p : report->premises) {
    if (absl::EndsWith(p.name, ": zero")) continue;
    EXPECT_GT(p.examined, 0) << p.name;
  }

  auto copied = ToyRun::create({.copied = true});
  ASSERT_EQ(copied.status(), absl::OkStatus());
  report = runtime::examineAnyWitness((*copied)->package());
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_EQ(findings(*report, (*copied)->circuit()), "");
  EXPECT_TRUE(
      std::any_of(report->premises.begin(), report->premises.end(), [](const runtime::Premise& p) {
        return absl::StartsWith(p.name, "tagged buses") && p.examined > 0;
      }));

  auto edited = EditedPackage::create((*run)->path(), drop("operands", kNoFactor));
  ASSERT_EQ(edited.status(), absl::OkStatus());
  report = runtime::examineAnyWitness((*edited)->package());
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_THAT(findings(*report, (*edited)->package().circuit()),
              HasSubstr("operands.factor, 88 rows"));
  EXPECT_GT(report->alarms(), 0);
}

// That a group is exported does not say that anything takes what it leaves.
TEST(AnyWitnessTest, ASumThatNoLinkNamesIsZeroByItself) {
  auto run = ToyRun::create({.decode = true, .block = 2});
  ASSERT_EQ(run.status(), absl::OkStatus());
  auto report = runtime::examineAnyWitness((*run)->package());
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_EQ(findings(*report, (*run)->circuit()), "");
  auto alone = EditedPackage::create((*run)->path(), [](Edit&) {});
  ASSERT_EQ(alone.status(), absl::OkStatus());
  ASSERT_EQ(runtime::writeFile(absl::StrCat((*alone)->path(), "/", runtime::kBundleFile),
                               runtime::serializeProto(runtime::bundleOfOne())),
            absl::OkStatus());
  auto package = runtime::Package::open((*alone)->path());
  ASSERT_EQ(package.status(), absl::OkStatus());
  report = runtime::examineAnyWitness(*package);
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_THAT(findings(*report, package->circuit()), HasSubstr("elements with one end: padding: "));
  EXPECT_GT(report->alarms(), 0);
}

// A multiplier on the first row is none: the definition leaves that row out.
TEST(HarmlessFaultTest, AFoldsFirstMultiplier) {
  auto run = ToyRun::create();
  ASSERT_EQ(run.status(), absl::OkStatus());
  auto edited = EditedPackage::create(
      (*run)->path(), [](Edit& edit) { edit.fixedColumn("operands", "left_within")[0] = 1; });
  ASSERT_EQ(edited.status(), absl::OkStatus());
  auto report = examine((*edited)->package(), **run);
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_EQ(findings(*report, (*run)->circuit()), "");
}

// A copy that no row gives cannot be filled.
TEST(HarmlessFaultTest, ACopyWithoutAGiver) {
  auto run = ToyRun::create();
  ASSERT_EQ(run.status(), absl::OkStatus());
  auto edited = EditedPackage::create((*run)->path(), [](Edit& edit) {
    edit.fixedColumn("operands", "copy")[ends(edit)[0]] = 1 << 30;
  });
  ASSERT_EQ(edited.status(), absl::OkStatus());
  EXPECT_THAT(std::string(examine((*edited)->package(), **run).status().message()),
              HasSubstr("is in no source"));
}

}  // namespace
}  // namespace lindero::test
