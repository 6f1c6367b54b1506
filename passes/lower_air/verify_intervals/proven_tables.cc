// What lookups prove: the rows that tables provide.
#include <numeric>

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "passes/lower_air/verify_intervals/proven_ranges.h"

namespace lindero::passes {

// A provider's tuple must be of fixed cells for the bus to be a table. Rows whose multiplicity is
// forced to zero provide nothing.
absl::Status ProvenRanges::readBuses() {
  for (ir::Op& op : circuit_->body().ops()) {
    if (op.is("air.bus")) buses_[op.stringAttr("name")].columns.resize(op.intAttr("width"));
  }
  std::set<std::string> provided;
  for (size_t t = 0; t < tables_.size(); ++t) {
    TableRows& rows = tables_[t].rows;
    for (ir::Op& op : rows.op().block()->ops()) {
      if (!op.is("air.provide")) continue;
      provided.insert(busName(op));
      Bus& bus = buses_.at(busName(op));
      std::vector<std::vector<const Polynomial*>> parts(rows.classes().size());
      for (size_t c = 0; c < parts.size(); ++c) {
        for (ir::Value* v : op.operands().drop_front()) {
          const Form* form = rows.form(c, v);
          const Polynomial* p = form ? plain(*form) : nullptr;
          bool fixed = p && isLinear(*p);
          for (const auto& [monomial, k] : p ? *p : Polynomial()) {
            fixed &= monomial.empty() || (rows.phase(monomial[0].column) == 0 &&
                                          !monomial[0].before && rows.isStored(monomial[0].column));
          }
          bus.fixed &= fixed;
          parts[c].push_back(p);
        }
      }
      if (!bus.fixed) continue;
      int count = rows.indexOf(op.operand(0));
      for (int64_t row = 0; row < rows.height(); ++row) {
        int c = rows.classOf(row);
        if (tables_[t].ranges[c][count] == Interval::of(0)) continue;
        for (size_t i = 0; i < parts[c].size(); ++i) {
          __int128 v = 0;
          for (const auto& [monomial, k] : *parts[c][i]) {
            v += __int128(k) * (monomial.empty() ? 1 : rows.fixedAt(monomial[0].column, row));
          }
          bus.columns[i].push_back(symmetric(v));
        }
      }
    }
  }
  std::vector<TableRows*> tables;
  for (Table& table : tables_) tables.push_back(&table.rows);
  for (auto& [name, bus] : buses_) {
    if (!provided.count(name)) IR_RETURN_IF_ERROR(tagged_.read(name, tables));
  }
  for (auto& [name, bus] : buses_) {
    if (!bus.fixed || bus.columns.empty() || bus.columns[0].empty()) continue;
    std::vector<size_t> order(bus.columns[0].size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return bus.columns[0][a] < bus.columns[0][b]; });
    for (auto& column : bus.columns) {
      std::vector<int64_t> sorted;
      for (size_t i : order) sorted.push_back(column[i]);
      column = std::move(sorted);
      auto [low, high] = std::minmax_element(column.begin(), column.end());
      bus.hulls.push_back(Interval::between(*low, *high));
    }
    for (size_t i = 0; i < order.size(); ++i) {
      auto [it, made] = bus.by_first.try_emplace(bus.columns[0][i], i, i + 1);
      it->second.second = i + 1;
    }
  }
  return absl::OkStatus();
}

std::optional<std::vector<Interval>> ProvenRanges::provided(
    const std::string& name, const std::vector<MaybeInterval>& tuple) {
  Bus& bus = buses_.at(name);
  if (bus.hulls.empty()) return std::nullopt;
  std::string key;
  for (const MaybeInterval& r : tuple) {
    if (!r) {
      key += "?";
    } else {
      absl::StrAppend(&key, r->low, ":", r->high, ":");
      for (int64_t v : r->listed) absl::StrAppend(&key, v, ",");
    }
    key += ";";
  }
  if (auto it = bus.asked.find(key); it != bus.asked.end()) return it->second;
  size_t first = 0, end = bus.columns[0].size();
  if (tuple[0] && tuple[0]->isConstant()) {
    auto it = bus.by_first.find(tuple[0]->low);
    if (it == bus.by_first.end()) return bus.asked[key] = std::nullopt;
    std::tie(first, end) = it->second;
  }
  std::vector<std::set<int64_t>> values(tuple.size());
  std::vector<int64_t> low(tuple.size(), INT64_MAX), high(tuple.size(), INT64_MIN);
  for (size_t row = first; row < end; ++row) {
    bool fits = true;
    for (size_t i = 0; i < tuple.size(); ++i) {
      fits &= !tuple[i] || tuple[i]->contains(bus.columns[i][row]);
    }
    if (!fits) continue;
    for (size_t i = 0; i < tuple.size(); ++i) {
      int64_t v = bus.columns[i][row];
      low[i] = std::min(low[i], v), high[i] = std::max(high[i], v);
      if (values[i].size() <= Interval::kMaxListed) values[i].insert(v);
    }
  }
  if (low[0] > high[0]) return bus.asked[key] = std::nullopt;
  std::vector<Interval> out;
  for (size_t i = 0; i < tuple.size(); ++i) {
    out.push_back(values[i].size() <= Interval::kMaxListed
                      ? Interval::list({values[i].begin(), values[i].end()})
                      : Interval::between(low[i], high[i]));
  }
  bus.asked[key] = out;
  return out;
}

