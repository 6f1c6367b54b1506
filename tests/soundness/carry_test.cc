// Decode runs in blocks that carry context (passes/lower_air/gadgets/steps/README.md): the same
// integers as in one pass, block for block under one set of challenges; and what is forged at the
// seams.
#include <map>

#include "compiler/onnx_import/import.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/dialects.h"
#include "ir/integer/interpreter.h"
#include "passes/boundary/carry_context/carry_context.h"
#include "passes/pass_manager.h"
#include "runtime/check/checker.h"
#include "runtime/check/sums.h"
#include "runtime/error/error.h"
#include "runtime/package/statement.h"
#include "runtime/tamper/forged_rows.h"
#include "tests/soundness/backend.h"
#include "tests/soundness/toy_run.h"

namespace lindero::test {
namespace {

using ir::integer::IntArray;
using ::testing::HasSubstr;

constexpr int64_t kBlock = 2;
constexpr int64_t kBlocks = 3;  // of the 5 steps

const ToyRun& toy() {
  static auto& run = *new std::unique_ptr<ToyRun>(
      std::move(*ToyRun::create({.lanes = 2, .decode = true, .block = kBlock})));
  return *run;
}

// The blocks of a run, each with its trace.
struct Blocks {
  std::vector<Statement> statements;
  std::vector<std::vector<uint32_t>> cells;
};

using Revise = std::function<void(int64_t block, const Step&, runtime::Buffers&)>;

Blocks prove(const runtime::DecodeRun& run, const Revise& revise = nullptr) {
  const Circuit& circuit = toy().circuit();
  const Statement inputs = *runtime::decodeInputs(toy().package(), run);
  Blocks out;
  runtime::LinkValues linked;
  for (int64_t b = 0; b < kBlocks; ++b) {
    runtime::TraceOptions options;
    options.linked = &linked;
    if (revise) {
      options.revise = [&](const Step& step, runtime::Buffers& buffers) {
        revise(b, step, buffers);
      };
    }
    std::vector<uint32_t> cells(toy().package().traceLayout().cells());
    auto statement = runtime::generateTrace(toy().package(), runtime::blockOf(circuit, inputs, b),
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

Verdict check(const Blocks& bundle) {
  Verdict out;
  std::vector<std::vector<runtime::QM31>> claimed_sums;
  for (size_t b = 0; b < bundle.cells.size(); ++b) {
    auto checker = runtime::Checker::create(toy().package(), bundle.statements[b], bundle.cells[b]);
    EXPECT_TRUE(checker.ok()) << checker.status();
    auto report = (*checker)->check();
    EXPECT_TRUE(report.ok()) << report.status();
    out.blocks.push_back(report->ok() ? "" : report->failures.front().toString());
    claimed_sums.emplace_back((*checker)->claimedSums().begin(), (*checker)->claimedSums().end());
  }
  const Circuit* const circuits[] = {&toy().circuit()};
  out.seams = runtime::checkLinks(toy().package().bundle(), circuits, claimed_sums);
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

// Integers ----------------------------------------------------------------------------------------

// What each op computes, in the order of the program, but for those that carry-context adds.
class Recorder : public ir::integer::Observer {
 public:
  void observe(const ir::Value& value, const IntArray& array) override {
    const ir::Op* op = value.definingOp();
    if (op == nullptr || op->is("integer.append_rows")) return;
    if (op->is("integer.embedding") && op->operand(0)->name() == "decode/position") return;
    arrays.push_back(array);
  }
  std::vector<IntArray> arrays;
};

// Row t of the whole is row t of its block; a score of key j, in block b, that of its slot.
bool rowsAgree(const IntArray& whole, const IntArray& block, int64_t b) {
  const bool scores = whole.shape.size() == 3;
  const int64_t heads = scores ? whole.shape[0] : 1, rows = whole.shape[scores ? 1 : 0],
                steps = block.shape[scores ? 1 : 0], before = b * steps,
                closed = scores ? rows - steps - before : 0;
  const int64_t width = whole.shape.size() == 1 ? 1 : whole.shape.back();
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t t = 0; t < steps; ++t) {
      const auto in_block = block.values.begin() + (h * steps + t) * width + closed;
      const auto in_whole = whole.values.begin() + (h * rows + before + t) * width;
      if (!std::equal(in_whole, in_whole + (scores ? before + t + 1 : width), in_block))
        return false;
    }
  }
  return true;
}

// `blocks` is `whole` until it is made one over blocks.
void expectTheIntegersOfRecompute(const ir::Module& whole, ir::Module& blocks, int64_t steps,
                                  const std::vector<int64_t>& tokens) {
  auto carried = passes::createCarryContext(steps)->run(blocks);
  ASSERT_TRUE(carried.ok()) << carried.status();
  const auto context = static_cast<int64_t>(tokens.size());
  Recorder all;
  auto choices = interpret(*whole.findFunction("main"), IntArray{{context}, tokens}, &all);
  ASSERT_TRUE(choices.ok()) << choices.status();
  const ir::Function& main = *blocks.findFunction("main");
  std::vector<IntArray> state;
  for (const auto& argument : main.body().arguments().drop_front(3)) {
    const auto& shape = argument->type().shape;
    state.push_back({{shape[0], shape[1]}, std::vector<int64_t>(shape[0] * shape[1])});
  }
  for (int64_t b = 0; b < context / steps; ++b) {
    std::vector<IntArray> inputs{{{steps}, {}}, {{steps}, {}}, {{1}, {b}}};
    for (int64_t t = b * steps; t < (b + 1) * steps; ++t) {
      inputs[0].values.push_back(tokens[t]);
      inputs[1].values.push_back(t);
    }
    inputs.insert(inputs.end(), state.begin(), state.end());
    Recorder recorder;
    auto out = interpret(main, inputs, &recorder);
    ASSERT_TRUE(out.ok()) << out.status();
    ASSERT_EQ(recorder.arrays.size(), all.arrays.size());
    for (size_t i = 0; i < all.arrays.size(); ++i) {
      EXPECT_TRUE(rowsAgree(all.arrays[i], recorder.arrays[i], b)) << "block " << b << ", op " << i;
    }
    for (size_t s = 0; s < state.size(); ++s) {
      const std::vector<int64_t>& rows = (*out)[s + 1].values;
      state[s].values.assign(rows.end() - state[s].values.size(), rows.end());
    }
  }
}

TEST(Carry, ComputesTheIntegersOfRecompute) {
  ir::registerAllDialects();
  ir::Module whole, blocks;
  const ToyOptions options{.decode = true};
  ASSERT_TRUE(makeToyGpt(whole, options).ok() && makeToyGpt(blocks, options).ok());
  expectTheIntegersOfRecompute(whole, blocks, kBlock, {3, 1, 4, 1, 5, 9, 2, 6});
}

std::unique_ptr<ir::Module> integerCharGpt() {
  auto module = compiler::importOnnx(LINDERO_MODELS "/char_gpt/char_gpt.onnx", {});
  EXPECT_TRUE(module.ok()) << module.status();
  passes::PassManager manager;
  absl::Status status =
      manager.addPipeline("import-cleanup,quantize,select-outputs{argmax},eliminate-dead-ops");
  status.Update(manager.run(**module).status());
  EXPECT_TRUE(status.ok()) << status;
  return *std::move(module);
}

TEST(Carry, ComputesTheIntegersOfACharGpt) {
  ir::registerAllDialects();
  passes::registerAllPasses();
  auto whole = integerCharGpt(), blocks = integerCharGpt();
  std::vector<int64_t> tokens;
  for (int64_t t = 0; t < 64; ++t) tokens.push_back((7 * t * t + 3 * t + 1) % 80);
  expectTheIntegersOfRecompute(*whole, *blocks, 16, tokens);
}

// Forgeries ---------------------------------------------------------------------------------------

constexpr int64_t kAt = 1;  // the block that is forged, of which one earlier block is open

struct Case {
  const char* name;
  Revise revise;
  std::string rejected_by;  // what is wrong in block kAt, or a seam
};

// Elements of what a step of the kind wrote, first of those whose node holds the text.
template <typename Change>
Revise onStep(Step::KindCase kind, Change change, int64_t at = kAt) {
  return [=, seen = std::make_shared<bool>(false)](int64_t block, const Step& step,
                                                   runtime::Buffers& buffers) {
    if (block != at || step.kind_case() != kind || std::exchange(*seen, true)) return;
    change(step, buffers);
  };
}

Revise inSlot(uint32_t slot, int64_t at) {
  return [=](int64_t block, const Step& step, runtime::Buffers& b) {
    if (block == at && step.has_link_in() && step.link_in().slot() == slot) {
      b.at(step.link_in().out()).back() ^= 1;
    }
  };
}

// The first earlier key of the first row is of a closed block, the last one of an open one.
Revise onSoftmax(std::function<void(const Softmax&, runtime::Buffers&, uint64_t last)> change) {
  return onStep(Step::kSoftmax, [=](const Step& step, runtime::Buffers& b) {
    const Softmax& s = step.softmax();
    change(s, b, s.keys() - s.queries() - 1);
  });
}

const std::vector<Case>& cases() {
  static auto& all = *new std::vector<Case>{
      {"EarlierKeyAltered", inSlot(0, kAt), "step 1: the ends of a link differ"},
      {"EarlierValueAltered", inSlot(1, kAt), "step 1: the ends of a link differ"},
      {"EarlierKeyOfALaterLayerAltered", inSlot(2, kAt), "step 1: the ends of a link differ"},
      {"FirstBlockIsGivenKeys", inSlot(0, 0), "step 0: the ends of a link differ"},
      {"ClosedBlockOpened",
       onSoftmax([](const Softmax& s, runtime::Buffers& b, uint64_t) { b.at(s.open())[0] = 1; }),
       "bus function"},
      {"OpenBlockClosed", onSoftmax([](const Softmax& s, runtime::Buffers& b, uint64_t last) {
         b.at(s.open())[last / s.lanes()] = 0;
       }),
       "closed bin"},
      {"OwnKeysClosed", onSoftmax([](const Softmax& s, runtime::Buffers& b, uint64_t last) {
         b.at(s.open())[last / s.lanes() + 1] = 1;
       }),
       "only windows before are open or closed"},
      {"ClosedKeyAttended", onSoftmax([](const Softmax& s, runtime::Buffers& b, uint64_t) {
         runtime::attendClosedKey(toy().package(), s, b, 0);
       }),
       "closed bin"},
      {"ClosedRemainderAltered", onSoftmax([](const Softmax& s, runtime::Buffers& b, uint64_t) {
         b.at(s.remainder())[0] = 1;
       }),
       "closed remainder"},
      {"AnotherBlockThanClaimed",
       [](int64_t block, const Step& step, runtime::Buffers& b) {
         if (block != kAt || !step.has_input()) return;
         const auto tensor = static_cast<int>(step.input().tensor());
         if (toy().circuit().publics(tensor).name() != runtime::kBlock) return;
         b.at(step.input().out())[0] = kAt + 1;
       },
       "sum group public:decode/block does not cancel"},
  };
  return all;
}

class CarryForgery : public ::testing::TestWithParam<Case> {};

TEST_P(CarryForgery, IsRejected) {
  const Case& c = GetParam();
  const Verdict verdict = check(prove(toy().decoded(), c.revise));
  std::string wrong;
  for (const std::string& block : verdict.blocks) wrong += block;
  // Of an open block, only the seam tells; the scores of a closed one must be those of zeros, too.
  if (!verdict.seams.ok()) {
    if (std::string(c.name) != "FirstBlockIsGivenKeys") {
      EXPECT_EQ(wrong, "");
    }
    wrong = std::string(verdict.seams.message());
  }
  EXPECT_THAT(wrong, HasSubstr(c.rejected_by));
}

Statement stacked(const Blocks& bundle) {
  Statement all;
  for (const Statement& block : bundle.statements) runtime::appendBlock(block, all);
  return all;
}

TEST(CarryProof, OfARunIsAccepted) {
  auto backend = Backend::of(toy().package());
  ASSERT_EQ(backend.status(), absl::OkStatus());
  const Blocks bundle = prove(toy().decoded());
  ASSERT_EQ(backend->prove(stacked(bundle), bundle.cells), absl::OkStatus());
  EXPECT_EQ(backend->verify(), absl::OkStatus());
}

// A row of K of an earlier block is altered in a later one: accepted without the class, and refused
// with it.
TEST(CarryProof, OfAnAlteredContextIsAcceptedWithoutContinuityAlone) {
  const Blocks forged = prove(toy().decoded(), inSlot(0, kAt));
  auto whole = Backend::of(toy().package());
  ASSERT_EQ(whole.status(), absl::OkStatus());
  const absl::Status refused = whole->prove(stacked(forged), forged.cells);
  EXPECT_EQ(runtime::errorOf(refused), runtime::Error::kProverFailed) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("link"));
  auto rest = toy().without("continuity");
  ASSERT_EQ(rest.status(), absl::OkStatus());
  auto backend = Backend::of(*rest);
  ASSERT_EQ(backend.status(), absl::OkStatus());
  for (int64_t b = 0; b < kBlocks; ++b) {
    auto checker = runtime::Checker::create(*rest, forged.statements[b], forged.cells[b]);
    ASSERT_EQ(checker.status(), absl::OkStatus());
    EXPECT_TRUE((*checker)->check()->ok());
    // Without links, each block is proven by itself.
    ASSERT_EQ(backend->prove(forged.statements[b], {forged.cells[b]}), absl::OkStatus());
    EXPECT_EQ(backend->verify(), absl::OkStatus());
    EXPECT_EQ(runtime::errorOf(whole->verifyProofOf(*backend)), runtime::Error::kRejected);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CarryForgery, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lindero::test
