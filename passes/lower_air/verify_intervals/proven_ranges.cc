#include "passes/lower_air/verify_intervals/proven_ranges.h"

#include "absl/strings/str_cat.h"
#include "ir/air/analysis.h"
#include "ir/core/status_macros.h"

namespace lindero::passes {
namespace {

// Facts travel along a few edges and sums; a circuit that needs more rounds is refused.
constexpr int kMaxRounds = 64;

// Cells of the row before, or several factors.
bool isPlainCell(const Monomial& m) { return m.size() == 1 && !m[0].before; }

bool readsElsewhere(const Polynomial& p, Cell cell) {
  for (const auto& [monomial, c] : p) {
    if (monomial != Monomial{cell} && llvm::is_contained(monomial, cell)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProvenRanges>> ProvenRanges::compute(
    ir::Module& module, llvm::function_ref<absl::Status(ProvenRanges&)> given) {
  auto out = std::make_unique<ProvenRanges>();
  out->module_ = &module;
  out->circuit_ = module.findFunction("circuit");
  IR_RETURN_IF_ERROR(out->readTables());
  // Which rows of a provider are in use is a matter of constraints.
  for (size_t t = 0; t < out->tables_.size(); ++t) {
    for (ir::Op& op : out->tables_[t].rows.op().block()->ops()) {
      if (op.is("air.constrain")) IR_RETURN_IF_ERROR(out->useConstraint(t, op).status());
    }
  }
  IR_RETURN_IF_ERROR(out->readBuses());
  IR_RETURN_IF_ERROR(out->readEdges());
  if (given) IR_RETURN_IF_ERROR(given(*out));
  IR_RETURN_IF_ERROR(out->settle());
  return out;
}

absl::Status ProvenRanges::settle() {
  for (int round = 0;; ++round) {
    absl::StatusOr<bool> changed = propagate();
    if (!changed.ok()) return changed.status();
    if (!*changed) return absl::OkStatus();
    if (round == kMaxRounds) {
      return absl::FailedPreconditionError(
          "the proven ranges do not settle; a value bounds itself");
    }
  }
}

absl::Status ProvenRanges::readTables() {
  for (ir::Op& op : circuit_->body().ops()) {
    if (!op.is("air.table")) continue;
    absl::StatusOr<TableRows> rows = TableRows::read(module_->constants(), op);
    if (!rows.ok()) return rows.status();
    Table& table = tables_.emplace_back(*std::move(rows));
    size_t columns = table.rows.columns().size();
    table.bounded.resize(table.rows.classes().size());
    for (const TableRows::Class& c : table.rows.classes()) {
      auto& ranges = table.ranges.emplace_back(columns);
      for (size_t i = 0; i < columns; ++i) {
        if (table.rows.phase(i) == 0) ranges[i] = c.fixed[i];
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ProvenRanges::refused(int table, int c, const std::string& what,
                                   const std::string& why) const {
  return absl::FailedPreconditionError(
      absl::StrCat(tables_[table].rows.describe(what, c), ": ", why));
}

bool ProvenRanges::narrow(int table, int c, int column, const Interval& to) {
  MaybeInterval& range = tables_[table].ranges[c][column];
  Interval next = to;
  if (range) {
    if (!sameOverIntegers(*range, to)) return false;
    next = meet(*range, to);
    if (next == *range) return false;
  }
  range = next;
  return true;
}

MaybeInterval ProvenRanges::cellRange(int table, int c, Cell cell) const {
  const Table& t = tables_[table];
  if (!cell.before) return t.ranges[c][cell.column];
  MaybeInterval out;
  for (int b : t.rows.classes()[c].before) {
    const MaybeInterval& r = t.ranges[b][cell.column];
    if (!r) return std::nullopt;
    out = out ? hull(*out, *r) : *r;
  }
  return out;
}

MaybeInterval ProvenRanges::polynomial(int table, int c, const Polynomial& p) const {
  Interval sum = Interval::of(0);
  for (const auto& [monomial, k] : p) {
    Interval value = Interval::of(k);
    for (const Cell& cell : monomial) {
      MaybeInterval r = cellRange(table, c, cell);
      if (!r) return std::nullopt;
      value = value * *r;
    }
    sum = sum + value;
  }
  const auto& bounded = tables_[table].bounded[c];
  if (auto it = bounded.find(p); it != bounded.end()) sum = meet(sum, it->second);
  return sum;
}

Polynomial ProvenRanges::simplify(int table, int c, const Polynomial& p) const {
  Polynomial out;
  for (const auto& [monomial, k] : p) {
    Monomial rest;
    int64_t factor = k;
    for (const Cell& cell : monomial) {
      MaybeInterval r = cellRange(table, c, cell);
      if (r && r->isConstant()) {
        factor = symmetric(__int128(factor) * r->low);
      } else {
        rest.push_back(cell);
      }
    }
    addTo(out, {{rest, 1}}, factor);
  }
  return out;
}

MaybeInterval ProvenRanges::value(int table, int c, ir::Value* value) {
  Memo memo;
  MaybeInterval range = structural(table, c, value, memo);
  const Form* form = tables_[table].rows.form(c, value);
  const Polynomial* p = form ? plain(*form) : nullptr;
  if (!p) return std::nullopt;
  MaybeInterval expanded = polynomial(table, c, simplify(table, c, *p));
  if (!range || !expanded) return range ? range : expanded;
  // Both are congruent to the value; where they could differ, the narrower one is taken.
  if (sameOverIntegers(*range, *expanded)) return meet(*range, *expanded);
  return range->high - range->low < expanded->high - expanded->low ? range : expanded;
}

MaybeInterval ProvenRanges::structural(int table, int c, ir::Value* value, Memo& memo) {
  if (auto it = memo.find(value); it != memo.end()) return it->second;
  Table& t = tables_[table];
  ir::Op& op = *value->definingOp();
  MaybeInterval out;
  if (ir::air::isColumn(op)) {
    out = cellRange(table, c, {t.rows.indexOf(value), false});
  } else if (op.is("air.shift")) {
    if (op.intAttr("offset") == 1) return std::nullopt;
    out = cellRange(table, c, {t.rows.indexOf(op.operand(0)), op.intAttr("offset") == -1});
  } else if (op.is("air.constant")) {
    out = Interval::of(symmetric(op.intAttr("value")));
  } else if (op.is("air.add") || op.is("air.sub") || op.is("air.mul") || op.is("air.neg")) {
    MaybeInterval a = structural(table, c, op.operand(0), memo);
    MaybeInterval b = op.is("air.neg") ? a : structural(table, c, op.operand(1), memo);
    const Interval zero = Interval::of(0);
    if (op.is("air.mul") && (a == zero || b == zero)) {
      out = zero;
    } else if (a && b) {
      out = op.is("air.add")   ? *a + *b
            : op.is("air.sub") ? *a - *b
            : op.is("air.mul") ? *a * *b
                               : zero - *a;
    }
    if (const Form* form = t.rows.form(c, value); form && plain(*form)) {
      if (auto it = t.bounded[c].find(*plain(*form)); it != t.bounded[c].end()) {
        out = out ? meet(*out, it->second) : it->second;
      }
    }
  }
  memo[value] = out;
  return out;
}

absl::StatusOr<bool> ProvenRanges::propagate() {
  bool changed = false;
  for (size_t t = 0; t < tables_.size(); ++t) {
    for (ir::Op& op : tables_[t].rows.op().block()->ops()) {
      if (op.is("air.constrain")) {
        absl::StatusOr<bool> more = useConstraint(t, op);
        if (!more.ok()) return more.status();
        changed |= *more;
      }
      if (!op.is("air.lookup")) continue;
      for (size_t c = 0; c < tables_[t].rows.classes().size(); ++c) {
        absl::StatusOr<bool> more = useLookup(t, c, op);
        if (!more.ok()) return more.status();
        changed |= *more;
      }
    }
  }
  return changed | useEdges();
}

// A constraint of one cell, or one that defines a cell by others.
bool ProvenRanges::useEquation(int table, int c, const Polynomial& p) {
  for (const auto& [monomial, k] : p) {
    const bool square_alone = p.size() == 1 && monomial.size() == 2 && monomial[0] == monomial[1];
    if (square_alone && !monomial[0].before && tables_[table].rows.isWitness(monomial[0].column)) {
      return narrow(table, c, monomial[0].column, Interval::of(0));
    }
    if (!isPlainCell(monomial) || !tables_[table].rows.isWitness(monomial[0].column)) continue;
    Cell cell = monomial[0];
    int64_t none = coefficient(p, {}), square = coefficient(p, {cell, cell});
    // k (cell - cell^2) = 0: a bit.
    if (p.size() == 2 && square == -k) return narrow(table, c, cell.column, Interval::list({0, 1}));
    if (readsElsewhere(p, cell)) continue;
    if (p.size() - (none != 0) == 1 && (none == 0 || k == 1 || k == -1)) {
      return narrow(table, c, cell.column, Interval::of(symmetric(__int128(-none) * k)));
    }
    if ((k != 1 && k != -1) || tables_[table].ranges[c][cell.column]) continue;
    Polynomial rest;
    addTo(rest, p, -k);
    rest.erase(Monomial{cell});
    if (MaybeInterval r = polynomial(table, c, rest)) return narrow(table, c, cell.column, *r);
  }
  return false;
}

absl::StatusOr<bool> ProvenRanges::useConstraint(int table, ir::Op& op) {
  Table& t = tables_[table];
  bool changed = false;
  std::set<std::pair<int, int64_t>> chained;  // cells that a row shares with the row before
  for (size_t c = 0; c < t.rows.classes().size(); ++c) {
    const Form* form = t.rows.form(c, op.operand(0));
    const Polynomial* p = form ? plain(*form) : nullptr;
    if (!p) continue;  // refused later on
    bool before = false;
    const Polynomial carried = chain(table, c, *p);
    for (const auto& [monomial, k] : carried) {
      if (monomial.size() != 1 || !monomial[0].before) continue;
      before = true;
      int column = monomial[0].column;
      if (coefficient(carried, {{column, false}}) == -k && (k == 1 || k == -1) &&
          t.rows.isWitness(column)) {
        chained.insert({column, -k});
      }
    }
    if (!before) changed |= useEquation(table, c, simplify(table, c, carried));
  }
  for (auto [column, unit] : chained) {
    absl::StatusOr<bool> more = useRun(table, op, column, unit);
    if (!more.ok()) return more.status();
    changed |= *more;
  }
  return changed;
}

// A cell by others of its row, as a constraint there says.
std::optional<Polynomial> ProvenRanges::definition(int table, int c, int column) {
  TableRows& rows = tables_[table].rows;
  for (ir::Op& op : rows.op().block()->ops()) {
    const Form* form = op.is("air.constrain") ? rows.form(c, op.operand(0)) : nullptr;
    const Polynomial* p = form ? plain(*form) : nullptr;
    const int64_t k = p ? coefficient(*p, {{column, false}}) : 0;
    if ((k != 1 && k != -1) || readsElsewhere(*p, {column, false}) ||
        llvm::any_of(*p, [](const auto& m) {
          return m.first.size() > 1 || (m.first.size() == 1 && m.first[0].before);
        })) {
      continue;
    }
    Polynomial out;
    addTo(out, *p, -k);
    out.erase(Monomial{{column, false}});
    return out;
  }
  return std::nullopt;
}

// A cell of the row before is replaced by what defines it there, if that has a column of which the
// rows are chained then: x = y before, y = x + step.
Polynomial ProvenRanges::chain(int table, int c, Polynomial p) {
  for (const auto& [monomial, k] : p) {
    if (monomial.size() != 1 || !monomial[0].before) continue;
    const int column = monomial[0].column;
    if (coefficient(p, {{column, false}}) != 0) continue;
    std::optional<Polynomial> defined;
    bool same = true;
    for (int b : tables_[table].rows.classes()[c].before) {
      std::optional<Polynomial> here = definition(table, b, column);
      same &= here && (!defined || *here == *defined);
      if (!same) break;
      defined = std::move(here);
    }
    if (!same || !defined) continue;
    Polynomial out = p;
    out.erase(Monomial{{column, true}});
    bool chained = false;
    for (const auto& [other, factor] : *defined) {
      Monomial there = other;
      for (Cell& cell : there) cell.before = true;
      chained |= !other.empty() && coefficient(p, other) == -k * factor;
      addTo(out, {{there, factor}}, k);
    }
    if (chained) return out;
  }
  return p;
}

// unit (cell - cell before) + rest = 0 on rows that continue, unit cell + rest = 0 on others, or
// another bound of theirs: a running sum; without rest, one value per run, which is bounded where
// the run ends.
absl::StatusOr<bool> ProvenRanges::useRun(int table, ir::Op& op, int column, int64_t unit) {
  Table& t = tables_[table];
  size_t classes = t.rows.classes().size();
  std::vector<bool> continues(classes, false);
  std::vector<MaybeInterval> step(classes);
  bool constant = true;
  for (size_t c = 0; c < classes; ++c) {
    Polynomial p = chain(table, c, *plain(*t.rows.form(c, op.operand(0))));
    const int64_t carried = coefficient(p, {{column, true}});
    continues[c] = carried == -unit;
    p.erase({{column, true}});
    Polynomial rest;
    // A multiple of the cell before is neither a step nor a start.
    if (coefficient(p, {{column, false}}) == unit && (continues[c] || carried == 0)) {
      p.erase({{column, false}});
      addTo(rest, p, -unit);
      if (!readsElsewhere(rest, {column, false}) && !readsElsewhere(rest, {column, true})) {
        rest = simplify(table, c, rest);
        step[c] = polynomial(table, c, rest);
      }
    }
    if (!continues[c] && !step[c]) step[c] = t.ranges[c][column];
    constant &= !continues[c] || step[c] == Interval::of(0);
  }
  absl::StatusOr<const Runs*> runs = this->runs(table, continues);
  if (!runs.ok()) return runs.status();
  bool changed = false;
  for (size_t c = 0; c < classes; ++c) {
    MaybeInterval range;
    if (constant) {
      for (int e : (*runs)->ends[c]) {
        const MaybeInterval& end = t.ranges[e][column];
        if (!end) {
          range.reset();
          break;
        }
        range = range ? hull(*range, *end) : *end;
      }
    } else {
      for (int e : (*runs)->companions[c]) {
        if (!step[e]) {
          range.reset();
          break;
        }
        range = range ? hull(*range, *step[e]) : *step[e];
      }
      int64_t rows = (*runs)->longest[c];
      if (range && rows > 1) {
        range = Interval::between(saturate(__int128(std::min<int64_t>(range->low, 0)) * rows),
                                  saturate(__int128(std::max<int64_t>(range->high, 0)) * rows));
      }
    }
    if (range) changed |= narrow(table, c, column, *range);
  }
  return changed;
}

absl::StatusOr<const Runs*> ProvenRanges::runs(int table, const std::vector<bool>& continues) {
  Table& t = tables_[table];
  auto [it, made] = t.runs.try_emplace(continues);
  Runs& runs = it->second;
  if (!made) return &runs;
  size_t classes = continues.size();
  if (continues[t.rows.classOf(0)]) {
    return refused(table, t.rows.classOf(0), "row 0", "continues the last row of the table");
  }
  std::vector<std::set<int>> ends(classes), companions(classes);
  runs.longest.assign(classes, 0);
  runs.run_of.resize(t.rows.height());
  for (int64_t first = 0, run = 0; first < t.rows.height(); ++run) {
    int64_t end = first + 1;
    std::set<int> members{t.rows.classOf(first)};
    while (end < t.rows.height() && continues[t.rows.classOf(end)]) {
      members.insert(t.rows.classOf(end++));
    }
    for (int64_t row = first; row < end; ++row) {
      int64_t& longest = runs.longest[t.rows.classOf(row)];
      longest = std::max(longest, row - first + 1);
      runs.run_of[row] = run;
    }
    for (int c : members) {
      ends[c].insert(t.rows.classOf(end - 1));
      companions[c].insert(members.begin(), members.end());
    }
    first = end;
  }
  for (size_t c = 0; c < classes; ++c) {
    runs.ends.emplace_back(ends[c].begin(), ends[c].end());
    runs.companions.emplace_back(companions[c].begin(), companions[c].end());
  }
  return &runs;
}

}  // namespace lindero::passes
