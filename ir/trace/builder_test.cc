// Steps by the names of program.proto: sizes that follow, and names that end the program.
#include "ir/trace/builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/core/verifier.h"
#include "ir/dialects.h"

namespace lindero::ir::trace {
namespace {

class TraceBuilderTest : public ::testing::Test {
 protected:
  TraceBuilderTest() {
    registerAllDialects();
    trace_.emplace(module_.addFunction("trace"));
  }

  Value* buffer(int64_t size) {
    return trace_->step("link_in", {}, {{"slot", int64_t{0}}}, {{"out", size}})["out"];
  }
  MadeStep requantize(Value* acc, Value* addend) {
    std::vector<NamedAttribute> attributes{{"shift", int64_t{4}}, {"bits", int64_t{8}}};
    if (addend != nullptr) attributes.emplace_back("addend_shift", int64_t{2});
    return trace_->step("requantize", {{"addend", addend}, {"acc", acc}}, attributes);
  }

  Module module_;
  std::optional<TraceBuilder> trace_;
};

TEST_F(TraceBuilderTest, SizesFollowFromTheDefinition) {
  Value *acc = buffer(12), *addend = buffer(12);
  MadeStep step = requantize(acc, addend);
  EXPECT_EQ(step["quotient"]->type(), Type::tensor(Element::kInt, {12}));
  EXPECT_NE(step["quotient"], step["remainder"]);
  // Operands stand in the order of the definition, whatever the order of the names.
  EXPECT_EQ(step.op()->operand(0), acc);
  EXPECT_EQ(step.op()->operand(1), addend);
  MadeStep argmax =
      trace_->step("argmax", {{"values", acc}},
                   {{"rows", int64_t{2}}, {"width", int64_t{6}}, {"lanes", int64_t{4}}});
  EXPECT_EQ(argmax["before"]->type().elements(), 16);
  EXPECT_EQ(argmax["index_sums"]->type().elements(), 4);
  trace_->finish();
  EXPECT_EQ(verify(module_), absl::OkStatus());
}

TEST_F(TraceBuilderTest, OptionalBuffersMayBeNull) {
  EXPECT_EQ(requantize(buffer(3), nullptr).op()->numOperands(), 1u);
  trace_->finish();
  EXPECT_EQ(verify(module_), absl::OkStatus());
}

using TraceBuilderDeathTest = TraceBuilderTest;

TEST_F(TraceBuilderDeathTest, WrongNamesEndTheProgram) {
  Value* a = buffer(4);
  auto die = [&](llvm::StringRef name, TraceBuilder::Buffers reads,
                 TraceBuilder::Attributes attributes, const char* message) {
    EXPECT_DEATH(trace_->step(name, reads, attributes), message) << message;
  };
  die("maks", {{"keep", a}, {"value", a}}, {}, "trace.maks: no step has this name");
  die("return", {}, {}, "no step has this name");
  die("mask", {{"keep", a}}, {}, "trace.mask: the buffer 'value' is missing");
  die("mask", {{"keep", a}, {"value", nullptr}}, {}, "the buffer 'value' is missing");
  die("mask", {{"keep", a}, {"values", a}}, {}, "has no 'values' to be given");
  die("mask", {{"keep", a}, {"keep", a}, {"value", a}}, {}, "'keep' is given twice");
  die("link_out", {{"buffer", a}}, {{"slot", int64_t{0}}}, "the attribute 'elements' is missing");
  die("link_out", {{"buffer", a}}, {{"slot", true}, {"elements", int64_t{4}}},
      "the attribute 'slot' is no int");
  die("mask", {{"keep", a}, {"value", a}}, {{"width", int64_t{1}}}, "has no 'width' to be given");
  die("link_in", {}, {{"slot", int64_t{0}}}, "the size of 'out' is missing");
  die("input", {}, {{"tensor", std::string("x")}}, "@circuit has no public tensor");
  EXPECT_DEATH(trace_->step("link_in", {}, {{"slot", int64_t{0}}}, {{"out_", 4}}), "has no 'out_'");
  EXPECT_DEATH(requantize(a, nullptr)["out"], "trace.requantize: has no result 'out' here");
}

TEST_F(TraceBuilderDeathTest, StridesAreNamed) {
  EXPECT_THAT(strides({{"offset", 4}, {"column", 3}, {"row", 2}, {"batch", 1}}),
              ::testing::ElementsAre(1, 2, 3, 4));
  EXPECT_DEATH(strides({{"batch", 1}, {"row", 2}, {"column", 3}}), "'offset' is missing");
  EXPECT_DEATH(strides({{"batch", 1}, {"rows", 2}}), "has no 'rows'");
}

}  // namespace
}  // namespace lindero::ir::trace
