#include "runtime/check/influence.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/field/m31.h"

namespace lindero::runtime {

Influence::Influence(const Package& package, const ReadIndex& index)
    : package_(package),
      index_(index),
      constraints_(package.circuit().tables_size()),
      values_(package.circuit().nodes_size()),
      stamps_(package.circuit().nodes_size(), 0) {
  for (const CircuitPart& part : index.parts()) {
    if (part.kind == CircuitPart::Kind::kConstraint) constraints_[part.table].push_back(&part);
  }
}

void Influence::startRow(uint32_t table, uint64_t row, bool use_forced) {
  table_ = table;
  row_ = row;
  use_forced_ = use_forced;
  ++stamp_;
}

Influence::Value Influence::cell(const Node& node) {
  const Table& table = package_.circuit().tables(static_cast<int>(table_));
  const uint64_t mask = tableHeight(table) - 1;
  const uint64_t at = (row_ + static_cast<uint64_t>(int64_t{node.offset()})) & mask;
  const uint32_t phase = table.columns(static_cast<int>(node.b())).phase();
  if (phase == 0) return {Value::kKnown, package_.fixedColumn(table_, node.b())[at]};
  if (tainted_.contains({node.b(), at})) return {Value::kTainted};
  if (phase == 1 && use_forced_) {
    // Of another row they would be found with that row's neighbours, and so on.
    auto it = forced_.find({table_, at});
    if (it != forced_.end() && it->second.contains(node.b())) return {Value::kKnown, 0};
  }
  return {Value::kClean};
}

Influence::Value Influence::eval(uint32_t index) {
  if (stamps_[index] == stamp_) return values_[index];
  const Node& node = package_.circuit().nodes(static_cast<int>(index));
  Value value;
  const bool binary = node.op() == Node::ADD || node.op() == Node::SUB || node.op() == Node::MUL;
  if (binary) {
    const Value a = eval(node.a()), b = eval(node.b());
    const M31 x = M31::fromCanonical(a.known), y = M31::fromCanonical(b.known);
    if (node.op() == Node::MUL && (a.isZero() || b.isZero())) {
      value = {Value::kKnown, 0};
    } else if (a.kind == Value::kKnown && b.kind == Value::kKnown) {
      M31 result = node.op() == Node::ADD ? x + y : node.op() == Node::SUB ? x - y : x * y;
      value = {Value::kKnown, result.value()};
    } else {
      value.kind = std::max({a.kind, b.kind, Value::kClean});
    }
  } else if (node.op() == Node::CONSTANT) {
    value = {Value::kKnown, node.a()};
  } else if (node.op() == Node::COLUMN) {
    value = cell(node);
  } else if (node.op() == Node::IS_FIRST) {
    value = {Value::kKnown, row_ == 0 ? 1u : 0u};
  } else if (node.op() == Node::IS_LAST) {
    const uint64_t last = tableHeight(package_.circuit().tables(static_cast<int>(table_))) - 1;
    value = {Value::kKnown, row_ == last ? 1u : 0u};
  } else if (node.op() == Node::NEG) {
    value = eval(node.a());
    if (value.kind == Value::kKnown) value.known = (-M31::fromCanonical(value.known)).value();
  }
  values_[index] = value;
  stamps_[index] = stamp_;
  return value;
}

bool Influence::factors(uint32_t index, std::vector<uint32_t>& out) {
  const Value value = eval(index);
  if (value.isZero()) return false;
  if (value.kind == Value::kKnown) return true;
  const Node& node = package_.circuit().nodes(static_cast<int>(index));
  switch (node.op()) {
    case Node::MUL:
      return factors(node.a(), out) && factors(node.b(), out);
    case Node::NEG:
      return factors(node.a(), out);
    case Node::ADD:
    case Node::SUB:
      if (eval(node.a()).isZero()) return factors(node.b(), out);
      if (eval(node.b()).isZero()) return factors(node.a(), out);
      break;
    default:
      break;
  }
  out.push_back(index);
  return true;
}

bool Influence::quotientDepends(uint32_t numerator, uint32_t denominator) {
  std::vector<uint32_t> above, below;
  if (!factors(numerator, above)) return false;
  factors(denominator, below);
  for (uint32_t factor : above) {
    auto it = std::find(below.begin(), below.end(), factor);
    if (it != below.end()) {
      below.erase(it);
    } else if (eval(factor).kind == Value::kTainted) {
      return true;
    }
  }
  return std::any_of(below.begin(), below.end(),
                     [&](uint32_t f) { return eval(f).kind == Value::kTainted; });
}

bool Influence::depends(const CircuitPart& part) {
  auto tainted = [&](uint32_t node) { return eval(node).kind == Value::kTainted; };
  if (part.kind == CircuitPart::Kind::kLookup && eval(part.nodes[0]).isZero()) return false;
  if (part.kind == CircuitPart::Kind::kGenerator) {
    const Column& column = package_.circuit()
                               .tables(static_cast<int>(part.table))
                               .columns(static_cast<int>(part.index));
    if (column.has_fraction()) {
      return quotientDepends(part.nodes[0], part.nodes[1]) ||
             (part.nodes.size() > 2 && tainted(part.nodes[2]));
    }
  }
  return std::any_of(part.nodes.begin(), part.nodes.end(), tainted);
}

bool Influence::reads(const CircuitPart& part, uint64_t row, const Cell& cell) {
  tainted_ = {{cell.column, cell.row}};
  startRow(part.table, row, false);
  return depends(part);
}

// Constraints c * X * ... * X = 0 on the row, with c known and not zero. What they force may make
// more such.
const std::set<uint32_t>& Influence::forcedZeros(uint32_t table, uint64_t row) {
  auto [it, fresh] = forced_.try_emplace({table, row});
  if (!fresh) return it->second;
  std::set<RowCell> tainted;
  std::swap(tainted, tainted_);
  for (bool changed = true; changed;) {
    changed = false;
    startRow(table, row, true);
    for (const CircuitPart* part : constraints_[table]) {
      std::vector<uint32_t> product;
      if (!factors(part->nodes[0], product) || product.empty() ||
          product != std::vector<uint32_t>(product.size(), product[0])) {
        continue;
      }
      const Node& node = package_.circuit().nodes(static_cast<int>(product[0]));
      if (node.op() != Node::COLUMN || node.offset() != 0) continue;
      changed |= it->second.insert(node.b()).second;
    }
  }
  std::swap(tainted, tainted_);
  return it->second;
}

std::string Influence::describe(const CircuitPart& part) const {
  const Table& table = package_.circuit().tables(static_cast<int>(part.table));
  const int i = static_cast<int>(part.index);
  if (part.kind == CircuitPart::Kind::kConstraint) {
    return absl::StrCat("constraint ", table.name(), ".", table.constraints(i).name());
  }
  if (part.kind == CircuitPart::Kind::kLookup) {
    return absl::StrCat("lookup ", table.name(), ".", table.lookups(i).name());
  }
  return absl::StrCat("claimed sum ", table.name(), ".", table.columns(i).name());
}

std::string Influence::of(const Cell& start) {
  std::vector<Cell> open{start};
  std::map<uint32_t, std::set<RowCell>> reached;
  reached[start.table].insert({start.column, start.row});
  auto spread = [&](const Cell& next) {
    if (reached[next.table].insert({next.column, next.row}).second) open.push_back(next);
  };
  while (!open.empty()) {
    const Cell cell = open.back();
    open.pop_back();
    const Table& table = package_.circuit().tables(static_cast<int>(cell.table));
    const uint64_t height = tableHeight(table);
    auto start_row = [&](uint64_t row) {
      for (uint64_t r : {row + height - 1, row, row + 1}) {
        forcedZeros(cell.table, r & (height - 1));
      }
      tainted_ = reached[cell.table];
      startRow(cell.table, row, true);
    };
    for (const Read& read : index_.readsOf(cell.table, cell.column)) {
      const CircuitPart& part = index_.parts()[read.part];
      const uint64_t row = (cell.row - static_cast<uint64_t>(int64_t{read.offset})) & (height - 1);
      start_row(row);
      if (!depends(part)) continue;
      if (part.kind != CircuitPart::Kind::kGenerator) return describe(part);
      const Column& column = table.columns(static_cast<int>(part.index));
      if (column.has_fraction() && column.fraction().running()) return describe(part);
      spread({part.table, part.index, row});
    }
    const Column& own = table.columns(static_cast<int>(cell.column));
    if (own.has_scan() && cell.row + 1 < height) {
      start_row(cell.row + 1);
      if (!eval(own.scan().mul()).isZero()) spread({cell.table, cell.column, cell.row + 1});
    }
    for (const GatheredRow& g : index_.gatheredFrom(cell.table, cell.column, cell.row)) {
      const CircuitPart& part = index_.parts()[g.part];
      spread({part.table, part.index, g.row});
    }
  }
  return "";
}

}  // namespace lindero::runtime
