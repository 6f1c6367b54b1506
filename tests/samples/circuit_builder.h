// Small circuits for tests, written by hand: the builder appends to the protobuf messages and
// returns indices.
#ifndef LINDERO_TESTS_UNIT_RUNTIME_CIRCUIT_BUILDER_H_
#define LINDERO_TESTS_UNIT_RUNTIME_CIRCUIT_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/field/m31.h"
#include "runtime/package/circuit.pb.h"

namespace lindero::runtime::testing {

class CircuitBuilder {
 public:
  CircuitBuilder() {
    circuit.set_format(1);
    circuit.set_modulus(kModulus);
    circuit.set_extension_degree(4);
    circuit.add_segments()->set_name("all");
  }

  uint32_t table(const std::string& name, uint32_t log_height) {
    Table* t = circuit.add_tables();
    t->set_name(name);
    t->set_log_height(log_height);
    uint32_t index = circuit.tables_size() - 1;
    circuit.mutable_segments(0)->add_tables(index);
    return index;
  }
  // Columns are added in the order of their phases.
  uint32_t column(uint32_t table, const std::string& name, uint32_t phase) {
    Column* c = circuit.mutable_tables(table)->add_columns();
    c->set_name(name);
    c->set_phase(phase);
    return circuit.tables(table).columns_size() - 1;
  }
  Column& columnAt(uint32_t table, uint32_t column) {
    return *circuit.mutable_tables(table)->mutable_columns(column);
  }
  uint32_t challenge(const std::string& name, uint32_t phase) {
    Challenge* c = circuit.add_challenges();
    c->set_name(name);
    c->set_phase(phase);
    return circuit.challenges_size() - 1;
  }
  uint32_t group(const std::string& name) {
    circuit.add_sum_groups()->set_name(name);
    return circuit.sum_groups_size() - 1;
  }
  uint32_t claimedSum(const std::string& name, uint32_t table, uint32_t group) {
    ClaimedSum* c = circuit.add_claimed_sums();
    c->set_name(name);
    c->set_table(table);
    c->set_group(group);
    return circuit.claimed_sums_size() - 1;
  }
  uint32_t bus(const std::string& name, uint32_t width, uint32_t phase) {
    Bus* b = circuit.add_buses();
    b->set_name(name);
    b->set_width(width);
    b->set_phase(phase);
    return circuit.buses_size() - 1;
  }
  void instance(uint32_t table, uint64_t first_row, uint64_t rows, const std::string& node,
                const std::string& region) {
    Instance* i = circuit.mutable_tables(table)->add_instances();
    i->set_first_row(first_row);
    i->set_rows(rows);
    i->set_node(node);
    i->set_region(region);
  }

  uint32_t node(Node::Op op, uint32_t a = 0, uint32_t b = 0, int32_t offset = 0) {
    Node* n = circuit.add_nodes();
    n->set_op(op);
    n->set_a(a);
    n->set_b(b);
    n->set_offset(offset);
    return circuit.nodes_size() - 1;
  }
  uint32_t constant(int64_t v) { return node(Node::CONSTANT, M31::fromSigned(v).value()); }
  uint32_t read(uint32_t table, uint32_t column, int32_t offset = 0) {
    return node(Node::COLUMN, table, column, offset);
  }
  uint32_t drawn(uint32_t challenge) { return node(Node::CHALLENGE, challenge); }
  uint32_t published(uint32_t claimed_sum) { return node(Node::CLAIMED_SUM, claimed_sum); }
  uint32_t add(uint32_t a, uint32_t b) { return node(Node::ADD, a, b); }
  uint32_t sub(uint32_t a, uint32_t b) { return node(Node::SUB, a, b); }
  uint32_t mul(uint32_t a, uint32_t b) { return node(Node::MUL, a, b); }

  void constrain(uint32_t table, const std::string& name, uint32_t node,
                 Constraint::Kind kind = Constraint::LOCAL) {
    Constraint* c = circuit.mutable_tables(table)->add_constraints();
    c->set_name(name);
    c->set_node(node);
    c->set_kind(kind);
  }
  Lookup& lookup(uint32_t table, const std::string& name, uint32_t bus, uint32_t multiplicity,
                 const std::vector<uint32_t>& tuple) {
    Lookup* l = circuit.mutable_tables(table)->add_lookups();
    l->set_name(name);
    l->set_bus(bus);
    l->set_multiplicity(multiplicity);
    for (uint32_t n : tuple) l->add_tuple(n);
    return *l;
  }
  // Rows are offsets[0] + tuple[key].
  Lookup& provide(uint32_t table, const std::string& name, uint32_t bus,
                  uint32_t multiplicity_column, const std::vector<uint32_t>& tuple, uint32_t key,
                  int64_t offset) {
    Lookup& l = lookup(table, name, bus, read(table, multiplicity_column), tuple);
    l.set_provide(true);
    l.set_multiplicity_column(multiplicity_column);
    l.set_key(key);
    l.add_offsets(offset);
    return l;
  }

  // Makes a column a scan, with its constraint.
  void scan(uint32_t table, uint32_t column, const std::string& name, uint32_t mul_node,
            uint32_t add_node) {
    columnAt(table, column).mutable_scan()->set_mul(mul_node);
    columnAt(table, column).mutable_scan()->set_add(add_node);
    uint32_t not_first = sub(constant(1), node(Node::IS_FIRST));
    uint32_t before = mul(mul(not_first, mul_node), read(table, column, -1));
    constrain(table, name, sub(sub(read(table, column), before), add_node));
  }

  // Appends a running fraction column with its constraint; returns the column.
  uint32_t running(uint32_t table, const std::string& name, uint32_t phase, uint32_t numerator,
                   uint32_t denominator, uint32_t add_node, uint32_t group_index) {
    uint32_t index = column(table, name, phase);
    uint32_t claimed_sum_index = claimedSum(name, table, group_index);
    Fraction* f = columnAt(table, index).mutable_fraction();
    f->set_numerator(numerator);
    f->set_denominator(denominator);
    f->set_running(true);
    f->set_add(add_node);
    f->set_claimed_sum(claimed_sum_index);
    uint32_t step = add(sub(read(table, index), read(table, index, -1)),
                        mul(node(Node::IS_FIRST), published(claimed_sum_index)));
    constrain(table, name, sub(mul(sub(step, add_node), denominator), numerator));
    return index;
  }

  Circuit circuit;
};

}  // namespace lindero::runtime::testing

#endif  // LINDERO_TESTS_UNIT_RUNTIME_CIRCUIT_BUILDER_H_
