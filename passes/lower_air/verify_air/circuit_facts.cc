#include "passes/lower_air/verify_air/circuit_facts.h"

#include "ir/air/analysis.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::passes {
namespace {

using ir::air::Variable;

bool isUser(const ir::Op& op) {
  return (ir::air::isColumn(op) && !op.is("air.column")) || op.is("air.constrain") ||
         op.is("air.lookup") || op.is("air.provide") || op.is("air.term");
}

// n / d as the two fractions that it is made of; none: it is one.
std::vector<SingleFraction> halves(const SingleFraction& f) {
  const ir::Op *product = f.den->definingOp(), *sum = f.num->definingOp();
  if (!product->is("air.mul") || !sum->is("air.add")) return {};
  const ir::Value *d1 = product->operand(0), *d2 = product->operand(1);
  const ir::Op *left = sum->operand(0)->definingOp(), *right = sum->operand(1)->definingOp();
  if (!left->is("air.mul") || !right->is("air.mul") || left->operand(1) != d2 ||
      right->operand(1) != d1) {
    return {};
  }
  return {{f.op, left->operand(0), d1}, {f.op, right->operand(0), d2}};
}

}  // namespace

CircuitFacts::CircuitFacts(ir::Function& circuit) {
  for (const ir::Op& op : circuit.body().ops()) {
    if (op.is("air.table")) readTable(op);
    if (op.is("air.link")) {
      for (const char* end : {"in", "out"}) linked_groups_.insert(op.symbolAttr(end));
    } else if (op.is("air.public")) {
      (op.has("slot") ? linked_groups_ : public_groups_).insert(op.symbolAttr("group"));
      for (const std::string& name : std::get<std::vector<std::string>>(*op.find("challenges"))) {
        public_challenges_.insert(name);
      }
    }
  }
}

void CircuitFacts::split(const ir::Op& op, std::vector<SingleFraction>& out) {
  const size_t before = out.size();
  std::vector<SingleFraction> stack{{&op, op.operand(0), op.operand(1)}};
  while (!stack.empty()) {
    if (out.size() - before + stack.size() > kMaxFractions) {
      if (!crowded_) crowded_ = &op;
      return;
    }
    const SingleFraction f = stack.back();
    stack.pop_back();
    const std::vector<SingleFraction> parts = halves(f);
    if (parts.empty()) out.push_back(f);
    for (const SingleFraction& part : llvm::reverse(parts)) stack.push_back(part);
  }
}

void CircuitFacts::readTable(const ir::Op& op) {
  CircuitTable table;
  table.op = &op;
  for (const ir::Op& inner : op.block()->ops()) {
    if (ir::air::isColumn(inner)) {
      table.columns.push_back(&inner);
      columns_[{table.name(), inner.stringAttr("name")}] = &inner;
    }
    if (inner.is("air.constrain")) table.constraints.push_back(&inner);
    if (inner.is("air.term") || inner.is("air.fraction")) {
      split(inner, table.fractions);
    }
    if (inner.is("air.gather")) {
      const auto& tables = std::get<std::vector<std::string>>(*inner.find("source_tables"));
      const auto& columns = std::get<std::vector<std::string>>(*inner.find("source_columns"));
      for (size_t i = 0; i < tables.size(); ++i) sources_.insert({tables[i], columns[i]});
    }
    if (!isUser(inner)) continue;
    for (unsigned i = 0; i < inner.numOperands(); ++i) table.uses.push_back({&inner, i});
  }
  tables_.push_back(std::move(table));
}

const Reads& CircuitFacts::reads(const ir::Value* expression) {
  auto [it, made] = reads_.try_emplace(expression);
  Reads& reads = it->second;
  if (!made) return reads;
  llvm::SmallVector<const ir::Value*, 32> stack{expression};
  llvm::DenseSet<const ir::Value*> seen;
  while (!stack.empty()) {
    const ir::Value* v = stack.pop_back_val();
    if (!seen.insert(v).second) continue;
    const ir::Op& op = *v->definingOp();
    const std::optional<Variable> variable = ir::air::variableOf(op);
    if (!variable) {
      for (const ir::Value* operand : llvm::reverse(op.operands())) stack.push_back(operand);
      continue;
    }
    if (!reads.variables.insert(*variable).second) continue;
    if (op.is("air.challenge")) {
      reads.challenges.push_back(v);
    } else if (variable->selector != Variable::kNone) {
      reads.selectors = true;
    } else {
      const ir::Value* column = op.is("air.shift") ? op.operand(0) : v;
      if (!reads.column(column)) reads.columns.push_back(column);
    }
  }
  return reads;
}

std::vector<const ir::Value*> CircuitFacts::generatorReads(const ir::Op& column) {
  std::vector<const ir::Value*> out;
  for (const ir::Value* operand : column.operands()) {
    const Reads& reads = this->reads(operand);
    out.insert(out.end(), reads.columns.begin(), reads.columns.end());
  }
  if (!column.is("air.gather")) return out;
  const auto& tables = std::get<std::vector<std::string>>(*column.find("source_tables"));
  const auto& columns = std::get<std::vector<std::string>>(*column.find("source_columns"));
  for (size_t i = 0; i < tables.size(); ++i) {
    out.push_back(columns_.at({tables[i], columns[i]})->result());
  }
  return out;
}

namespace {

// Walks the column and what its generator depends on, until `stop` says so.
bool anyDependency(CircuitFacts& facts, const ir::Value* column,
                   llvm::function_ref<bool(const ir::Op&)> stop) {
  llvm::SmallVector<const ir::Value*, 16> stack{column};
  llvm::DenseSet<const ir::Value*> seen;
  while (!stack.empty()) {
    const ir::Value* v = stack.pop_back_val();
    if (!seen.insert(v).second) continue;
    const ir::Op& op = *v->definingOp();
    if (stop(op)) return true;
    for (const ir::Value* next : facts.generatorReads(op)) stack.push_back(next);
  }
  return false;
}

}  // namespace

bool CircuitFacts::dependsOnGathered(const ir::Value* column) {
  return anyDependency(*this, column, [](const ir::Op& op) { return op.is("air.gather"); });
}

bool CircuitFacts::dependsOn(const ir::Value* column, const ir::Value* challenge) {
  return anyDependency(*this, column, [&](const ir::Op& op) {
    return llvm::any_of(op.operands(),
                        [&](const ir::Value* v) { return reads(v).challenge(challenge); });
  });
}

int64_t CircuitFacts::determined(const ir::Value* column, const std::set<const ir::Value*>& bound) {
  const ir::Op& op = *column->definingOp();
  const int64_t phase = op.intAttr("phase");
  if (op.is("air.column") || (op.is("air.gather") && !bound.count(column))) return phase;
  auto [it, made] = determined_.try_emplace(column, -1);
  // Of a column that depends on itself nothing is known before it is committed.
  if (!made) return it->second < 0 ? phase : it->second;
  int64_t latest = 0;
  for (const ir::Value* read : generatorReads(op))
    latest = std::max(latest, determined(read, bound));
  return determined_[column] = latest;
}

bool CircuitFacts::isSource(const ir::Op& column) const {
  const ir::Op& table = *column.parent()->parentOp();
  return sources_.count({table.stringAttr("name"), column.stringAttr("name")}) > 0;
}

}  // namespace lindero::passes