MaybeInterval ProvenRanges::providedHull(const std::string& name, size_t position) const {
  const Bus& bus = buses_.at(name);
  if (position >= bus.hulls.size()) return std::nullopt;
  return bus.hulls[position];
}

absl::StatusOr<bool> ProvenRanges::useLookup(int table, int c, ir::Op& op) {
  if (tagged_.has(busName(op))) return useTagged(table, c, op);
  Table& t = tables_[table];
  const Form* on = t.rows.form(c, op.operand(0));
  if (!on || !plain(*on) || plain(*on)->empty() || !isTable(busName(op))) return false;
  Bus& bus = buses_.at(busName(op));
  if (bus.hulls.empty()) return false;
  std::vector<MaybeInterval> known;
  for (size_t i = 1; i < op.numOperands(); ++i) {
    const Form* form = t.rows.form(c, op.operand(i));
    if (!form || !plain(*form)) return false;
    known.push_back(value(table, c, op.operand(i)));
    // What could wrap says nothing about the row that is meant.
    if (known.back() && !sameOverIntegers(*known.back(), bus.hulls[i - 1])) known.back().reset();
  }
  auto rows = provided(busName(op), known);
  if (!rows) return false;
  return narrowTuple(table, c, op, known, std::vector<MaybeInterval>(rows->begin(), rows->end()));
}

MaybeInterval ProvenRanges::given(const TaggedBuses::Use& use, size_t position) {
  MaybeInterval all;
  for (int giver : use.givers) {
    const TaggedBuses::Use& from = tagged_.uses()[giver];
    MaybeInterval r = value(from.table, from.c, from.op->operand(1 + position));
    if (!r) return std::nullopt;
    all = all ? hull(*all, *r) : *r;
  }
  return all;
}

// Of a class on some of whose rows the lookup is off, nothing follows.
bool ProvenRanges::useTagged(int table, int c, ir::Op& op) {
  bool changed = false;
  for (const TaggedBuses::Use* use : tagged_.usesOf(op, c)) {
    if (use->gives || use->rows < tables_[table].rows.classSize(c)) continue;
    std::vector<MaybeInterval> known, found;
    for (size_t i = 0; i + 1 < op.numOperands(); ++i) {
      const Form* form = tables_[table].rows.form(c, op.operand(i + 1));
      if (!form || !plain(*form)) return changed;
      known.push_back(value(table, c, op.operand(i + 1)));
      found.push_back(i == 0 ? std::nullopt : given(*use, i));
      if (known[i] && found[i] && !sameOverIntegers(*known[i], *found[i])) known[i].reset();
    }
    changed |= narrowTuple(table, c, op, known, found);
  }
  return changed;
}

// `known` of a tuple's elements before it was found to be one of those, each in an interval.
bool ProvenRanges::narrowTuple(int table, int c, ir::Op& op, llvm::ArrayRef<MaybeInterval> known,
                               llvm::ArrayRef<MaybeInterval> found) {
  Table& t = tables_[table];
  bool changed = false;
  for (size_t i = 0; i < found.size(); ++i) {
    MaybeInterval all = value(table, c, op.operand(i + 1));
    if (!found[i] || (all && !known[i])) continue;  // refused later on
    const Polynomial p = *plain(*t.rows.form(c, op.operand(i + 1)));
    int unknown = 0;
    for (const auto& [monomial, k] : p) unknown += !polynomial(table, c, {{monomial, 1}});
    if (!isLinear(p) || unknown > 1) continue;
    bool meant = unknown == 0;
    for (const auto& [monomial, k] : p) {
      if (monomial.empty() || monomial[0].before || !t.rows.isWitness(monomial[0].column) ||
          (k != 1 && k != -1)) {
        continue;
      }
      Polynomial others = p;
      others.erase(monomial);
      MaybeInterval rest = polynomial(table, c, others);
      if (!rest) continue;
      changed |= narrow(table, c, monomial[0].column, (*found[i] - *rest) * Interval::of(k));
      meant = true;
    }
    if (meant && p.size() - p.count({}) > 1) {
      auto [it, made] = t.bounded[c].try_emplace(p, *found[i]);
      Interval next = made ? it->second : meet(it->second, *found[i]);
      changed |= made || next != it->second;
      it->second = next;
    }
  }
  return changed;
}

}  // namespace lindero::passes
