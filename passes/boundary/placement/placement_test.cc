// Cuts of any kind leave the integers as they are; what may not be cut is refused; predictions are
// the circuits that are built.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "ir/core/text.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "ir/integer/interpreter.h"
#include "passes/boundary/apply_proof_boundaries/apply_proof_boundaries.h"
#include "passes/boundary/placement/outline.h"
#include "passes/boundary/placement/policy.h"
#include "passes/boundary/select_segment/select_segment.h"
#include "passes/lower_air/lower_sums/lower_sums.h"
#include "passes/region/form_regions/form_regions.h"
#include "tests/soundness/general_program.h"
#include "tests/soundness/toy_gpt.h"

namespace lindero::passes {
namespace {

using ir::integer::IntArray;
using ::testing::HasSubstr;

std::unique_ptr<ir::Module> toy(const test::ToyOptions& options = {}, bool regions = true) {
  ir::registerAllDialects();
  EXPECT_EQ(registerBuiltInPolicies(), absl::OkStatus());
  auto module = std::make_unique<ir::Module>();
  EXPECT_EQ(options.general ? test::makeGeneralProgram(*module, *options.general)
                            : test::makeToyGpt(*module, options),
            absl::OkStatus());
  if (regions) {
    EXPECT_EQ(createFormRegions()->run(*module).status(), absl::OkStatus());
  }
  return module;
}

// With the bytes of the module's constants.
std::unique_ptr<ir::Module> copyOf(const ir::Module& module) {
  ir::ParseOptions options;
  options.load = [&](const ir::Constant& declared) -> absl::StatusOr<ir::Constant> {
    return *module.constants().find(declared.name);
  };
  auto copy = ir::parse(ir::toText(module), options);
  EXPECT_EQ(copy.status(), absl::OkStatus());
  return *std::move(copy);
}

ir::Function& mainOf(ir::Module& module) { return *module.findFunction("main"); }

std::vector<IntArray> inputsOf(const ir::Function& function, std::mt19937& random) {
  std::vector<IntArray> inputs;
  for (const auto& argument : function.body().arguments()) {
    const ir::Type& type = argument->type();
    const bool ids = type.element == ir::Element::kInt;
    std::uniform_int_distribution<int64_t> any(ids ? 0 : type.low,
                                               ids ? test::kToyVocabulary - 1 : type.high);
    IntArray input{{type.shape.begin(), type.shape.end()}, {}};
    for (int64_t i = 0; i < type.elements(); ++i) input.values.push_back(any(random));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

// Segments of a random number, none without an atom, and none that is read before it is made.
Assignment randomAssignment(const PlacementGraph& graph, std::mt19937& random) {
  const size_t atoms = graph.atoms().size();
  Assignment assignment{std::vector<int64_t>(atoms, 0)};
  const int64_t most = std::uniform_int_distribution<int64_t>(1, atoms)(random);
  for (size_t atom = 0; atom < atoms; ++atom) {
    int64_t least = 0;
    for (const Crossing& crossing : graph.crossings()) {
      const bool reads = std::find(crossing.readers.begin(), crossing.readers.end(), atom) !=
                         crossing.readers.end();
      if (reads) least = std::max(least, assignment.segments[crossing.maker]);
    }
    assignment.segments[atom] = std::uniform_int_distribution<int64_t>(least, most - 1)(random);
  }
  std::vector<int64_t> used = assignment.segments;
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (int64_t& s : assignment.segments) {
    s = std::lower_bound(used.begin(), used.end(), s) - used.begin();
  }
  return assignment;
}

void apply(ir::Module& module, const Assignment& assignment) {
  auto graph = PlacementGraph::of(mainOf(module));
  ASSERT_EQ(graph.status(), absl::OkStatus());
  writeAssignment(*graph, assignment, mainOf(module));
  ASSERT_EQ(ir::verify(module), absl::OkStatus());
  ASSERT_EQ(*readAssignment(*graph), assignment);
  ASSERT_EQ(createApplyProofBoundaries()->run(module).status(), absl::OkStatus());
  ASSERT_EQ(ir::verify(module), absl::OkStatus()) << ir::toText(module);
}

// Text is all there is to a module, but for the bytes of constants.
void expectRoundTrip(const ir::Module& module) {
  const std::string text = ir::toText(module);
  auto again = ir::parse(text);
  ASSERT_EQ(again.status(), absl::OkStatus());
  EXPECT_EQ(ir::toText(**again), text);
}

struct Program {
  std::string name;
  test::ToyOptions options;
};

class Cuts : public ::testing::TestWithParam<Program> {};

TEST_P(Cuts, LeaveTheIntegersAsTheyAre) {
  std::mt19937 random(7);
  for (bool regions : {false, true}) {
    auto whole = toy(GetParam().options, regions);
    ASSERT_EQ(ir::verify(*whole), absl::OkStatus());
    const std::vector<IntArray> inputs = inputsOf(mainOf(*whole), random);
    auto expected = ir::integer::interpret(mainOf(*whole), inputs);
    ASSERT_EQ(expected.status(), absl::OkStatus());
    auto graph = PlacementGraph::of(mainOf(*whole));
    ASSERT_EQ(graph.status(), absl::OkStatus());
    std::vector<size_t> everywhere;
    for (size_t i = 1; i < graph->atoms().size(); ++i) everywhere.push_back(i);
    std::vector<Assignment> all{assignmentOfCuts(graph->atoms().size(), {}),
                                assignmentOfCuts(graph->atoms().size(), everywhere)};
    for (int i = 0; i < 3; ++i) all.push_back(randomAssignment(*graph, random));
    for (const Assignment& assignment : all) {
      auto module = copyOf(*whole);
      apply(*module, assignment);
      ASSERT_FALSE(HasFatalFailure());
      EXPECT_EQ(module->functions().size(), assignment.count() < 2 ? 1u : 1u + assignment.count());
      auto found = ir::integer::interpret(mainOf(*module), inputs);
      ASSERT_EQ(found.status(), absl::OkStatus());
      EXPECT_EQ(*found, *expected);
      expectRoundTrip(*module);
    }
  }
}

std::vector<Program> programs() {
  std::vector<Program> all{{"Gpt", {}},
                           {"Logits", {.logits = true}},
                           {"Stream", {.embedded = false}},
                           {"Bidirectional", {.causal = false}},
                           {"Gated", {.gated = true}},
                           {"Copied", {.copied = true}},
                           {"Wide", {.wide = true}}};
  for (uint32_t seed = 0; seed < 16; ++seed) {
    all.push_back({absl::StrCat("General", seed), {.general = seed}});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Programs, Cuts, ::testing::ValuesIn(programs()),
                         [](const auto& info) { return info.param.name; });

// The circuit of a segment, as it is built.
std::vector<TableSize> emitted(ir::Module& module) {
  std::vector<TableSize> sizes;
  EXPECT_EQ(createLowerToAir()->run(module).status(), absl::OkStatus());
  EXPECT_EQ(createLowerSums()->run(module).status(), absl::OkStatus());
  for (const ir::Op& table : module.findFunction("circuit")->body().ops()) {
    if (!table.is("air.table")) continue;
    TableSize size{table.stringAttr("name"), int64_t{1} << table.intAttr("log_height"), {}};
    for (const ir::Op& op : table.block()->ops()) {
      if (op.is("air.column")) ++(op.intAttr("phase") == 0 ? size.shape.fixed : size.shape.main);
      size.shape.folds += op.is("air.scan") || op.is("air.gather");
      size.shape.fractions += op.is("air.fraction");
    }
    sizes.push_back(size);
  }
  return sizes;
}

TEST(CostModel, PredictsTheTablesThatAreBuilt) {
  for (const Program& program :
       {Program{"Gpt", {}}, Program{"Wide", {.wide = true}}, Program{"General", {.general = 3}}}) {
    auto module = toy(program.options);
    auto graph = PlacementGraph::of(mainOf(*module));
    const CostModel costs(*graph);
    const Assignment assignment = *(*makePlacementPolicy("per-region"))(*graph, costs);
    auto cost = costs.cost(assignment);
    ASSERT_EQ(cost.status(), absl::OkStatus()) << program.name;
    for (int64_t s = 0; s < assignment.count(); ++s) {
      auto applied = copyOf(*module);
      apply(*applied, assignment);
      ASSERT_EQ(createSelectSegment(absl::StrCat("segment", s))->run(*applied).status(),
                absl::OkStatus());
      std::vector<TableSize> built = emitted(*applied);
      std::vector<TableSize> predicted = cost->segments[s].tables;
      auto byName = [](const TableSize& a, const TableSize& b) { return a.name < b.name; };
      std::sort(built.begin(), built.end(), byName);
      std::sort(predicted.begin(), predicted.end(), byName);
      ASSERT_EQ(built.size(), predicted.size()) << program.name << ", segment " << s;
      for (size_t i = 0; i < built.size(); ++i) {
        EXPECT_EQ(built[i].name, predicted[i].name);
        EXPECT_EQ(built[i].height, predicted[i].height) << built[i].name;
        EXPECT_TRUE(predicted[i].shape == built[i].shape)
            << program.name << ", segment " << s << ", " << built[i].name;
      }
    }
  }
}

// All ways to cut the chain.
TEST(BudgetMemory, FindsTheFewestSegmentsOfAllCuts) {
  auto module = toy({.layers = 1});
  auto graph = PlacementGraph::of(mainOf(*module));
  const CostModel costs(*graph);
  const size_t atoms = graph->atoms().size();
  ASSERT_LE(atoms, 12u);
  struct Placed {
    int64_t segments;
    double memory;
  };
  std::vector<Placed> all;
  double largest = 0, smallest = 1e18;
  for (size_t set = 0; set < size_t{1} << (atoms - 1); ++set) {
    std::vector<size_t> cuts;
    for (size_t i = 1; i < atoms; ++i) {
      if (set >> (i - 1) & 1) cuts.push_back(i);
    }
    auto cost = costs.cost(assignmentOfCuts(atoms, cuts));
    ASSERT_EQ(cost.status(), absl::OkStatus());
    all.push_back({static_cast<int64_t>(cuts.size()) + 1, cost->proof.memory_bytes});
    largest = std::max(largest, all.back().memory);
    smallest = std::min(smallest, all.back().memory);
  }
  for (int i = 0; i <= 8; ++i) {
    const double budget = smallest + (largest - smallest) * i / 8;
    int64_t fewest = INT64_MAX;
    for (const Placed& placed : all) {
      if (placed.memory <= budget) fewest = std::min(fewest, placed.segments);
    }
    auto found = placeByMemory(*graph, costs, budget);
    ASSERT_EQ(found.status(), absl::OkStatus()) << budget;
    EXPECT_EQ(found->count(), fewest) << budget;
    EXPECT_LE(costs.cost(*found)->proof.memory_bytes, budget);
  }
  auto none = placeByMemory(*graph, costs, smallest / 2);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("no segment is within"));
}

TEST(Placement, EachAtomStandsAfterWhatItReads) {
  for (const Program& program : programs()) {
    auto module = toy(program.options);
    auto graph = PlacementGraph::of(mainOf(*module));
    ASSERT_EQ(graph.status(), absl::OkStatus());
    for (const Crossing& crossing : graph->crossings()) {
      EXPECT_LT(crossing.maker, crossing.readers.front()) << program.name;
    }
  }
}

TEST(Placement, SizesAreReadWithTheirUnits) {
  EXPECT_EQ(*parseBytes("3GiB"), int64_t{3} << 30);
  EXPECT_EQ(*parseBytes("512MiB"), int64_t{512} << 20);
  EXPECT_EQ(*parseBytes("17"), 17);
  for (const char* wrong : {"", "GiB", "0", "-1", "3GB", "9999999999TiB", "1.5GiB"}) {
    EXPECT_FALSE(parseBytes(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace lindero::passes
