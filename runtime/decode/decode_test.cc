// What public values of a step table stand for, and when a run may end.
#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/decode/decode_run.h"

namespace lindero::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Blocks of a circuit: one, or up to `most`.
struct Blocks {
  Circuit circuit;
  int64_t most = 1;
};

int64_t mostSteps(const Blocks& blocks) { return runtime::mostSteps(blocks.circuit, blocks.most); }

absl::StatusOr<Statement> decodeInputs(const Blocks& blocks, const DecodeRun& run) {
  return runtime::decodeInputs(blocks.circuit, blocks.most, run);
}

// Of `steps` steps each; all of a run, or `most_blocks` of them.
Blocks stepCircuit(int64_t steps, uint32_t most_blocks) {
  Circuit circuit;
  auto add = [&](const char* name, PublicTensor::Kind kind, int64_t rows, int64_t high) {
    PublicTensor& tensor = *circuit.add_publics();
    tensor.set_name(name);
    tensor.set_kind(kind);
    tensor.set_rows(static_cast<uint32_t>(rows));
    tensor.set_columns(1);
    tensor.set_high(high);
  };
  const int64_t most = steps * std::max<int64_t>(most_blocks, 1);
  add(kTape, PublicTensor::INPUT, steps + 1, 9);
  add(kLengths, PublicTensor::INPUT, 4, most);
  if (most_blocks > 0) {
    add(kBlock, PublicTensor::INPUT, 2, most_blocks - 1);
  }
  add("choices", PublicTensor::OUTPUT, steps, 9);
  return {circuit, std::max<int64_t>(most_blocks, 1)};
}

// The values of an input, for a run of these tokens.
std::vector<int64_t> inputOf(const Blocks& circuit, const DecodeRun& run, const char* name) {
  auto inputs = decodeInputs(circuit, run);
  EXPECT_TRUE(inputs.ok()) << inputs.status();
  for (const PublicValues& values : inputs->tensors()) {
    if (values.name() == name) return {values.values().begin(), values.values().end()};
  }
  ADD_FAILURE() << "no input " << name;
  return {};
}

TEST(DecodeRunTest, IsReadFromTapeAndLengths) {
  auto run = readDecodeRun({3, 1, 4, 7, 8, 0, 0}, {0, 4, 0, 2});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_THAT(run->tokens, ElementsAre(3, 1, 4, 7, 8));
  EXPECT_EQ(run->prompt, 3);
  EXPECT_EQ(run->generated(), 2);
  EXPECT_EQ(readDecodeRun({3, 1, 4}, {0, 2, 0, 2})->generated(), 0);
}

TEST(DecodeRunTest, IsReadFromSeveralBlocks) {
  // Each block's tape starts with the last token of the one before.
  auto run = readDecodeRun({3, 1, 4, 4, 7, 8, 8, 9, 0}, {0, 2, 0, 2, 2, 4, 2, 3, 4, 5, 3, 3});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_THAT(run->tokens, ElementsAre(3, 1, 4, 7, 8, 9));
  EXPECT_EQ(run->prompt, 4);
  EXPECT_EQ(run->generated(), 2);
}

TEST(DecodeRunTest, RefusesValuesThatStandForNoRun) {
  for (auto [steps, given] : {std::pair{0, 0}, {7, 2}, {4, 5}, {4, -1}, {-1, -1}}) {
    EXPECT_THAT(readDecodeRun({3, 1, 4, 7, 8, 0, 0}, {0, steps, 0, given}).status().message(),
                HasSubstr("lengths"))
        << steps << ", " << given;
  }
  EXPECT_FALSE(readDecodeRun({3, 1}, {1}).ok());
  EXPECT_FALSE(readDecodeRun({3, 1}, {1, 0}).ok());
  EXPECT_FALSE(readDecodeRun({3, 1}, {}).ok());
  EXPECT_FALSE(readDecodeRun({}, {0, 1, 0, 0}).ok());
  EXPECT_FALSE(readDecodeRun({3}, {0, 1, 0, 0}).ok());
  // A token after the run; a run that starts before its first row.
  EXPECT_TRUE(readDecodeRun({3, 1, 4, 0}, {0, 2, 0, 1}).ok());
  EXPECT_FALSE(readDecodeRun({3, 1, 4, 7}, {0, 2, 0, 1}).ok());
  EXPECT_FALSE(readDecodeRun({3, 1, 4, 0}, {1, 3, 0, 1}).ok());
  EXPECT_FALSE(readDecodeRun({3, 1, 4, 0}, {0, 2, 1, 2}).ok());
}

