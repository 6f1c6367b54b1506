#include "runtime/package/program_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "runtime/package/bundle_package.h"
#include "tests/samples/circuit_builder.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

struct BadProgram {
  std::string name;
  std::function<void(Program&)> change;
  std::string message;
};

TEST(ProgramInfo, RefusesBadPrograms) {
  const std::vector<BadProgram> cases = {
      {"format", [](Program& p) { p.set_format(0); }, "format 0"},
      {"buffer size", [](Program& p) { p.mutable_buffers(0)->set_size(0); },
       "buffers[0] \"x\": F28: size 0"},
      {"huge buffer", [](Program& p) { p.mutable_buffers(0)->set_size(uint64_t{1} << 60); },
       "size"},
      {"no kind", [](Program& p) { p.add_steps(); }, "no known kind"},
      {"input tensor", [](Program& p) { p.mutable_steps(0)->mutable_input()->set_tensor(7); },
       "tensor 7"},
      {"input kind", [](Program& p) { p.mutable_steps(0)->mutable_input()->set_tensor(1); },
       "input.tensor: public tensor \"y\" is of kind output"},
      {"missing buffer", [](Program& p) { p.mutable_steps(0)->mutable_input()->set_out(70); },
       "buffer 70"},
      {"size", [](Program& p) { p.mutable_steps(0)->mutable_input()->set_out(1); },
       "steps[0] \"/mlp/fc\": F29: input.out: buffer 1 \"w\" has 4 elements instead of 8"},
      {"unwritten", [](Program& p) { p.mutable_steps(2)->mutable_matmul()->set_lhs(3); },
       "before any step writes it"},
      {"in place", [](Program& p) { p.mutable_steps(3)->mutable_requantize()->set_quotient(2); },
       "written and named again"},
      {"load column",
       [](Program& p) { p.mutable_steps(1)->mutable_load()->mutable_placement()->set_lanes(4); },
       "are not all of phase 0"},
      {"load rows",
       [](Program& p) {
         p.mutable_steps(1)->mutable_load()->mutable_placement()->set_first_row(1);
       },
       "rows leave"},
      {"strides",
       [](Program& p) { p.mutable_steps(2)->mutable_matmul()->mutable_lhs_strides()->set_row(9); },
       "lhs_strides: indices leave"},
      {"huge strides",
       [](Program& p) {
         p.mutable_steps(2)->mutable_matmul()->mutable_lhs_strides()->set_row(INT64_MIN);
       },
       "lhs_strides: indices leave"},
      {"extent", [](Program& p) { p.mutable_steps(2)->mutable_matmul()->set_k(0); },
       "matmul.k: k = 0 (1 <= k <= 2^28)"},
      {"shift", [](Program& p) { p.mutable_steps(3)->mutable_requantize()->set_shift(0); },
       "requantize.shift: shift = 0 (1 <= shift <= 30)"},
      {"no output", [](Program& p) { p.mutable_steps()->RemoveLast(); },
       "\"y\" is output by 0 steps"},
      {"placement buffer", [](Program& p) { p.mutable_placements(0)->set_buffer(9); },
       "placements[0]: F32: buffer 9"},
      {"placement phase", [](Program& p) { p.mutable_placements(0)->set_column(0); },
       "not all of phase 1"},
      {"placement rows",
       [](Program& p) { p.mutable_placements(1)->mutable_dims(0)->set_row_stride(-4); },
       "rows leave"},
      {"placement count",
       [](Program& p) { p.mutable_placements(1)->mutable_dims(0)->set_count(uint64_t{1} << 63); },
       "counts"},
      {"placement stride",
       [](Program& p) { p.mutable_placements(1)->mutable_dims(0)->set_value_stride(INT64_MIN); },
       "stride"},
  };
  testing::Sample sample = testing::linearSample();
  ASSERT_TRUE(analyzeProgram(sample.program, sample.circuit).ok());
  for (const BadProgram& bad : cases) {
    Program program = sample.program;
    bad.change(program);
    absl::StatusOr<ProgramInfo> info = analyzeProgram(program, sample.circuit);
    ASSERT_FALSE(info.ok()) << bad.name;
    EXPECT_THAT(std::string(info.status().message()), HasSubstr(bad.message)) << bad.name;
  }
}

// What the block before left (4 values) and the sample's 8 in one buffer, whose last 4 are left; a
// softmax of 2 queries over 6 keys.
Program linkedProgram() {
  Program program = testing::linearSample().program;
  auto buffer = [&](const char* name, uint64_t size) {
    Buffer* b = program.add_buffers();
    b->set_name(name);
    b->set_size(size);
    return static_cast<uint32_t>(program.buffers_size() - 1);
  };
  const uint32_t quotient = program.steps(3).requantize().quotient();
  LinkIn& in = *program.add_steps()->mutable_link_in();
  in.set_out(buffer("earlier", 4));
  AppendRows& append = *program.add_steps()->mutable_append_rows();
  append.set_first(in.out());
  append.set_second(quotient);
  append.set_out(buffer("all", 12));
  LinkOut& out = *program.add_steps()->mutable_link_out();
  out.set_buffer(append.out());
  out.set_elements(4);
  Softmax& softmax = *program.add_steps()->mutable_softmax();
  softmax.set_scores(append.out());
  softmax.set_heads(1);
  softmax.set_queries(2);
  softmax.set_keys(6);
  softmax.set_lanes(2);
  softmax.set_causal(true);
  softmax.set_exp_table(0);
  softmax.set_live_rows(2);
  softmax.set_normalizer_low_limb(buffer("low", 2));
  softmax.set_normalizer_high_limb(buffer("high", 2));
  softmax.set_bin(buffer("bin", 12));
  softmax.set_width(buffer("width", 12));
  softmax.set_remainder(buffer("remainder", 12));
  softmax.set_probability(buffer("p", 12));
  softmax.set_previous_probability(buffer("previous p", 12));
  softmax.set_probability_sums(buffer("sums", 6));
  softmax.set_previous_probability_sums(buffer("previous sums", 6));
  softmax.set_open_windows(quotient);
  softmax.set_open(buffer("open", 6));
  return program;
}

