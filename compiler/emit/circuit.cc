#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/emit/emit.h"
#include "ir/air/analysis.h"
#include "ir/core/field.h"
#include "llvm/ADT/DenseMap.h"
#include "runtime/package/bundle.h"

namespace lindero::compiler {
namespace {

class CircuitWriter {
 public:
  explicit CircuitWriter(const ir::Function& function) : function_(function) {}

  absl::StatusOr<Circuit> run() {
    circuit_.set_format(1);
    circuit_.set_modulus(static_cast<uint32_t>(ir::kFieldModulus));
    circuit_.set_extension_degree(4);
    collectNames();
    addOuter();
    for (const ir::Op* table : tables_) addTable(*table);
    Segment* segment = circuit_.add_segments();
    segment->set_name("whole");
    for (size_t i = 0; i < tables_.size(); ++i) segment->add_tables(i);
    return std::move(circuit_);
  }

 private:
  void collectNames() {
    for (const ir::Op& op : function_.body().ops()) {
      if (op.is("air.group")) {
        groups_[op.stringAttr("name")] = circuit_.sum_groups_size();
        circuit_.add_sum_groups()->set_name(op.stringAttr("name"));
      } else if (op.is("air.bus")) {
        buses_[op.stringAttr("name")] = circuit_.buses_size();
        Bus* bus = circuit_.add_buses();
        bus->set_name(op.stringAttr("name"));
        bus->set_width(op.intAttr("width"));
        bus->set_phase(op.intAttr("phase"));
      } else if (op.is("air.challenge")) {
        challenges_[op.stringAttr("name")] = circuit_.challenges_size();
        Challenge* challenge = circuit_.add_challenges();
        challenge->set_name(op.stringAttr("name"));
        challenge->set_phase(op.intAttr("after"));
      } else if (op.is("air.table")) {
        table_ids_[op.stringAttr("name")] = tables_.size();
        tables_.push_back(&op);
      }
    }
    for (size_t t = 0; t < tables_.size(); ++t) numberColumns(t);
  }

  // Columns stand in the order of their phases; within a phase, of the text.
  void numberColumns(size_t t) {
    uint32_t next = 0;
    for (int64_t phase = 0; phase <= 3; ++phase) {
      for (const ir::Op& op : tables_[t]->block()->ops()) {
        if (!ir::air::isColumn(op) || op.intAttr("phase") != phase) continue;
        columns_[op.result()] = {static_cast<uint32_t>(t), next};
        column_ids_[{static_cast<uint32_t>(t), op.stringAttr("name")}] = next++;
      }
    }
  }

  void addOuter() {
    for (const ir::Op& op : function_.body().ops()) {
      if (op.is("air.public") && op.has("slot")) {
        circuit_.mutable_sum_groups(static_cast<int>(groups_.at(op.symbolAttr("group"))))
            ->set_exported(true);
      } else if (op.is("air.public")) {
        addPublic(op);
      } else if (op.is("air.link")) {
        for (const char* end : {"in", "out"}) {
          const auto group = static_cast<int>(groups_.at(op.symbolAttr(end)));
          circuit_.mutable_sum_groups(group)->set_exported(true);
        }
      } else if (op.is("air.challenge")) {
        nodes_[op.result()] = node(Node::CHALLENGE, challenges_.at(op.stringAttr("name")));
      } else if (!op.is("air.table") && op.numResults() == 1) {
        addExpression(op);
      }
    }
  }

  void addPublic(const ir::Op& op) {
    PublicTensor* p = circuit_.add_publics();
    p->set_name(op.stringAttr("name"));
    p->set_kind(op.stringAttr("kind") == "output" ? PublicTensor::OUTPUT : PublicTensor::INPUT);
    p->set_rows(op.intAttr("rows"));
    p->set_columns(op.intAttr("columns"));
    p->set_low(op.intAttr("low"));
    p->set_high(op.intAttr("high"));
    p->set_exponent(op.intAttr("exponent"));
    p->set_group(groups_.at(op.symbolAttr("group")));
    p->set_negative(op.boolAttr("negative"));
    p->set_address(op.intAttr("address"));
    p->set_tile_rows(op.intAttr("tile_rows"));
    p->set_tile_columns(op.intAttr("tile_columns"));
    const auto& names = std::get<std::vector<std::string>>(*op.find("challenges"));
    p->set_address_challenge(challenges_.at(names[0]));
    p->set_row_challenge(challenges_.at(names[1]));
    p->set_column_challenge(challenges_.at(names[2]));
  }

  uint32_t node(Node::Op op, uint32_t a = 0, uint32_t b = 0, int32_t offset = 0) {
    auto [it, made] = made_.try_emplace({op, a, b, offset}, circuit_.nodes_size());
    if (made) {
      Node* n = circuit_.add_nodes();
      n->set_op(op);
      n->set_a(a);
      n->set_b(b);
      n->set_offset(offset);
    }
    return it->second;
  }

