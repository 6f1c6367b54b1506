// Regions give names and change nothing else: interpreter and circuit are the same with and
// without them.
#include "passes/region/form_regions/form_regions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "compiler/emit/emit.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "ir/integer/interpreter.h"
#include "passes/lower_air/lower_sums/lower_sums.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "tests/soundness/toy_gpt.h"

namespace lindero {
namespace {

using ir::integer::IntArray;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

std::unique_ptr<ir::Module> toy(bool regions) {
  ir::registerAllDialects();
  auto module = std::make_unique<ir::Module>();
  EXPECT_EQ(test::makeToyGpt(*module), absl::OkStatus());
  if (regions) {
    auto changed = passes::createFormRegions()->run(*module);
    EXPECT_EQ(changed.status(), absl::OkStatus());
    EXPECT_TRUE(*changed);
  }
  EXPECT_EQ(ir::verify(*module), absl::OkStatus());
  return module;
}

class Recorder : public ir::integer::Observer {
 public:
  void observe(const ir::Value&, const IntArray& array) override { seen.push_back(array); }
  std::vector<IntArray> seen;
};

TEST(RegionsTest, TheInterpreterSeesTheSameValues) {
  IntArray ids{{test::kToyTokens}, {}};
  for (int64_t i = 0; i < test::kToyTokens; ++i) {
    ids.values.push_back((i * 7 + 3) % test::kToyVocabulary);
  }
  std::vector<IntArray> outputs[2];
  Recorder recorders[2];
  for (int regions : {0, 1}) {
    auto module = toy(regions);
    auto result = ir::integer::interpret(*module->findFunction("main"), {ids}, &recorders[regions]);
    ASSERT_EQ(result.status(), absl::OkStatus());
    outputs[regions] = *std::move(result);
  }
  EXPECT_EQ(outputs[0], outputs[1]);
  EXPECT_GT(recorders[0].seen.size(), 20u);
  EXPECT_EQ(recorders[0].seen, recorders[1].seen);
}

TEST(RegionsTest, TheInterpreterNamesTheRegionOfAnError) {
  auto module = toy(true);
  IntArray ids{{test::kToyTokens}, std::vector<int64_t>(test::kToyTokens, test::kToyVocabulary)};
  auto result = ir::integer::interpret(*module->findFunction("main"), {ids});
  EXPECT_THAT(std::string(result.status().message()),
              HasSubstr("integer.embedding (/wte/Gather) in embedding: id"));
}

struct Lowered {
  std::string circuit, program;            // serialized, without names of regions
  std::set<std::string> instances, steps;  // those names
  std::map<std::pair<uint32_t, uint32_t>, std::vector<uint32_t>> fixed;
};

void lower(ir::Module& module, Lowered& out) {
  ASSERT_EQ(passes::createLowerToAir()->run(module).status(), absl::OkStatus());
  ASSERT_EQ(passes::createLowerSums()->run(module).status(), absl::OkStatus());
  ASSERT_EQ(ir::verify(module), absl::OkStatus());
  auto circuit = compiler::makeCircuit(module);
  ASSERT_EQ(circuit.status(), absl::OkStatus());
  auto program = compiler::makeProgram(module, *circuit);
  ASSERT_EQ(program.status(), absl::OkStatus());
  auto cells = [&](uint32_t table, uint32_t column) {
    auto& column_cells = out.fixed[{table, column}];
    column_cells.assign(size_t{1} << circuit->tables(table).log_height(), 0);
    return column_cells.data();
  };
  ASSERT_EQ(compiler::fillFixed(module, *circuit, cells), absl::OkStatus());
  for (Table& table : *circuit->mutable_tables()) {
    for (Instance& instance : *table.mutable_instances()) {
      out.instances.insert(instance.region());
      instance.clear_region();
    }
  }
  for (Step& step : *program->mutable_steps()) {
    out.steps.insert(step.region());
    step.clear_region();
  }
  out.circuit = circuit->SerializeAsString();
  out.program = program->SerializeAsString();
}

TEST(RegionsTest, TheCircuitIsTheSame) {
  Lowered without, with;
  auto plain = toy(false), sorted = toy(true);
  lower(*plain, without);
  lower(*sorted, with);
  EXPECT_TRUE(without.circuit == with.circuit);
  EXPECT_TRUE(without.program == with.program);
  EXPECT_FALSE(with.fixed.empty());
  EXPECT_TRUE(without.fixed == with.fixed);

  EXPECT_EQ(without.instances, std::set<std::string>{""});
  for (const auto* names : {&with.instances, &with.steps}) {
    EXPECT_THAT(*names, IsSupersetOf({"embedding", "layer0/normalization", "layer0/linear",
                                      "layer0/attention/views", "layer0/attention/normalize",
                                      "layer0/attention/mix", "layer0/lookup", "decode"}));
  }
  EXPECT_FALSE(with.instances.contains(""));
}

}  // namespace
}  // namespace lindero