TEST(DecodeRunTest, RefusesBlocksThatAreNoRun) {
  const std::vector<int64_t> tape{3, 1, 4, 4, 7, 8, 8, 9, 0};
  const std::vector<int64_t> lengths{0, 2, 0, 2, 2, 4, 2, 3, 4, 5, 3, 3};
  ASSERT_TRUE(readDecodeRun(tape, lengths).ok());
  // Every value counts: where blocks start and end, what they start from, what is after the run.
  for (auto values : {&tape, &lengths}) {
    for (size_t i = 0; i < values->size(); ++i) {
      for (int64_t change : {-1, 1}) {
        std::vector<int64_t> other = *values;
        other[i] += change;
        auto read = values == &tape ? readDecodeRun(other, lengths) : readDecodeRun(tape, other);
        // It is another run if a token within a block differs, or if there is a step more, which
        // leaves token 0.
        const bool run =
            values == &tape ? i == 0 || i == 1 || i == 4 || i == 7 : i == 9 && change == 1;
        EXPECT_EQ(read.ok(), run) << (values == &tape ? "tape " : "lengths ") << i;
      }
    }
  }
  // A last block without a step, a block that is not full, two blocks in the other order.
  EXPECT_FALSE(readDecodeRun({3, 1, 4, 4, 0, 0}, {0, 2, 0, 1, 2, 2, 1, 1}).ok());
  EXPECT_FALSE(readDecodeRun({3, 1, 0, 1, 4, 7}, {0, 1, 0, 1, 1, 3, 1, 1}).ok());
  EXPECT_FALSE(readDecodeRun({4, 7, 8, 3, 1, 4}, {2, 4, 1, 1, 0, 2, 0, 1}).ok());
  EXPECT_TRUE(readDecodeRun({3, 1, 4, 4, 7, 8}, {0, 2, 0, 1, 2, 4, 1, 1}).ok());
  // Tape of a number of rows that the blocks do not divide.
  EXPECT_FALSE(readDecodeRun({3, 1, 4, 4, 7}, {0, 2, 0, 1, 2, 3, 1, 1}).ok());
}

TEST(DecodeRunTest, IsTheInputsOfOneBlock) {
  const Blocks circuit = stepCircuit(6, 0);
  EXPECT_EQ(blockSteps(circuit.circuit), 6);
  EXPECT_EQ(mostSteps(circuit), 6);
  const DecodeRun run{{3, 1, 4, 7, 8}, 3};
  EXPECT_THAT(inputOf(circuit, run, kTape), ElementsAre(3, 1, 4, 7, 8, 0, 0));
  EXPECT_THAT(inputOf(circuit, run, kLengths), ElementsAre(0, 4, 0, 2));
  EXPECT_EQ(blockSteps(Circuit()), 0);
  EXPECT_EQ(mostSteps(Blocks()), 0);
}

