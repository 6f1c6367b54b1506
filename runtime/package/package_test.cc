#include "runtime/package/package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "runtime/field/m31.h"
#include "runtime/package/files.h"
#include "runtime/package/package_writer.h"
#include "runtime/package/proto_io.h"
#include "tests/samples/circuit_builder.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

TEST(Package, RoundTrip) {
  testing::Sample sample = testing::linearSample();
  std::string path = testing::freshFolder() + "/model.lindero";
  ASSERT_TRUE(testing::writeSample(sample, path).ok());
  absl::StatusOr<Package> package = Package::open(path);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ(serializeProto(package->circuit()), serializeProto(sample.circuit));
  EXPECT_EQ(serializeProto(package->program()), serializeProto(sample.program));
  EXPECT_EQ(package->circuitDigest(), sha256(serializeProto(sample.circuit)));
  EXPECT_TRUE(package->checkFixedValues().ok());
  for (const testing::FixedValues& fixed : sample.fixed) {
    absl::Span<const uint32_t> column = package->fixedColumn(fixed.table, fixed.column);
    for (size_t i = 0; i < column.size(); ++i) {
      int64_t expected = i < fixed.values.size() ? fixed.values[i] : 0;
      EXPECT_EQ(M31::fromCanonical(column[i]).centered(), expected);
    }
  }
  // x: 4 + w: 3 + y: 2 fixed columns of 8, 2 and 8 rows come before those of "range".
  EXPECT_EQ(package->fixedLayout().offset(3, 1), 4u * 8 + 3 * 2 + 2 * 8 + 512);
  EXPECT_EQ(package->traceLayout().cells(), 2u * 8 + 2 * 8 + 512);
  // Nothing else is left in the folder.
  int entries = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(path).parent_path())) {
    entries += entry.exists();
  }
  EXPECT_EQ(entries, 1);
}

TEST(Package, WriterReplacesPackagesOnly) {
  testing::Sample sample = testing::linearSample();
  std::string folder = testing::freshFolder(), path = folder + "/model.lindero";
  ASSERT_TRUE(testing::writeSample(sample, path).ok());
  ASSERT_TRUE(testing::writeSample(sample, path).ok());
  std::string other = folder + "/precious";
  std::ofstream(other) << "data";
  EXPECT_EQ(testing::writeSample(sample, other).code(), absl::StatusCode::kAlreadyExists);
  {
    // A writer that never finishes leaves the old package, and nothing beside it.
    auto writer = PackageWriter::create(path, sample.circuit, sample.program);
    ASSERT_TRUE(writer.ok()) << writer.status();
    EXPECT_FALSE(writer->addFile("../escape", "").ok());
    writer->fixedColumn(0, 0)[0] = kModulus;
    EXPECT_THAT(std::string(writer->finish().message()),
                HasSubstr("table \"x\", column \"start\", row 0"));
  }
  EXPECT_TRUE(Package::open(path).ok());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 2);
}

