#include "runtime/package/circuit_reads.h"

#include <algorithm>

#include "runtime/package/field_path.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

bool isUnary(Node::Op op) { return op == Node::NEG || op == Node::INVERSE; }

template <typename T>
void sortUnique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

NodeReads readsOf(const Circuit& circuit, const Cone& cone) {
  NodeReads reads;
  std::vector<bool> inverted(cone.steps.size(), false);
  for (size_t i = cone.steps.size(); i-- > 0;) {
    const Cone::Step& step = cone.steps[i];
    const Node& node = circuit.nodes(static_cast<int>(step.node));
    if (step.op >= Node::ADD) {
      if (!inverted[i] && step.op != Node::INVERSE) continue;
      inverted[step.a] = inverted[step.b] = true;
    } else if (step.op == Node::COLUMN) {
      reads.columns.push_back({node.b(), node.offset()});
    } else if (step.op == Node::CHALLENGE) {
      reads.challenges.push_back(node.a());
      if (inverted[i]) reads.inverted.push_back(node.a());
    } else if (step.op == Node::CLAIMED_SUM) {
      reads.claimed_sums.push_back(node.a());
    } else {
      reads.selector |= step.op != Node::CONSTANT;
    }
  }
  sortUnique(reads.columns);
  sortUnique(reads.challenges);
  sortUnique(reads.inverted);
  sortUnique(reads.claimed_sums);
  return reads;
}

}  // namespace

bool NodeReads::readsColumn(uint32_t column) const {
  auto it = std::lower_bound(columns.begin(), columns.end(), std::pair(column, INT32_MIN));
  return it != columns.end() && it->first == column;
}

bool NodeReads::readsOtherRows(uint32_t column) const {
  auto it = std::lower_bound(columns.begin(), columns.end(), std::pair(column, INT32_MIN));
  for (; it != columns.end() && it->first == column; ++it) {
    if (it->second != 0) return true;
  }
  return false;
}

bool NodeReads::readsChallenge(uint32_t challenge) const {
  return std::binary_search(challenges.begin(), challenges.end(), challenge);
}

absl::StatusOr<CircuitReads> CircuitReads::create(const Circuit& circuit) {
  CircuitReads reads(circuit);
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    for (int c = firstColumnOfPhase(table, 2); c < table.columns_size(); ++c) {
      const Column& column = table.columns(c);
      for (uint32_t node : generatorNodes(column)) LINDERO_RETURN_IF_ERROR(reads.add(node));
      if (!column.has_fraction()) continue;
      LINDERO_RETURN_IF_ERROR(reads.addFractions(
          {static_cast<uint32_t>(t), static_cast<uint32_t>(c)}, column.fraction()));
    }
    for (const Constraint& constraint : table.constraints()) {
      LINDERO_RETURN_IF_ERROR(reads.add(constraint.node()));
    }
    for (const Lookup& lookup : table.lookups()) {
      for (uint32_t node : lookupNodes(lookup)) LINDERO_RETURN_IF_ERROR(reads.add(node));
    }
  }
  return reads;
}

absl::Status CircuitReads::addFractions(ColumnRef column, const Fraction& fraction) {
  const size_t before = fractions_.size();
  std::vector<SingleFraction> stack{{column, fraction.numerator(), fraction.denominator()}};
  while (!stack.empty()) {
    // Nodes are shared: a few of them can stand for more fractions than there is time for.
    if (fractions_.size() - before + stack.size() > kMaxFractions) {
      const Table& table = circuit_->tables(static_cast<int>(column.table));
      return FieldPath("circuit.pb")
          .at("tables", column.table, table.name())
          .at("columns", column.column, table.columns(static_cast<int>(column.column)).name())
          .error(FormatRule::kFractions, "it sums more than ", kMaxFractions, " fractions");
    }
    const SingleFraction top = stack.back();
    stack.pop_back();
    const Node& above = circuit_->nodes(static_cast<int>(top.numerator));
    const Node& below = circuit_->nodes(static_cast<int>(top.denominator));
    if (above.op() == Node::ADD && below.op() == Node::MUL) {
      const Node& left = circuit_->nodes(static_cast<int>(above.a()));
      const Node& right = circuit_->nodes(static_cast<int>(above.b()));
      if (left.op() == Node::MUL && right.op() == Node::MUL && left.b() == below.b() &&
          right.b() == below.a()) {
        LINDERO_RETURN_IF_ERROR(visit(16));  // as much memory
        stack.push_back({column, right.a(), below.b()});
        stack.push_back({column, left.a(), below.a()});
        continue;
      }
    }
    fractions_.push_back(top);
    LINDERO_RETURN_IF_ERROR(add(top.numerator));
    LINDERO_RETURN_IF_ERROR(add(top.denominator));
    LINDERO_RETURN_IF_ERROR(addFactors(top.denominator));
  }
  return absl::OkStatus();
}

