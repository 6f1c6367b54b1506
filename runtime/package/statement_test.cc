#include "runtime/package/statement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

Statement full() {
  std::vector<int64_t> x = {1, -2, 3, 100, -100, 0, 50, 7};
  Statement statement = testing::linearInputs(x);
  PublicValues* y = statement.add_tensors();
  y->set_name("y");
  y->set_kind(PublicValues::OUTPUT);
  y->set_rows(4);
  y->set_columns(2);
  for (int64_t v : testing::linearOutput(x)) y->add_values(v % 128);
  return statement;
}

TEST(Statement, RoundTripsCanonically) {
  std::string bytes = encodeStatement(full());
  absl::StatusOr<Statement> decoded = decodeStatement(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(encodeStatement(*decoded), bytes);
  EXPECT_TRUE(checkStatement(testing::linearSample().circuit, *decoded).ok());
}

TEST(Statement, OneEncodingOnly) {
  std::string bytes = encodeStatement(full());
  // The format field once more at the end, and an over-long varint in the first field: both parse
  // to the same.
  EXPECT_FALSE(decodeStatement(bytes + "\x08\x01").ok());
  std::string padded = bytes;
  padded.replace(1, 1, std::string("\x81\x00", 2));
  EXPECT_THAT(std::string(decodeStatement(padded).status().message()),
              HasSubstr("not the canonical encoding"));
  std::mt19937_64 random(2);
  for (size_t i = 0; i < bytes.size(); ++i) {
    decodeStatement(bytes.substr(0, i)).status().IgnoreError();
    std::string bad = bytes;
    bad[i] = static_cast<char>(random());
    absl::StatusOr<Statement> decoded = decodeStatement(bad);
    if (decoded.ok()) {
      EXPECT_EQ(encodeStatement(*decoded), bad);
    }
  }
}

TEST(Statement, NamesWhatDoesNotFit) {
  Circuit circuit = testing::linearSample().circuit;
  struct Case {
    std::function<void(Statement&)> change;
    std::string message;
  };
  const std::vector<Case> cases = {
      {[](Statement& s) { s.mutable_tensors(0)->set_values(3, 101); },
       "input \"x\": the value 101 at [1, 1] is outside of the proven range [-100, 100]"},
      {[](Statement& s) { s.mutable_tensors(0)->set_rows(8); }, "the shape is 8 x 2"},
      {[](Statement& s) {
         s.mutable_tensors(0)->set_rows(2), s.mutable_tensors(0)->set_columns(4);
       },
       "compiled for 4 x 2"},
      {[](Statement& s) { s.mutable_tensors(0)->set_name("z"); }, "public tensor there is \"x\""},
      {[](Statement& s) { s.mutable_tensors(0)->set_name("y"); }, "used twice"},
      {[](Statement& s) { s.mutable_tensors(1)->set_kind(PublicValues::INPUT); },
       "tensors[1] is \"y\""},
      {[](Statement& s) { s.mutable_tensors()->RemoveLast(); }, "1 tensors; the circuit has 2"},
      {[](Statement& s) { s.set_format(0); }, "format 0"},
  };
  for (const Case& c : cases) {
    Statement statement = full();
    c.change(statement);
    EXPECT_THAT(std::string(checkStatement(circuit, statement).message()), HasSubstr(c.message));
  }
}

// The values of `blocks` blocks, each with other ones.
Statement several(int blocks) {
  Statement all;
  for (int b = 0; b < blocks; ++b) {
    Statement block = full();
    block.mutable_tensors(0)->set_values(0, b);
    block.mutable_tensors(1)->set_values(7, -b);
    appendBlock(block, all);
  }
  return all;
}

// Whatever the circuit's first tensor is.
TEST(Statement, OfInputsAloneTellsTheSteps) {
  Circuit circuit = testing::linkedSample();
  circuit.mutable_publics()->SwapElements(0, 1);
  circuit.mutable_publics(0)->set_rows(100);
  Statement inputs = several(2);
  inputs.mutable_tensors()->DeleteSubrange(1, 1);
  EXPECT_EQ(blocksOf(circuit, inputs), 2);
}

TEST(Statement, HoldsTheRowsOfSeveralBlocks) {
  const Circuit circuit = testing::linkedSample();
  for (int blocks = 1; blocks <= 3; ++blocks) {
    const Statement all = several(blocks);
    EXPECT_EQ(checkStatement(circuit, all, 3), absl::OkStatus()) << blocks;
    EXPECT_EQ(blocksOf(circuit, all), blocks);
    EXPECT_EQ(all.tensors(0).rows(), 4 * blocks);
    EXPECT_EQ(all.tensors(0).columns(), 2);
    Statement again;
    for (int b = 0; b < blocks; ++b) {
      const Statement block = blockOf(circuit, all, b);
      EXPECT_EQ(encodeStatement(block), encodeStatement(blockOf(circuit, several(b + 1), b)));
      EXPECT_EQ(block.tensors(0).rows(), 4);
      EXPECT_EQ(block.tensors(0).values(0), b);
      EXPECT_EQ(block.tensors(1).values(7), -b);
      EXPECT_EQ(blocksOf(circuit, block), 1);
      appendBlock(block, again);
    }
    EXPECT_EQ(encodeStatement(again), encodeStatement(all));
  }
}

TEST(Statement, IsOfBlocksThatTheCircuitHas) {
  const Circuit circuit = testing::linkedSample();
  struct Case {
    std::function<void(Statement&)> change;
    std::string message;
  };
  const std::vector<Case> cases = {
      {[](Statement& s) { s = several(4); }, "it is of 4 steps; at most 3 can be proven"},
      {[](Statement& s) {
         for (PublicValues& tensor : *s.mutable_tensors())
           tensor.set_rows(0), tensor.clear_values();
       },
       "it is of 0 steps"},
      // The second tensor has another number of blocks.
      {[](Statement& s) { *s.mutable_tensors(1) = several(1).tensors(1); },
       "output \"y\" has shape 4 x 2 (8 values); the circuit was compiled for 8 x 2"},
      {[](Statement& s) { *s.mutable_tensors(1) = several(3).tensors(1); },
       "output \"y\" has shape 12 x 2"},
      // A block that is not whole.
      {[](Statement& s) {
         for (PublicValues& tensor : *s.mutable_tensors()) {
           tensor.set_rows(7);
           tensor.mutable_values()->Truncate(14);
         }
       },
       "input \"x\" has shape 7 x 2"},
      {[](Statement& s) { s.mutable_tensors(0)->set_values(15, 101); },
       "the value 101 at [7, 1] is outside of the proven range"},
  };
  for (const Case& c : cases) {
    Statement statement = several(2);
    c.change(statement);
    EXPECT_THAT(std::string(checkStatement(circuit, statement, 3).message()), HasSubstr(c.message));
  }
  EXPECT_THAT(std::string(checkStatement(circuit, several(2)).message()),
              HasSubstr("has shape 8 x 2"));
}

TEST(Statement, HasTheTensorsOfAllMembers) {
  const Circuit first = testing::linearSample().circuit;
  Circuit second = first;
  for (PublicTensor& tensor : *second.mutable_publics()) tensor.set_name(tensor.name() + "2");
  const Circuit* const circuits[] = {&first, &second};
  Statement all = several(2);
  const Statement more = several(2);
  for (PublicValues values : more.tensors()) {
    values.set_name(values.name() + "2");
    *all.add_tensors() = values;
  }
  EXPECT_EQ(checkStatement(circuits, all, 2), absl::OkStatus());
  EXPECT_EQ(blocksOf(circuits, all), 2);
  EXPECT_EQ(blockOf(second, all, 1).tensors(0).name(), "x2");
  EXPECT_EQ(blockOf(second, all, 1).tensors(0).values(0), 1);
  EXPECT_FALSE(checkStatement(circuits, several(2), 2).ok());
  all.mutable_tensors()->SwapElements(0, 2);
  EXPECT_FALSE(checkStatement(circuits, all, 2).ok());
}

}  // namespace
}  // namespace lindero::runtime