TEST(Package, MissingAndMisfitFiles) {
  std::string path = testing::freshFolder() + "/model.lindero";
  EXPECT_EQ(Package::open(path).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(testing::writeSample(testing::linearSample(), path).ok());
  std::filesystem::resize_file(path + "/fixed.bin", 100);
  EXPECT_THAT(std::string(Package::open(path).status().message()),
              HasSubstr("fixed.bin: F27: has 100 bytes"));
  PackageOptions verifier;
  verifier.fixed = verifier.program = false;
  std::filesystem::remove(path + "/program.pb");
  EXPECT_TRUE(Package::open(path, verifier).ok());
  EXPECT_EQ(Package::open(path).status().code(), absl::StatusCode::kNotFound);
}

struct BadCircuit {
  std::string name;
  std::function<void(Circuit&)> change;
  std::string message;
};

TEST(Package, RefusesBadCircuits) {
  auto node = [](Circuit& c, Node::Op op, uint32_t a, uint32_t b, int32_t offset) {
    Node* n = c.add_nodes();
    n->set_op(op);
    n->set_a(a);
    n->set_b(b);
    n->set_offset(offset);
    return static_cast<uint32_t>(c.nodes_size() - 1);
  };
  auto constrain = [](Circuit& c, uint32_t table, uint32_t node) {
    Constraint* k = c.mutable_tables(table)->add_constraints();
    k->set_name("bad");
    k->set_node(node);
  };
  const std::vector<BadCircuit> cases = {
      {"format", [](Circuit& c) { c.set_format(2); }, "format 2 is not known"},
      {"modulus", [](Circuit& c) { c.set_modulus(97); }, "modulus 97"},
      {"degree of the field", [](Circuit& c) { c.set_extension_degree(2); }, "extension_degree 2"},
      {"no tables", [](Circuit& c) { c.clear_tables(); }, "no table"},
      {"height", [](Circuit& c) { c.mutable_tables(1)->set_log_height(40); },
       "tables[1] \"w\": F2: log_height 40"},
      {"table name", [](Circuit& c) { c.mutable_tables(1)->set_name("x"); }, "\"x\" is used twice"},
      {"no name", [](Circuit& c) { c.mutable_tables(1)->set_name(""); }, "name is empty"},
      {"column order", [](Circuit& c) { c.mutable_tables(0)->mutable_columns(0)->set_phase(1); },
       "columns[1] \"t\": F4: columns are not ordered"},
      {"column phase", [](Circuit& c) { c.mutable_tables(0)->mutable_columns(9)->set_phase(4); },
       "phase 4"},
      {"generator missing",
       [](Circuit& c) { c.mutable_tables(0)->mutable_columns(6)->clear_scan(); },
       "\"a\": F4: a column of phase 2 or 3 has no generator"},
      {"generator too much",
       [](Circuit& c) { c.mutable_tables(0)->mutable_columns(5)->mutable_scan(); },
       "has a generator"},
      {"instances", [](Circuit& c) { c.mutable_tables(0)->mutable_instances(0)->set_rows(9); },
       "instances[0] \"/mlp/fc\": F6: rows 0 + 9"},
      {"forward node", [&](Circuit& c) { node(c, Node::ADD, 0, c.nodes_size(), 0); },
       "not an earlier node"},
      {"unknown op", [&](Circuit& c) { node(c, static_cast<Node::Op>(77), 0, 0, 0); },
       "unknown operation 77"},
      {"constant", [&](Circuit& c) { node(c, Node::CONSTANT, kModulus, 0, 0); },
       "not a canonical residue"},
      {"node table", [&](Circuit& c) { node(c, Node::COLUMN, 9, 0, 0); }, "table 9 does not exist"},
      {"node column", [&](Circuit& c) { node(c, Node::COLUMN, 0, 99, 0); }, "has no column 99"},
      {"offset", [&](Circuit& c) { node(c, Node::COLUMN, 0, 0, 2); }, "row offset 2"},
      {"challenge", [&](Circuit& c) { node(c, Node::CHALLENGE, 99, 0, 0); }, "challenge 99"},
      {"claimed_sum", [&](Circuit& c) { node(c, Node::CLAIMED_SUM, 99, 0, 0); }, "claimed sum 99"},
      {"inverse of a column",
       [&](Circuit& c) { node(c, Node::INVERSE, node(c, Node::COLUMN, 0, 0, 0), 0, 0); },
       "INVERSE of"},
      {"two tables",
       [&](Circuit& c) {
         node(c, Node::ADD, node(c, Node::COLUMN, 0, 0, 0), node(c, Node::COLUMN, 1, 0, 0), 0);
       },
       "reads columns of two tables"},
      {"foreign constraint", [&](Circuit& c) { constrain(c, 1, node(c, Node::COLUMN, 0, 0, 0)); },
       "reads columns of another table, \"x\""},
      {"missing node", [&](Circuit& c) { constrain(c, 1, 100000); }, "node 100000 does not exist"},
      {"degree",
       [&](Circuit& c) {
         uint32_t x = node(c, Node::COLUMN, 1, 0, 0);
         uint32_t square = node(c, Node::MUL, x, x, 0);
         constrain(c, 1, node(c, Node::MUL, square, square, 0));
       },
       "degree 4 is more than 3"},
      {"challenge too late", [](Circuit& c) { c.mutable_challenges(0)->set_phase(2); },
       "challenge that is drawn after phase 2"},
      {"challenge phase", [](Circuit& c) { c.mutable_challenges(0)->set_phase(3); },
       "phase 3 is not 1 or 2"},
      {"column too late",
       [&](Circuit& c) {
         c.mutable_tables(0)->mutable_columns(6)->mutable_scan()->set_add(
             node(c, Node::COLUMN, 0, 9, 0));
       },
       "scan.add: reads a column of a later phase"},
      {"runs as long as the table",
       [](Circuit& c) {
         c.mutable_tables(0)->mutable_columns(6)->mutable_scan()->set_rows(
             1u << c.tables(0).log_height());
       },
       "\"a\": F14: scan.rows 8 is not below the table's height"},
      {"claimed sum of the same phase",
       [&](Circuit& c) {
         c.mutable_tables(0)->mutable_columns(6)->mutable_scan()->set_add(
             node(c, Node::CLAIMED_SUM, 0, 0, 0));
       },
       "reads a claimed sum of phase 2"},
      {"circular columns",
       [&](Circuit& c) {
         c.mutable_tables(0)->mutable_columns(6)->mutable_scan()->set_add(
             node(c, Node::COLUMN, 0, 6, -1));
       },
       "columns[6] \"a\": F13: its generator depends on the column itself"},
      {"circular gather",
       [](Circuit& c) {
         GatherSource* s =
             c.mutable_tables(1)->mutable_columns(3)->mutable_gather()->mutable_sources(0);
         s->set_table(1);
         s->set_column(3);
         s->set_rows(2);
       },
       "depends on the column itself"},
      {"gather index",
       [&](Circuit& c) {
         c.mutable_tables(1)->mutable_columns(3)->mutable_gather()->set_index(
             node(c, Node::COLUMN, 1, 4, 0));
       },
       "reads more than fixed columns"},
      {"gather phase",
       [](Circuit& c) {
         c.mutable_tables(1)->mutable_columns(3)->mutable_gather()->mutable_sources(0)->set_column(
             0);
       },
       "another phase"},
      {"gather rows",
       [](Circuit& c) {
         c.mutable_tables(1)->mutable_columns(3)->mutable_gather()->mutable_sources(0)->set_rows(9);
       },
       "more rows than the source table"},
      {"claimed sum without column",
       [](Circuit& c) {
         ClaimedSum* claimed_sum = c.add_claimed_sums();
         claimed_sum->set_name("lost");
       },
       "\"lost\": F16: no running column publishes it"},
      {"claimed sum twice",
       [](Circuit& c) {
         c.mutable_tables(0)->mutable_columns(9)->mutable_fraction()->set_claimed_sum(0);
       },
       "several running columns"},
      {"claimed sum of another table", [](Circuit& c) { c.mutable_claimed_sums(0)->set_table(1); },
       "claimed sum 0 is of another table"},
      {"lookup width", [](Circuit& c) { c.mutable_tables(2)->mutable_lookups(0)->add_tuple(0); },
       "has 3 components"},
      {"lookup bus", [](Circuit& c) { c.mutable_tables(2)->mutable_lookups(0)->set_bus(9); },
       "bus 9"},
      {"bus phase", [](Circuit& c) { c.mutable_buses(0)->set_phase(1); },
       "reads a phase after the bus's"},
      {"key known too late",
       [](Circuit& c) { c.mutable_tables(0)->mutable_lookups(0)->set_key(1); },
       "tuple[1] finds the provider's row"},
      {"multiplicity column",
       [](Circuit& c) { c.mutable_tables(0)->mutable_lookups(0)->set_multiplicity_column(0); },
       "not a column of phase 1"},
      {"multiplicity",
       [&](Circuit& c) {
         c.mutable_tables(0)->mutable_lookups(0)->set_multiplicity(
             node(c, Node::CHALLENGE, 0, 0, 0));
       },
       "multiplicity: reads more"},
      {"offsets", [](Circuit& c) { c.mutable_tables(0)->mutable_lookups(0)->clear_offsets(); },
       "0 offsets"},
      {"public range", [](Circuit& c) { c.mutable_publics(0)->set_low(101); },
       "[low, high] = [101, 100]"},
      {"public shape", [](Circuit& c) { c.mutable_publics(0)->set_rows(0); }, "0 x 2 is empty"},
      {"public tensors",
       [](Circuit& c) {
         while (c.publics_size() <= 4096) *c.add_publics() = PublicTensor(c.publics(0));
       },
       "more than 4096 public tensors"},
      {"public tile", [](Circuit& c) { c.mutable_publics(0)->set_tile_rows(0); },
       "F17: a tile of 0"},
      {"public address", [](Circuit& c) { c.mutable_publics(0)->set_address(kModulus); },
       "addresses"},
      {"public challenge", [](Circuit& c) { c.mutable_publics(0)->set_row_challenge(50); },
       "challenge 50"},
      {"segments", [](Circuit& c) { c.mutable_segments(0)->mutable_tables()->RemoveLast(); },
       "table 3 is in no segment"},
      {"segment twice", [](Circuit& c) { c.mutable_segments(0)->add_tables(0); },
       "table 0 is in two segments"},
  };
  ASSERT_TRUE(analyzeCircuit(testing::linearSample().circuit).ok());
  for (const BadCircuit& bad : cases) {
    Circuit circuit = testing::linearSample().circuit;
    bad.change(circuit);
    absl::StatusOr<CircuitInfo> info = analyzeCircuit(circuit);
    ASSERT_FALSE(info.ok()) << bad.name;
    EXPECT_THAT(std::string(info.status().message()), HasSubstr(bad.message)) << bad.name;
    EXPECT_THAT(std::string(info.status().message()), HasSubstr("circuit.pb: ")) << bad.name;
  }
}

TEST(Package, RefusesBadLinks) {
  auto groupOf = [](const Circuit& c, const std::string& name) {
    for (int g = 0; g < c.sum_groups_size(); ++g) {
      if (c.sum_groups(g).name() == name) return static_cast<uint32_t>(g);
    }
    return kModulus;
  };
  const std::vector<BadCircuit> cases = {
      {"one block", [](Circuit& c) { c.set_most_blocks(1); }, "most_blocks 1 of a circuit with 1"},
      {"no blocks", [](Circuit& c) { c.set_most_blocks(0); }, "most_blocks 0 of a circuit with 1"},
      {"many blocks", [](Circuit& c) { c.set_most_blocks(65537); }, "most_blocks 65537"},
      {"blocks without a link", [](Circuit& c) { c.clear_links(); },
       "most_blocks 3 of a circuit with 0 links"},
      {"no group", [](Circuit& c) { c.mutable_links(0)->set_in(9); },
       "links[0]: sum group 9 does not exist, or is linked twice"},
      {"in and out", [](Circuit& c) { c.mutable_links(0)->set_in(c.links(0).out()); },
       "is linked twice"},
      {"twice",
       [](Circuit& c) {
         c.add_sum_groups()->set_name("more");
         Link& link = *c.add_links();
         link.set_in(c.links(0).in());
         link.set_out(static_cast<uint32_t>(c.sum_groups_size() - 1));
       },
       "links[1]: sum group"},
      {"public tensor", [](Circuit& c) { c.mutable_publics(0)->set_group(c.links(0).in()); },
       "publics: \"x\" is of a sum group that is linked"},
      {"its groups' public tensors",
       [&](Circuit& c) { c.mutable_links(0)->set_out(groupOf(c, "public")); },
       "is of a sum group that is linked"},
      {"late challenges", [&](Circuit& c) { c.mutable_links(0)->set_out(groupOf(c, "range")); },
       "blocks share the challenges of phase 1 alone"},
      {"nothing is left",
       [](Circuit& c) {
         c.mutable_links(0)->set_out(static_cast<uint32_t>(c.sum_groups_size()));
         c.add_sum_groups()->set_name("more");
       },
       "is linked, and has no claimed sum"},
  };
  ASSERT_TRUE(analyzeCircuit(testing::linkedSample()).ok());
  for (const BadCircuit& bad : cases) {
    Circuit circuit = testing::linkedSample();
    bad.change(circuit);
    absl::StatusOr<CircuitInfo> info = analyzeCircuit(circuit);
    ASSERT_FALSE(info.ok()) << bad.name;
    EXPECT_THAT(std::string(info.status().message()), HasSubstr(bad.message)) << bad.name;
    EXPECT_THAT(std::string(info.status().message()), HasSubstr("circuit.pb: ")) << bad.name;
  }
}

struct BadProgram {
  std::string name;
  std::function<void(Program&)> change;
  std::string message;
};

TEST(Package, RefusesBadPrograms) {
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

TEST(Package, RefusesBadStepsOfBlocks) {
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
    absl::StatusOr<ProgramInfo> info = analyzeProgram(program, circuit);
    ASSERT_FALSE(info.ok()) << bad.name;
    EXPECT_THAT(std::string(info.status().message()), HasSubstr(bad.message)) << bad.name;
  }
  // A circuit without links has no slots.
  EXPECT_THAT(
      std::string(
          analyzeProgram(linkedProgram(), testing::linearSample().circuit).status().message()),
      HasSubstr("link_in: slot 0 of a circuit with 0 links"));
}

TEST(Package, LevelsFollowDependencies) {
  absl::StatusOr<CircuitInfo> info = analyzeCircuit(testing::linearSample().circuit);
  ASSERT_TRUE(info.ok()) << info.status();
  auto levelOf = [&](ColumnRef ref) {
    for (int phase = 2; phase <= 3; ++phase) {
      for (size_t level = 0; level < info->levels[phase].size(); ++level) {
        for (const ColumnRef& other : info->levels[phase][level]) {
          if (other == ref) return static_cast<int>(level);
        }
      }
    }
    return -1;
  };
  EXPECT_EQ(levelOf({0, 6}), 0);  // x.a
  EXPECT_EQ(levelOf({1, 3}), 1);  // w.a, gathered from it
  EXPECT_EQ(levelOf({1, 5}), 2);  // w.product_sum
  EXPECT_EQ(levelOf({2, 5}), 1);  // y.weighted reads y.power
  EXPECT_EQ(levelOf({2, 9}), 1);  // y.range_sum adds y.range_q
}

// What Package::open does with the bytes of the two files, without the files.
absl::Status readBytes(const std::string& circuit_bytes, const std::string& program_bytes) {
  Circuit circuit;
  absl::Status parsed = parseProto(circuit_bytes, kCircuitFile, circuit);
  if (!parsed.ok()) return parsed;
  absl::StatusOr<CircuitInfo> info = analyzeCircuit(circuit);
  if (!info.ok()) return info.status();
  Program program;
  parsed = parseProto(program_bytes, kProgramFile, program);
  if (!parsed.ok()) return parsed;
  return analyzeProgram(program, circuit).status();
}

// Bytes that a fuzzer would try: nothing may crash.
// What is decoded to the same message, for this reader or for another one: later fields win,
// defaults are left out, numbers of 32 bits lose what is above.
TEST(Package, RefusesOtherBytesForTheSameCircuit) {
  const std::string path = testing::freshFolder() + "/model.lindero";
  ASSERT_TRUE(testing::writeSample(testing::linearSample(), path).ok());
  const std::string bytes = *readFile(path + "/circuit.pb", 1 << 20);
  const std::string most_blocks = "\x68";  // field 13, a number
  for (const std::string& more :
       {most_blocks + std::string(1, '\0'), most_blocks + "\x80" + std::string(1, '\0'),
        most_blocks + "\x80\x80\x80\x80\x10", std::string("\x08\x01")}) {
    ASSERT_TRUE(writeFile(path + "/circuit.pb", bytes + more).ok());
    EXPECT_THAT(std::string(Package::open(path).status().message()),
                HasSubstr("is not in the deterministic encoding"));
  }
  ASSERT_TRUE(writeFile(path + "/circuit.pb", bytes).ok());
  EXPECT_TRUE(Package::open(path).ok());
}

TEST(Package, SurvivesDamagedBytes) {
  testing::Sample sample = testing::linearSample();
  const std::string circuit = serializeProto(sample.circuit),
                    program = serializeProto(sample.program);
  std::mt19937_64 random(11);
  for (const std::string& good : {circuit, program}) {
    size_t accepted = 0;
    for (size_t i = 0; i < 6 * good.size(); ++i) {
      std::string bad = good;
      size_t at = i % good.size();
      if (i < good.size()) {
        bad.resize(at);
      } else if (i < 3 * good.size()) {
        bad[at] = static_cast<char>(random());
      } else if (i < 5 * good.size()) {
        bad[at] ^= static_cast<char>(1 << (random() % 8));
      } else {
        bad.insert(at, 1, static_cast<char>(random()));
      }
      absl::Status status = good == circuit ? readBytes(bad, program) : readBytes(circuit, bad);
      accepted += status.ok();
      if (!status.ok()) {
        ASSERT_FALSE(status.message().empty());
      }
    }
    // Most damage is noticed; that to names and constants cannot be.
    EXPECT_LT(accepted, 3 * good.size());
  }
}

TEST(Package, SurvivesDamagedFiles) {
  std::string path = testing::freshFolder() + "/model.lindero";
  ASSERT_TRUE(testing::writeSample(testing::linearSample(), path).ok());
  for (const char* name : {kCircuitFile, kProgramFile, kFixedFile}) {
    std::string file = path + "/" + name;
    std::string good = *readFile(file, 1 << 20);
    for (size_t keep : {size_t{0}, size_t{1}, good.size() / 2, good.size() - 1}) {
      ASSERT_TRUE(writeFile(file, good.substr(0, keep)).ok());
      absl::StatusOr<Package> package = Package::open(path);
      ASSERT_FALSE(package.ok()) << name << " " << keep;
      EXPECT_THAT(std::string(package.status().message()), HasSubstr(path)) << name << " " << keep;
    }
    ASSERT_TRUE(writeFile(file, good).ok());
  }
  EXPECT_TRUE(Package::open(path).ok());
}

TEST(Package, UnknownFieldsAreRefused) {
  std::string path = testing::freshFolder() + "/model.lindero";
  ASSERT_TRUE(testing::writeSample(testing::linearSample(), path).ok());
  std::string bytes = *readFile(path + "/circuit.pb", 1 << 20);
  ASSERT_TRUE(writeFile(path + "/circuit.pb", bytes + std::string("\xa0\x06\x01", 3)).ok());
  EXPECT_THAT(std::string(Package::open(path).status().message()), HasSubstr("does not know"));
}

}  // namespace
}  // namespace lindero::runtime