TEST(ProgramInfo, RefusesBadStepsOfBlocks) {
  auto softmax = [](Program& p) -> Softmax& { return *p.mutable_steps(8)->mutable_softmax(); };
  const std::vector<BadProgram> cases = {
      {"appended", [](Program& p) { p.mutable_buffers(6)->set_size(11); },
       "append_rows.out: buffer 6 \"all\" has 11 elements instead of 12"},
      {"slot", [](Program& p) { p.mutable_steps(5)->mutable_link_in()->set_slot(65536); },
       "link_in.slot: slot = 65536 (slot < 2^16)"},
      {"left slot", [](Program& p) { p.mutable_steps(7)->mutable_link_out()->set_slot(65536); },
       "link_out.slot: slot = 65536 (slot < 2^16)"},
      {"linked by nobody", [](Program& p) { p.mutable_steps(7)->mutable_link_out()->set_slot(1); },
       "no link_in has slot 1 and 4 elements"},
      {"fewer elements",
       [](Program& p) { p.mutable_steps(7)->mutable_link_out()->set_elements(3); },
       "no link_in has slot 0 and 3 elements"},
      {"more elements than there are",
       [](Program& p) {
         p.mutable_buffers(5)->set_size(8);
         p.mutable_buffers(6)->set_size(16);
         p.mutable_steps(7)->mutable_link_out()->set_elements(8);
         p.mutable_steps(7)->mutable_link_out()->set_buffer(1);
       },
       "link_out.elements: elements = 8, size(buffer) = 4"},
      {"unwritten", [](Program& p) { p.mutable_steps(7)->mutable_link_out()->set_buffer(16); },
       "before any step writes it"},
      {"what is unwritten", [](Program& p) { p.mutable_steps()->DeleteSubrange(5, 1); },
       "before any step writes it"},
      {"not causal", [&](Program& p) { softmax(p).set_causal(false); },
       "softmax.open_windows: causal = 0 (causal == 1)"},
      {"one window",
       [&](Program& p) {
         softmax(p).set_queries(2), softmax(p).set_keys(2), softmax(p).set_heads(3);
         for (int b : {7, 8}) p.mutable_buffers(b)->set_size(6);
       },
       "softmax.open_windows: queries = 2, keys = 2 (2 * queries <= keys)"},
      {"no whole windows",
       [&](Program& p) {
         p.mutable_buffers(5)->set_size(2);
         for (int b : {6, 9, 10, 11, 12, 13, 14, 15, 16}) p.mutable_buffers(b)->set_size(10);
         p.mutable_steps(7)->mutable_link_out()->set_elements(2);
         softmax(p).set_keys(5), softmax(p).set_lanes(1);
       },
       "softmax.open_windows: keys = 5, queries = 2 (keys % queries == 0)"},
      {"lanes of two windows",
       [&](Program& p) {
         softmax(p).set_lanes(3);
         for (int b : {14, 15, 16}) p.mutable_buffers(b)->set_size(4);
       },
       "softmax.open_windows: queries = 2, lanes = 3 (queries % lanes == 0)"},
      {"lanes that do not divide the keys", [&](Program& p) { softmax(p).set_lanes(4); },
       "softmax.lanes: keys = 6, lanes = 4 (keys % lanes == 0)"},
      {"open", [](Program& p) { p.mutable_buffers(16)->set_size(12); },
       "softmax.open: buffer 16 \"open\" has 12 elements instead of 6"},
      {"open windows", [&](Program& p) { softmax(p).set_open_windows(70); }, "buffer 70"},
      {"open windows not known yet",
       [&](Program& p) { softmax(p).set_open_windows(softmax(p).open()); },
       "reads buffer 16 \"open\" before any step writes it"},
  };
  const Circuit circuit = testing::linkedSample();
  ASSERT_EQ(analyzeProgram(linkedProgram(), circuit).status(), absl::OkStatus());
  for (const BadProgram& bad : cases) {
    Program program = linkedProgram();
    bad.change(program);
    absl::Status status = analyzeProgram(program, circuit).status();
    const Program* const programs[] = {&program};
    if (status.ok()) status = checkSlots(programs);
    ASSERT_FALSE(status.ok()) << bad.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.message)) << bad.name;
  }
  // A circuit that exports nothing has no slots.
  EXPECT_THAT(
      std::string(
          analyzeProgram(linkedProgram(), testing::linearSample().circuit).status().message()),
      HasSubstr("link_in: slot 0 of a circuit that exports nothing"));
}

// What one member leaves another one takes.
TEST(ProgramInfo, SlotsAreOfAllMembers) {
  Program gives, takes;
  LinkOut& out = *gives.add_steps()->mutable_link_out();
  out.set_slot(3), out.set_elements(4);
  takes.add_buffers()->set_size(4);
  takes.add_steps()->mutable_link_in()->set_slot(3);
  EXPECT_EQ(checkSlots({{&gives, &takes}}), absl::OkStatus());
  EXPECT_THAT(std::string(checkSlots({{&gives}}).message()),
              HasSubstr("link_out: no link_in has slot 3 and 4 elements"));
  takes.mutable_buffers(0)->set_size(8);
  EXPECT_FALSE(checkSlots({{&gives, &takes}}).ok());
}

}  // namespace
}  // namespace lindero::runtime