TEST(DecodeRunTest, IsTheInputsOfAsManyBlocksAsItNeeds) {
  const Blocks circuit = stepCircuit(2, 3);
  EXPECT_EQ(blockSteps(circuit.circuit), 2);
  EXPECT_EQ(mostSteps(circuit), 6);
  const DecodeRun run{{3, 1, 4, 7, 8, 9}, 4};
  EXPECT_THAT(inputOf(circuit, run, kTape), ElementsAre(3, 1, 4, 4, 7, 8, 8, 9, 0));
  EXPECT_THAT(inputOf(circuit, run, kLengths), ElementsAre(0, 2, 0, 2, 2, 4, 2, 3, 4, 5, 3, 3));
  EXPECT_THAT(inputOf(circuit, run, kBlock), ElementsAre(0, 0, 1, 1, 2, 2));
  // No block without a step.
  EXPECT_THAT(inputOf(circuit, {{3, 1, 4}, 1}, kTape), ElementsAre(3, 1, 4));
  EXPECT_THAT(inputOf(circuit, {{3, 1, 4}, 1}, kLengths), ElementsAre(0, 2, 0, 0));
  EXPECT_THAT(inputOf(circuit, {{3, 1, 4, 7}, 1}, kBlock), ElementsAre(0, 0, 1, 1));
}

TEST(DecodeRunTest, IsReadFromItsInputs) {
  for (uint32_t blocks : {0, 1, 2, 4}) {
    const Blocks circuit = stepCircuit(2, blocks);
    DecodeRun run{{5}, 1};
    for (int64_t steps = 1; steps <= mostSteps(circuit); ++steps) {
      run.tokens.push_back(steps);
      for (run.prompt = 1; run.prompt <= steps + 1; ++run.prompt) {
        auto read = readDecodeRun(inputOf(circuit, run, kTape), inputOf(circuit, run, kLengths));
        ASSERT_TRUE(read.ok()) << steps << " steps, prompt of " << run.prompt;
        EXPECT_EQ(read->tokens, run.tokens);
        EXPECT_EQ(read->prompt, run.prompt);
      }
    }
  }
}

TEST(DecodeRunTest, HasToFit) {
  for (uint32_t blocks : {0, 3}) {
    const Blocks circuit = stepCircuit(2, blocks);
    const auto most = static_cast<size_t>(mostSteps(circuit));
    EXPECT_TRUE(decodeInputs(circuit, {std::vector<int64_t>(most + 1, 1), 1}).ok());
    EXPECT_THAT(decodeInputs(circuit, {std::vector<int64_t>(most + 2, 1), 1}).status().message(),
                HasSubstr("do not fit"));
    EXPECT_THAT(decodeInputs(circuit, {{3}, 1}).status().message(), HasSubstr("do not fit"));
    EXPECT_THAT(decodeInputs(circuit, {{3, 1}, 0}).status().message(), HasSubstr("do not fit"));
    EXPECT_THAT(decodeInputs(circuit, {{3, 1}, 3}).status().message(), HasSubstr("do not fit"));
    EXPECT_THAT(decodeInputs(circuit, {{3, 10}, 1}).status().message(),
                HasSubstr("outside of the proven range"));
  }
}

TEST(DecodeRunTest, EndsWhereTheRuleSays) {
  const DecodeRun run{{3, 1, 4, 7, 8}, 2};
  struct Case {
    StopRule rule;
    const char* error;  // empty: none
  };
  for (const Case& c : {Case{{3, {}}, ""},
                        {{3, {8}}, ""},
                        {{5, {8}}, ""},
                        {{5, {9, 8}}, ""},
                        // The prompt may hold a stop token.
                        {{3, {1}}, ""},
                        {{2, {}}, "not 2"},
                        {{2, {8}}, "not 2"},
                        {{4, {}}, "not 4"},
                        {{4, {9}}, "not 4"},
                        {{3, {7}}, "goes on after the stop token 7"},
                        {{5, {4, 8}}, "goes on after the stop token 4"}}) {
    EXPECT_THAT(checkStop(run, c.rule).message(), HasSubstr(c.error));
    EXPECT_EQ(checkStop(run, c.rule).ok(), *c.error == '\0');
  }
}

}  // namespace
}  // namespace lindero::runtime
