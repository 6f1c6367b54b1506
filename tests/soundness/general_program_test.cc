// Programs of the integer dialect on tensors of any rank: what the interpreter computes is what the
// trace holds, the checker accepts it, and the prover proves it.
#include "tests/soundness/general_program.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "ir/core/verifier.h"
#include "ir/dialects.h"
#include "ir/integer/interpreter.h"
#include "runtime/check/checker.h"
#include "runtime/package/statement.h"
#include "tests/soundness/backend.h"
#include "tests/soundness/toy_run.h"

namespace lindero::test {
namespace {

using ir::integer::IntArray;

// More of them: LINDERO_PROGRAMS in the environment.
uint32_t programs() {
  const char* given = std::getenv("LINDERO_PROGRAMS");
  return given ? static_cast<uint32_t>(std::atoi(given)) : 100;
}

constexpr int64_t kLanes[] = {1, 2, 4, 8};

ToyOptions optionsOf(uint32_t seed) { return {.lanes = kLanes[seed % 4], .general = seed}; }

std::vector<int64_t> valuesOf(const Statement& statement, llvm::StringRef name, size_t size) {
  const PublicValues* values = runtime::findValues(statement, name.str());
  // An input that nothing reads is none of the circuit's.
  if (values == nullptr) return std::vector<int64_t>(size);
  return {values->values().begin(), values->values().end()};
}

// What the interpreter says of the statement's inputs is what the statement says.
void expectInterpreted(ir::Module& module, const Statement& statement) {
  const ir::Function& main = *module.findFunction("main");
  std::vector<IntArray> inputs;
  for (const auto& argument : main.body().arguments()) {
    const auto& shape = argument->type().shape;
    inputs.push_back({{shape.begin(), shape.end()},
                      valuesOf(statement, argument->name(), argument->type().elements())});
  }
  auto outputs = ir::integer::interpret(main, inputs);
  ASSERT_EQ(outputs.status(), absl::OkStatus());
  const auto* names =
      std::get_if<std::vector<std::string>>(main.body().terminator()->find("names"));
  for (const auto& [name, output] : llvm::zip(*names, *outputs))
    EXPECT_EQ(valuesOf(statement, name, 0), output.values) << name;
}

void expectInterpreted(uint32_t seed, const Statement& statement) {
  ir::Module module;
  ASSERT_EQ(makeGeneralProgram(module, seed), absl::OkStatus());
  expectInterpreted(module, statement);
}

void expectAccepted(const ToyRun& run) {
  auto checker = runtime::Checker::create(run.package(), run.statement(), run.cells());
  ASSERT_EQ(checker.status(), absl::OkStatus());
  auto report = (*checker)->check();
  ASSERT_EQ(report.status(), absl::OkStatus());
  EXPECT_TRUE(report->ok()) << report->toString();
}

TEST(GeneralPrograms, TraceIsWhatTheInterpreterSays) {
  for (uint32_t seed = 0; seed < programs(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    auto run = ToyRun::create(optionsOf(seed));
    EXPECT_EQ(run.status(), absl::OkStatus());
    if (!run.ok()) continue;
    expectInterpreted(seed, (*run)->statement());
    expectAccepted(**run);
  }
  for (uint32_t seed : {kLongRowsProgram, kPaddedProgram, kWideSumsProgram}) {
    for (int64_t lanes : {2, 3, 4, 5, 8, 16}) {
      SCOPED_TRACE(absl::StrCat("seed ", seed, ", ", lanes, " lanes"));
      auto run = ToyRun::create({.lanes = lanes, .general = seed});
      ASSERT_EQ(run.status(), absl::OkStatus());
      expectInterpreted(seed, (*run)->statement());
      expectAccepted(**run);
    }
  }
}

// Rows of very different size: norms shift each by itself.
TEST(WideStreams, TraceIsWhatTheInterpreterSaysAndIsProven) {
  for (int64_t lanes : {1, 2, 4}) {
    SCOPED_TRACE(absl::StrCat(lanes, " lanes"));
    const ToyOptions options{.logits = true, .wide = true, .lanes = lanes};
    auto run = ToyRun::create(options);
    ASSERT_EQ(run.status(), absl::OkStatus());
    ir::Module module;
    ASSERT_EQ(makeToyGpt(module, options), absl::OkStatus());
    expectInterpreted(module, (*run)->statement());
    expectAccepted(**run);
    if (lanes != 2) continue;
    auto backend = Backend::of((*run)->package());
    ASSERT_EQ(backend.status(), absl::OkStatus());
    EXPECT_EQ(backend->prove((*run)->statement(), {(*run)->cells()}), absl::OkStatus());
    EXPECT_EQ(backend->verify(), absl::OkStatus());
  }
}

TEST(GeneralPrograms, AreProven) {
  for (uint32_t seed : {0u, 1u, 2u, 3u, kLongRowsProgram, kPaddedProgram, kWideSumsProgram}) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    ToyOptions options = optionsOf(seed);
    if (seed == kPaddedProgram) options.lanes = 4;
    auto run = ToyRun::create(options);
    ASSERT_EQ(run.status(), absl::OkStatus());
    auto backend = Backend::of((*run)->package());
    ASSERT_EQ(backend.status(), absl::OkStatus());
    EXPECT_EQ(backend->prove((*run)->statement(), {(*run)->cells()}), absl::OkStatus());
    EXPECT_EQ(backend->verify(), absl::OkStatus());
  }
}

}  // namespace
}  // namespace lindero::test