  uint32_t at(ir::Value* value) { return nodes_.at(value); }

  void addExpression(const ir::Op& op) {
    static const std::map<llvm::StringRef, Node::Op> kOps = {
        {"air.add", Node::ADD},     {"air.sub", Node::SUB},         {"air.mul", Node::MUL},
        {"air.neg", Node::NEG},     {"air.inverse", Node::INVERSE}, {"air.first", Node::IS_FIRST},
        {"air.last", Node::IS_LAST}};
    if (op.is("air.constant")) {
      nodes_[op.result()] = node(Node::CONSTANT, ir::residue(op.intAttr("value")));
    } else if (op.is("air.shift")) {
      auto [table, column] = columns_.at(op.operand(0));
      nodes_[op.result()] = node(Node::COLUMN, table, column, op.intAttr("offset"));
    } else if (ir::air::isColumn(op)) {
      auto [table, column] = columns_.at(op.result());
      nodes_[op.result()] = node(Node::COLUMN, table, column);
    } else if (auto it = kOps.find(op.name()); it != kOps.end() && op.numResults() == 1) {
      uint32_t a = op.numOperands() > 0 ? at(op.operand(0)) : 0;
      uint32_t b = op.numOperands() > 1 ? at(op.operand(1)) : 0;
      nodes_[op.result()] = node(it->second, a, b);
    }
  }

  void addTable(const ir::Op& op) {
    uint32_t id = table_ids_.at(op.stringAttr("name"));
    Table* table = circuit_.add_tables();
    table->set_name(op.stringAttr("name"));
    table->set_log_height(op.intAttr("log_height"));
    std::map<uint32_t, const ir::Op*> columns;
    for (const ir::Op& inner : op.block()->ops()) {
      if (ir::air::isColumn(inner)) columns[columns_.at(inner.result()).second] = &inner;
    }
    for (auto& [column, inner] : columns) {
      Column* c = table->add_columns();
      c->set_name(inner->stringAttr("name"));
      c->set_phase(inner->intAttr("phase"));
    }
    for (const ir::Op& inner : op.block()->ops()) {
      addExpression(inner);
      if (ir::air::isColumn(inner))
        addGenerator(id, *table, inner);
      else if (inner.is("air.constrain"))
        addConstraint(*table, inner);
      else if (inner.is("air.lookup") || inner.is("air.provide"))
        addLookup(*table, inner);
      else if (inner.is("air.instance"))
        addInstance(*table, inner);
    }
  }

  static Constraint::Kind kindOf(const ir::Op& op) {
    if (!op.has("kind") || op.stringAttr("kind") == "local") return Constraint::LOCAL;
    return op.stringAttr("kind") == "boundary" ? Constraint::BOUNDARY : Constraint::CONTINUITY;
  }

  static void constrain(Table& table, const std::string& name, uint32_t node,
                        Constraint::Kind kind) {
    Constraint* c = table.add_constraints();
    c->set_name(name);
    c->set_node(node);
    c->set_kind(kind);
  }

  void addConstraint(Table& table, const ir::Op& op) {
    constrain(table, op.stringAttr("name"), at(op.operand(0)), kindOf(op));
  }

  // A generated column and the constraint that defines it.
  void addGenerator(uint32_t id, Table& table, const ir::Op& op) {
    uint32_t index = columns_.at(op.result()).second;
    Column* column = table.mutable_columns(index);
    uint32_t cell = node(Node::COLUMN, id, index);
    uint32_t before = cell;
    if (op.is("air.scan") || (op.is("air.fraction") && op.boolAttr("running"))) {
      before = node(Node::COLUMN, id, index, -1);
    }
    if (op.is("air.expression")) {
      column->mutable_expression()->set_value(at(op.operand(0)));
      constrain(table, column->name(), node(Node::SUB, cell, at(op.operand(0))), Constraint::LOCAL);
    } else if (op.is("air.scan")) {
      Scan* scan = column->mutable_scan();
      scan->set_mul(at(op.operand(0)));
      scan->set_add(at(op.operand(1)));
      scan->set_rows(static_cast<uint32_t>(op.intAttrOr("rows", 0)));
      uint32_t not_first = node(Node::SUB, node(Node::CONSTANT, 1), node(Node::IS_FIRST));
      uint32_t carried = node(Node::MUL, node(Node::MUL, not_first, scan->mul()), before);
      uint32_t rest = node(Node::SUB, node(Node::SUB, cell, carried), scan->add());
      constrain(table, column->name(), rest, Constraint::LOCAL);
    } else if (op.is("air.fraction")) {
      addFraction(id, table, *column, op, cell, before);
    } else if (op.is("air.gather")) {
      addGather(*column->mutable_gather(), op);
    }
  }