absl::Status CircuitReads::addFactors(uint32_t denominator) {
  auto [at, fresh] = factors_.try_emplace(denominator);
  if (!fresh) return absl::OkStatus();
  // The largest node first: products come before their factors, and equal ones together.
  std::vector<uint32_t> products{denominator};
  while (!products.empty()) {
    std::pop_heap(products.begin(), products.end());
    const uint32_t top = products.back();
    products.pop_back();
    if (!products.empty() && products.front() == top) continue;
    LINDERO_RETURN_IF_ERROR(visit(1));
    const Node& node = circuit_->nodes(static_cast<int>(top));
    if (node.op() != Node::MUL && node.op() != Node::NEG) {
      at->second.push_back(top);
      continue;
    }
    products.push_back(node.a());
    std::push_heap(products.begin(), products.end());
    if (node.op() == Node::NEG) continue;
    products.push_back(node.b());
    std::push_heap(products.begin(), products.end());
  }
  std::reverse(at->second.begin(), at->second.end());
  for (uint32_t factor : at->second) LINDERO_RETURN_IF_ERROR(add(factor));
  return absl::OkStatus();
}

absl::Status CircuitReads::visit(uint64_t nodes) {
  visits_ += std::min(nodes, kMaxVisits);
  if (visits_ <= kMaxVisits) return absl::OkStatus();
  return FieldPath("circuit.pb")
      .error(FormatRule::kWork, "nodes: what its columns and constraints read has more than ",
             kMaxVisits, " nodes, those that are shared counted with each reader");
}

absl::Status CircuitReads::add(uint32_t node) {
  auto [at, fresh] = reads_.try_emplace(node);
  if (!fresh) {  // rules look at what each part reads
    const NodeReads& reads = at->second;
    return visit(1 + reads.columns.size() + reads.challenges.size() + reads.claimed_sums.size());
  }
  const Cone all = cone(node);
  at->second = readsOf(*circuit_, all);
  return visit(all.steps.size());
}

Cone CircuitReads::cone(uint32_t node) {
  ++walk_;
  std::vector<uint32_t> nodes, stack{node};
  mark_[node] = walk_;
  while (!stack.empty()) {
    const uint32_t top = stack.back();
    stack.pop_back();
    nodes.push_back(top);
    const Node& at = circuit_->nodes(static_cast<int>(top));
    if (at.op() < Node::ADD) continue;
    for (uint32_t operand : {at.a(), isUnary(at.op()) ? at.a() : at.b()}) {
      if (mark_[operand] == walk_) continue;
      mark_[operand] = walk_;
      stack.push_back(operand);
    }
  }
  std::sort(nodes.begin(), nodes.end());
  Cone result;
  result.steps.reserve(nodes.size());
  for (uint32_t n : nodes) {
    const Node& at = circuit_->nodes(static_cast<int>(n));
    Cone::Step step{at.op(), n, 0, 0};
    if (at.op() >= Node::ADD) {
      step.a = step_of_[at.a()];
      step.b = isUnary(at.op()) ? step.a : step_of_[at.b()];
    }
    step_of_[n] = static_cast<uint32_t>(result.steps.size());
    result.steps.push_back(step);
  }
  return result;
}

std::vector<uint32_t> lookupNodes(const Lookup& lookup) {
  std::vector<uint32_t> nodes{lookup.multiplicity()};
  nodes.insert(nodes.end(), lookup.tuple().begin(), lookup.tuple().end());
  return nodes;
}

}  // namespace lindero::runtime
