#include "runtime/package/circuit_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "runtime/field/m31.h"
#include "tests/samples/circuit_builder.h"
#include "tests/samples/sample_circuits.h"

namespace lindero::runtime {
namespace {

using ::testing::HasSubstr;

struct BadCircuit {
  std::string name;
  std::function<void(Circuit&)> change;
  std::string message;
};

TEST(CircuitInfo, RefusesBadCircuits) {
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

TEST(CircuitInfo, RefusesBadExports) {
  auto exported = [](Circuit& c, const std::string& name) {
    for (SumGroup& group : *c.mutable_sum_groups()) {
      if (group.name() == name) group.set_exported(true);
    }
  };
  const std::vector<BadCircuit> cases = {
      {"public tensor",
       [](Circuit& c) {
         c.mutable_publics(0)->set_group(static_cast<uint32_t>(c.sum_groups_size() - 1));
       },
       "publics: \"x\" is of a sum group that is exported"},
      {"its groups' public tensors", [&](Circuit& c) { exported(c, "public"); },
       "is of a sum group that is exported"},
      {"late challenges", [&](Circuit& c) { exported(c, "range"); },
       "blocks share the challenges of phase 1 alone"},
      {"nothing is left",
       [&](Circuit& c) {
         c.add_sum_groups()->set_name("more");
         exported(c, "more");
       },
       "is exported, and has no claimed sum"},
  };
  ASSERT_TRUE(analyzeCircuit(testing::linkedSample()).ok());
  for (const BadCircuit& bad : cases) {
    Circuit circuit = testing::linkedSample();
    bad.change(circuit);
    absl::StatusOr<CircuitInfo> info = analyzeCircuit(circuit);
    ASSERT_FALSE(info.ok()) << bad.name;
    EXPECT_THAT(std::string(info.status().message()), HasSubstr(bad.message)) << bad.name;
    EXPECT_THAT(std::string(info.status().message()), HasSubstr("F19: ")) << bad.name;
  }
}

TEST(CircuitInfo, LevelsFollowDependencies) {
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

}  // namespace
}  // namespace lindero::runtime