  void addFraction(uint32_t id, Table& table, Column& column, const ir::Op& op, uint32_t cell,
                   uint32_t before) {
    Fraction* f = column.mutable_fraction();
    f->set_numerator(at(op.operand(0)));
    f->set_denominator(at(op.operand(1)));
    uint32_t own = cell;
    if (op.boolAttr("running")) {
      f->set_running(true);
      f->set_claimed_sum(circuit_.claimed_sums_size());
      ClaimedSum* claimed_sum = circuit_.add_claimed_sums();
      claimed_sum->set_name(absl::StrCat(table.name(), ".", column.name()));
      claimed_sum->set_table(id);
      claimed_sum->set_group(groups_.at(op.symbolAttr("group")));
      f->set_add(op.numOperands() > 2 ? at(op.operand(2)) : node(Node::CONSTANT, 0));
      uint32_t start =
          node(Node::MUL, node(Node::IS_FIRST), node(Node::CLAIMED_SUM, f->claimed_sum()));
      own = node(Node::SUB, node(Node::ADD, node(Node::SUB, cell, before), start), f->add());
    }
    uint32_t rest = node(Node::SUB, node(Node::MUL, own, f->denominator()), f->numerator());
    constrain(table, column.name(), rest, kindOf(op));
  }

  void addGather(Gather& gather, const ir::Op& op) {
    gather.set_index(at(op.operand(0)));
    const auto& tables = std::get<std::vector<std::string>>(*op.find("source_tables"));
    const auto& columns = std::get<std::vector<std::string>>(*op.find("source_columns"));
    for (size_t i = 0; i < tables.size(); ++i) {
      GatherSource* source = gather.add_sources();
      source->set_table(table_ids_.at(tables[i]));
      source->set_column(column_ids_.at({source->table(), columns[i]}));
      source->set_base(op.intsAttr("source_bases")[i]);
      source->set_rows(op.intsAttr("source_rows")[i]);
    }
  }

  void addLookup(Table& table, const ir::Op& op) {
    Lookup* lookup = table.add_lookups();
    lookup->set_name(op.stringAttr("name"));
    lookup->set_bus(buses_.at(op.symbolAttr("bus")));
    lookup->set_multiplicity(at(op.operand(0)));
    for (unsigned i = 1; i < op.numOperands(); ++i) lookup->add_tuple(at(op.operand(i)));
    if (!op.is("air.provide")) return;
    lookup->set_provide(true);
    lookup->set_multiplicity_column(columns_.at(op.operand(0)).second);
    lookup->set_key(op.intAttr("key"));
    lookup->set_has_selector(op.has("selector"));
    lookup->set_selector(op.intAttrOr("selector", 0));
    for (int64_t offset : op.intsAttr("offsets")) lookup->add_offsets(offset);
  }

  static void addInstance(Table& table, const ir::Op& op) {
    Instance* instance = table.add_instances();
    instance->set_first_row(op.intAttr("first_row"));
    instance->set_rows(op.intAttr("rows"));
    instance->set_node(absl::StrJoin(op.location(), " + "));
    instance->set_region(op.stringAttr("region"));
  }

  const ir::Function& function_;
  Circuit circuit_;
  std::vector<const ir::Op*> tables_;
  std::map<std::string, uint32_t> groups_, buses_, challenges_, table_ids_;
  llvm::DenseMap<ir::Value*, std::pair<uint32_t, uint32_t>> columns_;
  std::map<std::pair<uint32_t, std::string>, uint32_t> column_ids_;
  llvm::DenseMap<ir::Value*, uint32_t> nodes_;
  std::map<std::tuple<int, uint32_t, uint32_t, int32_t>, uint32_t> made_;
};

}  // namespace

absl::StatusOr<Circuit> makeCircuit(const ir::Module& module) {
  const ir::Function* function = module.findFunction("circuit");
  if (!function) return absl::InvalidArgumentError("the module has no function @circuit to emit");
  return CircuitWriter(*function).run();
}

Bundle makeBundle(const ir::Module& module, const Circuit& circuit) {
  auto group = [&](llvm::StringRef name) {
    const auto& groups = circuit.sum_groups();
    return static_cast<uint32_t>(
        std::find_if(groups.begin(), groups.end(),
                     [&](const SumGroup& of) { return of.name() == name; }) -
        groups.begin());
  };
  for (const ir::Op& op : module.findFunction("circuit")->body().ops()) {
    if (!op.is("air.link")) continue;
    return runtime::bundleOfSteps(group(op.symbolAttr("in")), group(op.symbolAttr("out")),
                                  static_cast<uint32_t>(op.intAttr("most_blocks")));
  }
  return runtime::bundleOfOne();
}

}  // namespace lindero::compiler
