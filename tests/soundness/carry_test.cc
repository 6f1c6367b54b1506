// Decode runs in blocks that carry context (passes/lower_air/GADGETS.md, section 13): the same
// integers as in one pass, block for block under one set of challenges; and what is forged at the
// seams.
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/dialects.h"
#include "ir/integer/interpreter.h"
#include "passes/boundary/carry_context/carry_context.h"
#include "runtime/check/checker.h"
#include "runtime/check/claims.h"
#include "runtime/package/statement.h"
#include "tests/soundness/toy_run.h"

namespace lindero::test {
namespace {

using ::testing::HasSubstr;
using ir::integer::IntArray;

constexpr int64_t kBlock = 2;
constexpr int64_t kBlocks = 3;  // of the 5 steps

const ToyRun& toy() {
  static auto& run = *new std::unique_ptr<ToyRun>(
      std::move(*ToyRun::create({.lanes = 2, .decode = true, .block = kBlock})));
  return *run;
}

// The blocks of a run, each with its trace.
struct Bundle {
  std::vector<Statement> statements;
  std::vector<std::vector<uint32_t>> cells;
};

using Revise = std::function<void(int64_t block, const Step&, runtime::Buffers&)>;

Bundle prove(const runtime::DecodeRun& run, const Revise& revise = nullptr) {
  const Circuit& circuit = toy().circuit();
  const Statement inputs = *runtime::decodeInputs(circuit, run);
  Bundle out;
  runtime::Carried carried;
  for (int64_t b = 0; b < kBlocks; ++b) {
    runtime::TraceOptions options;
    options.carried = &carried;
    if (revise) {
      options.revise = [&](const Step& step, runtime::Buffers& buffers) {
        revise(b, step, buffers);
      };
    }
    std::vector<uint32_t> cells(toy().package().traceLayout().cells());
    auto statement =
        runtime::generateTrace(toy().package(), runtime::blockOf(circuit, inputs, b),
                               absl::MakeSpan(cells), options);
    EXPECT_TRUE(statement.ok()) << statement.status();
    out.statements.push_back(*statement);
    out.cells.push_back(std::move(cells));
  }
  return out;
}

struct Verdict {
  std::vector<std::string> blocks;  // what is wrong within each
  absl::Status seams;
};

Verdict check(const Bundle& bundle) {
  Verdict out;
  std::vector<std::vector<runtime::QM31>> claims;
  for (size_t b = 0; b < bundle.cells.size(); ++b) {
    auto checker =
        runtime::Checker::create(toy().package(), bundle.statements[b], bundle.cells[b]);
    EXPECT_TRUE(checker.ok()) << checker.status();
    auto report = (*checker)->check();
    EXPECT_TRUE(report.ok()) << report.status();
    out.blocks.push_back(report->ok() ? "" : report->failures.front().toString());
    claims.emplace_back((*checker)->claims().begin(), (*checker)->claims().end());
  }
  out.seams = runtime::checkCarries(toy().circuit(), claims);
  return out;
}

TEST(Carry, BlocksOfARunAreAccepted) {
  const Verdict verdict = check(prove(toy().decoded()));
  for (const std::string& wrong : verdict.blocks) EXPECT_EQ(wrong, "");
  EXPECT_TRUE(verdict.seams.ok()) << verdict.seams;
}

TEST(Carry, ChoosesTheTokensOfRecompute) {
  auto whole = ToyRun::create({.decode = true});
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(toy().decoded().tokens, (*whole)->decoded().tokens);
}

}  // namespace
}  // namespace lindero::test
