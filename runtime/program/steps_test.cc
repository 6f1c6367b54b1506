// What is read off program.proto, and what a reader refuses by it.
#include "runtime/program/steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/program/check.h"

namespace lindero::program {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Buffers of these sizes; one table of 16 rows with 3 fixed columns and a witness column.
class TestSurroundings : public Surroundings {
 public:
  explicit TestSurroundings(std::vector<uint64_t> sizes) : sizes_(std::move(sizes)) {}
  uint64_t bufferSize(uint32_t buffer) const override { return sizes_.at(buffer); }
  std::string bufferName(uint32_t buffer) const override { return std::to_string(buffer); }
  std::optional<Columns> columns(uint32_t table, uint32_t phase) const override {
    if (table != 0) return std::nullopt;
    return phase == 0 ? Columns{"t", 16, 0, 3} : Columns{"t", 16, 3, 4};
  }
  std::optional<Tensor> tensor(uint32_t tensor) const override {
    if (tensor != 0) return std::nullopt;
    return Tensor{"x", "input", 12};
  }

 private:
  std::vector<uint64_t> sizes_;
};

std::string violationOf(const Step& step, std::vector<uint64_t> sizes) {
  const StepDef& def = *stepDefOf(step);
  const auto violation = findViolation(def, messageOf(step), TestSurroundings(std::move(sizes)));
  return violation ? def.rules[violation->rule].text + "; " + violation->here : "";
}

TEST(Steps, EveryKindIsDefined) {
  EXPECT_EQ(static_cast<int>(stepDefs().size()),
            Step::descriptor()->FindOneofByName("kind")->field_count());
  for (const StepDef& def : stepDefs()) {
    EXPECT_FALSE(def.summary.empty()) << def.name;
    EXPECT_FALSE(def.reads.empty() && def.writes.empty()) << def.name;
    EXPECT_EQ(findStepDef(def.name), &def);
  }
  EXPECT_EQ(findStepDef("place"), nullptr);
  EXPECT_EQ(stepDefOf(Step()), nullptr);
  EXPECT_THAT(buffersOf(Step()).reads, ElementsAre());
}

TEST(Steps, BuffersStandInTheOrderOfTheFields) {
  Step step;
  MatMul& matmul = *step.mutable_matmul();
  matmul.set_lhs(5), matmul.set_rhs(3), matmul.set_out(7);
  EXPECT_THAT(buffersOf(step).reads, ElementsAre(5, 3));
  EXPECT_THAT(buffersOf(step).writes, ElementsAre(7));
  matmul.set_bias(0);  // an optional buffer of index 0 is one, too
  EXPECT_THAT(buffersOf(step).reads, ElementsAre(5, 3, 0));
}

Requantize& requantize(Step& step) {
  Requantize& r = *step.mutable_requantize();
  r.set_acc(0), r.set_quotient(1), r.set_remainder(2), r.set_shift(4), r.set_bits(8);
  return r;
}

TEST(Check, SizesAndConditions) {
  Step step;
  Requantize& r = requantize(step);
  EXPECT_EQ(violationOf(step, {6, 6, 6}), "");
  EXPECT_EQ(violationOf(step, {6, 6, 5}),
            "remainder has size(acc) elements; 2 has 5 elements instead of 6");
  r.set_shift(31);
  EXPECT_EQ(violationOf(step, {6, 6, 6}), "1 <= shift <= 30; shift = 31");
}

TEST(Check, OptionalFieldsComeTogether) {
  const char* text = "addend_shift is there if and only if addend is; ";
  Step step;
  Requantize& r = requantize(step);
  r.set_addend(0);
  EXPECT_EQ(violationOf(step, {6, 6, 6}), std::string(text) + "addend without addend_shift");
  r.set_addend_shift(0);
  EXPECT_EQ(violationOf(step, {6, 6, 6}), "");
  r.clear_addend();
  EXPECT_EQ(violationOf(step, {6, 6, 6}), std::string(text) + "addend_shift without addend");
  r.clear_addend_shift();
  EXPECT_EQ(violationOf(step, {6, 6, 6}), "");
}

TEST(Check, TensorsAndTheirSizes) {
  Step step;
  Input& input = *step.mutable_input();
  EXPECT_EQ(violationOf(step, {12}), "");
  EXPECT_THAT(violationOf(step, {11}), HasSubstr("11 elements instead of 12"));
  input.set_tensor(1);
  EXPECT_THAT(violationOf(step, {12}), HasSubstr("public tensor 1 does not exist"));
  step.mutable_output();
  EXPECT_THAT(violationOf(step, {12}), HasSubstr("\"x\" is of kind input"));
}

TEST(Check, FixedColumns) {
  Step step;
  TableLookup& lookup = *step.mutable_table_lookup();
  lookup.set_out(1), lookup.set_column(2), lookup.set_first_row(4), lookup.set_rows(12);
  const std::vector<uint64_t> sizes = {5, 5};
  EXPECT_EQ(violationOf(step, sizes), "");
  lookup.set_rows(13);
  EXPECT_THAT(violationOf(step, sizes), HasSubstr("rows 4 + 13 do not lie in the 16 rows"));
  lookup.set_rows(0);
  EXPECT_THAT(violationOf(step, sizes), HasSubstr("rows 4 + 0 do not"));
  lookup.set_rows(UINT64_MAX);
  EXPECT_THAT(violationOf(step, sizes), HasSubstr("2^63"));
  lookup.set_rows(INT64_MAX), lookup.set_first_row(INT64_MAX);
  EXPECT_THAT(violationOf(step, sizes), HasSubstr("do not lie"));
  lookup.set_rows(1), lookup.set_first_row(0), lookup.set_column(3);
  EXPECT_THAT(violationOf(step, sizes), HasSubstr("columns 3 + 1 of table \"t\" are not fixed"));
  lookup.set_column(UINT32_MAX);
  EXPECT_THAT(violationOf(step, sizes), HasSubstr("are not fixed"));
  lookup.set_table(1);
  EXPECT_THAT(violationOf(step, sizes), HasSubstr("table 1 does not exist"));
}

TEST(Check, StridesStayInTheBuffer) {
  Step step;
  MatMul& m = *step.mutable_matmul();
  m.set_rhs(1), m.set_out(2), m.set_batch(1), m.set_m(2), m.set_k(3), m.set_n(4);
  auto set = [](Strides* s, int64_t row) { s->set_row(row), s->set_column(1); };
  set(m.mutable_lhs_strides(), 3), set(m.mutable_rhs_strides(), 4), set(m.mutable_out_strides(), 4);
  const std::vector<uint64_t> sizes = {6, 12, 8};
  EXPECT_EQ(violationOf(step, sizes), "");
  m.mutable_rhs_strides()->set_offset(1);
  EXPECT_EQ(violationOf(step, sizes),
            "every index of rhs_strides is within rhs; indices leave 1 of 12 elements");
  m.mutable_rhs_strides()->set_offset(0);
  m.mutable_lhs_strides()->set_row(INT64_MIN);
  EXPECT_THAT(violationOf(step, sizes), HasSubstr("indices leave 0"));
}

TEST(Check, CellsOfPlacements) {
  Placement p;
  p.set_column(3), p.set_lanes(1);
  Dim& dim = *p.add_dims();
  dim.set_count(16), dim.set_row_stride(1), dim.set_value_stride(1);
  const TestSurroundings surroundings({16});
  EXPECT_FALSE(findViolation(placementDef(), p, surroundings));
  EXPECT_THAT(std::string(checkCells(p, 0, surroundings).message()),
              HasSubstr("not all of phase 0"));
  dim.set_count(17);
  EXPECT_THAT(findViolation(placementDef(), p, surroundings)->here, HasSubstr("rows leave"));
}

// Sizes multiply without wrapping to what is there.
TEST(Check, LargeShapes) {
  Step step;
  Softmax& s = *step.mutable_softmax();
  s.set_heads(1u << 31), s.set_queries(1u << 31), s.set_keys(4), s.set_lanes(1);
  EXPECT_THAT(violationOf(step, {0}), HasSubstr("leaves 64 bits"));
}

}  // namespace
}  // namespace lindero::program
