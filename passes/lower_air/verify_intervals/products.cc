// The bounds of matrix products: operands, weights, results.
#include "absl/strings/str_cat.h"
#include "ir/air/cells.h"
#include "ir/core/status_macros.h"
#include "passes/lower_air/verify_intervals/folds.h"

namespace lindero::passes {
namespace {

// What nothing bounds: the interval rule fails on it.
const Interval kUnbounded = Interval::between(-Interval::kFar, Interval::kFar);

}  // namespace

absl::Status Folds::boundProducts() {
  for (int t = 0; t < ranges_.tables(); ++t) {
    for (ir::Op& op : ranges_.rows(t).op().block()->ops()) {
      if (op.is("air.term")) IR_RETURN_IF_ERROR(readTerm(t, op));
    }
  }
  IR_RETURN_IF_ERROR(tieFactors());
  IR_RETURN_IF_ERROR(checkChallenges());
  for (const ProvenRanges::TileKind& kind : ranges_.tileKinds()) {
    MaybeInterval all;
    for (const ProvenRanges::Lane& lane : ranges_.ends()[kind.takes[0]].lanes) {
      Interval r = ranges_.otherEnd(kind, false, lane.lane).value_or(kUnbounded);
      all = all ? hull(*all, r) : r;
    }
    taken_ranges_.push_back(all.value_or(kUnbounded));
  }
  taking_.resize(ranges_.tables());
  for (int t = 0; t < ranges_.tables(); ++t) {
    taking_[t].assign(ranges_.rows(t).classes().size(), -1);
  }
  for (size_t i = 0; i < ranges_.ends().size(); ++i) {
    const ProvenRanges::Ends& ends = ranges_.ends()[i];
    if (ends.table >= 0 && ends.sign < 0) taking_[ends.table][ends.c] = i;
  }
  for (auto& [id, p] : products_) IR_RETURN_IF_ERROR(boundProduct(p));
  IR_RETURN_IF_ERROR(readFills());
  for (auto& [id, p] : products_) boundColumns(p);
  return collectResults();
}

Folds::StepRange& Folds::stepRange(int table, int c, const Step& step) {
  auto [it, made] = step_ranges_.try_emplace(&step);
  StepRange& out = it->second;
  if (!made) return out;
  const int index = taking_[table][c];
  bool taken = index >= 0;
  MaybeInterval all;
  for (const auto& [e, lane] : step.lanes) {
    for (const auto& [monomial, k] : lane) {
      out.fixed |= monomial.empty() || ranges_.rows(table).phase(monomial[0].column) == 0;
    }
    Interval r = ranges_.polynomial(table, c, lane).value_or(kUnbounded);
    all = all ? hull(*all, r) : r;
    bool found = false;
    for (size_t l = 0; taken && l < ranges_.ends()[index].lanes.size(); ++l) {
      found |= lane == Polynomial{{{{ranges_.ends()[index].lanes[l].column, false}}, 1}};
    }
    taken &= found;
  }
  if (taken && all) out.taken = index;
  if (all) out.range = *all;
  return out;
}

// Every cell folded on this row: by its class, and by the other end of the edge that brings it to
// this very row.
Bounds Folds::rowRange(int table, int64_t row, StepRange& step) {
  int kind = -1;
  if (step.taken >= 0) {
    kind = ranges_.tileKind(ranges_.ends()[step.taken].address.at(ranges_.rows(table), row));
  }
  auto [it, made] = step.by_kind.try_emplace(kind);
  if (made) {
    it->second = Bounds::of(kind < 0 ? step.range : meet(step.range, taken_ranges_[kind]));
  }
  return it->second;
}

absl::StatusOr<std::optional<Bounds>> Folds::operandRange(const End& end,
                                                          std::set<const ir::Value*>& by) {
  const int table = end.scan->table;
  std::optional<Bounds> all;
  bool fixed = false;
  std::array<bool, 2> powers{};
  IR_RETURN_IF_ERROR(walk(end, [&](int64_t row, const Step& step, Exponents shift) {
    for (int i = 0; i < 2; ++i) {
      powers[i] |= shift[i] != 0;
      if (i != step.base || step.lanes.empty()) continue;
      powers[i] |= step.lanes.begin()->first != 0 || step.lanes.rbegin()->first != 0;
    }
    StepRange& range = stepRange(table, ranges_.rows(table).classOf(row), step);
    fixed |= range.fixed;
    if (fixed) return absl::OkStatus();
    Bounds r = rowRange(table, row, range);
    all = all ? hull(*all, r) : r;
    return absl::OkStatus();
  }));
  for (int i = 0; i < 2; ++i) {
    if (powers[i]) by.insert(end.scan->challenges[i]);
  }
  if (fixed) return std::optional<Bounds>();
  return all;
}

absl::Status Folds::boundProduct(Product& p) {
  Bounds greatest;
  bool committed = true;
  for (const Factored& f : p.factors) {
    std::set<const ir::Value*> left_by, right_by;
    absl::StatusOr<std::optional<Bounds>> left = operandRange(f.left, left_by);
    if (!left.ok()) return left.status();
    if (!*left) {
      return ranges_.refused(f.left.scan->table,
                             ranges_.rows(f.left.scan->table).classOf(f.left.row),
                             f.left.scan->op->stringAttr("name"), "folds no witness cells");
    }
    absl::StatusOr<std::optional<Bounds>> right = operandRange(f.right, right_by);
    if (!right.ok()) return right.status();
    // Else several products of cells would share a monomial.
    if (llvm::any_of(left_by, [&](const ir::Value* v) { return right_by.count(v) > 0; })) {
      return ranges_.refused(f.left.scan->table,
                             ranges_.rows(f.left.scan->table).classOf(f.left.row),
                             f.left.scan->op->stringAttr("name"),
                             "is folded by a challenge that its factor is folded by, too");
    }
    if (!*right) {
      committed = false;
      IR_RETURN_IF_ERROR(addWeights(p, f, withZero(**left)));
    } else {
      greatest = hull(greatest, **right);
      p.uniform = p.uniform + withZero(**left) * withZero(**right);
    }
  }
  if (committed && !p.factors.empty()) {
    absl::StatusOr<int64_t> sum = rowSum(p);
    if (!sum.ok()) return sum.status();
    if (*sum >= 0) {
      const Bounds bound = Bounds{*sum, *sum} * greatest;
      p.uniform = Bounds::of(meet(p.uniform.interval(), bound.interval()));
    }
  }
  for (const Added& added : p.added) {
    std::set<const ir::Value*> by;
    absl::StatusOr<std::optional<Bounds>> cells = operandRange(added.fold, by);
    if (!cells.ok()) return cells.status();
    if (!*cells) {
      return ranges_.refused(added.fold.scan->table,
                             ranges_.rows(added.fold.scan->table).classOf(added.fold.row),
                             added.fold.scan->op->stringAttr("name"), "folds no witness cells");
    }
    p.uniform = p.uniform + withZero(**cells) * Bounds{added.times, added.times};
  }
  return absl::OkStatus();
}

absl::StatusOr<const Folds::StepWeights*> Folds::stepWeights(const Scan& scan, int c,
                                                             const Step& step) {
  auto [it, made] = step_weights_.try_emplace(&step);
  StepWeights& out = it->second;
  if (!made) return &out;
  TableRows& rows = ranges_.rows(scan.table);
  auto no = [&](const char* why) {
    return ranges_.refused(scan.table, c, scan.op->stringAttr("name"), why);
  };
  out.exponents.assign(rows.columns().size(), -1);
  for (const auto& [e, lane] : step.lanes) {
    for (const auto& [monomial, k] : lane) {
      const int column = monomial.empty() ? -1 : monomial[0].column;
      if (monomial.size() > 1 || (column >= 0 && (rows.phase(column) != 0 || monomial[0].before))) {
        return no("folds weights that are not fixed cells");
      }
      if (column < 0 || rows.isStored(column)) {
        out.stored.push_back({e, column, k});
        continue;
      }
      if (lane.size() != 1 || k != 1) return no("folds more than the weights");
      if (out.exponents[column] >= 0) return no("folds a weight twice");
      out.exponents[column] = e;
      out.deferred = true;
    }
  }
  return &out;
}

absl::Status Folds::addWeights(Product& p, const Factored& f, const Bounds& left) {
  Scan& scan = *f.right.scan;
  TableRows& rows = ranges_.rows(scan.table);
  auto& weightings = weightings_[scan.table];
  weightings.resize(rows.height());
  ColumnSums& sums = p.weights[left];
  return walk(f.right, [&](int64_t row, const Step& step, Exponents shift) {
    const ir::Value* challenge = scan.challenges[step.base];
    if (step.lanes.empty()) return absl::OkStatus();
    const int c = rows.classOf(row);
    auto no = [&](const char* why) {
      return ranges_.refused(scan.table, c, scan.op->stringAttr("name"), why);
    };
    if ((p.column_challenge && p.column_challenge != challenge) || shift[1 - step.base] != 0) {
      return no("does not fold weights by one challenge");
    }
    p.column_challenge = challenge;
    const int64_t first = shift[step.base], end = first + step.lanes.rbegin()->first + 1;
    if (step.lanes.begin()->first < 0 || first < 0) return no("has negative powers");
    if (int64_t(sums.positive.size()) < end) {
      sums.positive.resize(end);
      sums.negative.resize(end);
    }
    absl::StatusOr<const StepWeights*> weights = stepWeights(scan, c, step);
    if (!weights.ok()) return weights.status();
    for (const auto& [e, column, k] : (*weights)->stored) {
      int64_t w = symmetric(__int128(k) * (column < 0 ? 1 : rows.fixedAt(column, row)));
      (w > 0 ? sums.positive : sums.negative)[first + e] += w;
    }
    if ((*weights)->deferred) {
      if (weightings[row].sums) return no("is a factor of two products");
      weightings[row] = {&sums, first, *weights};
    }
    return absl::OkStatus();
  });
}

// Weights that are not stored, row by row.
absl::Status Folds::readFills() {
  for (auto& [table, weightings] : weightings_) {
    TableRows& rows = ranges_.rows(table);
    for (ir::Op* fill : rows.otherFills()) {
      std::vector<int> columns;
      for (ir::Value* v : fill->operands()) columns.push_back(rows.indexOf(v));
      const StepWeights* last = nullptr;
      std::vector<int64_t> exponents;  // by lane of the fill
      IR_RETURN_IF_ERROR(
          ir::air::forEachRow(ranges_.module().constants(), *fill,
                              [&](int64_t row, size_t lane, llvm::ArrayRef<int64_t> values) {
                                const Weighting& w = weightings[row];
                                if (!w.sums) return;
                                if (w.step != last) {
                                  last = w.step;
                                  exponents.clear();
                                  for (int column : columns)
                                    exponents.push_back(w.step->exponents[column]);
                                }
                                for (int64_t value : values) {
                                  const int64_t e = exponents[lane++];
                                  if (e < 0) continue;
                                  w.sums->positive[w.shift + e] += std::max<int64_t>(value, 0);
                                  w.sums->negative[w.shift + e] += std::min<int64_t>(value, 0);
                                }
                              }));
    }
  }
  return absl::OkStatus();
}

void Folds::boundColumns(Product& p) {
  for (const auto& [left, sums] : p.weights) {
    p.by_column.resize(std::max(p.by_column.size(), sums.positive.size()));
    for (size_t i = 0; i < sums.positive.size(); ++i) {
      const int64_t positive = sums.positive[i], negative = sums.negative[i];
      p.by_column[i] =
          p.by_column[i] + left * Bounds{positive, positive} + left * Bounds{negative, negative};
    }
  }
  p.weights.clear();
}

// The lanes of a step as results: what is fixed on a row (a bias) belongs to the product's side.
const std::vector<Folds::Lane>& Folds::resultLanes(const Scan& scan, int c, const Step& step) {
  auto [it, made] = result_lanes_.try_emplace(&step);
  if (!made) return it->second;
  TableRows& rows = ranges_.rows(scan.table);
  for (const auto& [e, lane] : step.lanes) {
    Lane out{e, results_.size(), {}};
    Polynomial witness;
    for (const auto& [monomial, k] : lane) {
      int column = monomial.size() == 1 ? monomial[0].column : -1;
      if (monomial.empty()) {
        out.fixed.push_back({-1, k});
      } else if (column >= 0 && !monomial[0].before && rows.phase(column) == 0 &&
                 rows.isStored(column)) {
        out.fixed.push_back({column, k});
      } else {
        witness[monomial] = k;
      }
    }
    results_.push_back({scan.table, scan.op, c, e, std::move(witness), std::nullopt});
    it->second.push_back(std::move(out));
  }
  return it->second;
}

std::vector<bool> Folds::wholeClasses(int table, const std::vector<bool>& met) {
  TableRows& rows = ranges_.rows(table);
  std::vector<int64_t> sizes(rows.classes().size());
  for (size_t row = 0; row < met.size(); ++row) sizes[rows.classOf(row)] += met[row];
  std::vector<bool> whole;
  for (size_t c = 0; c < sizes.size(); ++c) whole.push_back(sizes[c] == rows.classSize(c));
  return whole;
}

absl::Status Folds::collectResults() {
  std::map<std::pair<int, ir::Op*>, std::vector<bool>> met;
  for (auto& [id, p] : products_) {
    if (!p.result.scan) {
      const End& left = p.factors.empty() ? p.added.front().fold : p.factors.front().left;
      return ranges_.refused(left.scan->table, ranges_.rows(left.scan->table).classOf(left.row),
                             left.scan->op->stringAttr("name"),
                             absl::StrCat("product ", id, " has no result"));
    }
    const Scan& scan = *p.result.scan;
    TableRows& rows = ranges_.rows(scan.table);
    if (p.factors.empty() && p.added.empty()) {
      return ranges_.refused(scan.table, rows.classOf(p.result.row), scan.op->stringAttr("name"),
                             absl::StrCat("product ", id, " has no summands: its result is zero"));
    }
    std::vector<bool>& met_rows = met[{scan.table, scan.op}];
    met_rows.resize(rows.height());
    IR_RETURN_IF_ERROR(walk(p.result, [&](int64_t row, const Step& step, Exponents shift) {
      met_rows[row] = true;
      for (const Lane& lane : resultLanes(scan, rows.classOf(row), step)) {
        Bounds product = p.uniform;
        int64_t column = 0;  // a fold of one column has no power of the challenge
        for (int i = 0; i < 2 && p.column_challenge; ++i) {
          if (scan.challenges[i] != p.column_challenge) continue;
          column = shift[i] + (step.base == i ? lane.exponent : 0);
        }
        if (column >= 0 && column < int64_t(p.by_column.size())) {
          product = product + p.by_column[column];
        }
        for (auto [column, k] : lane.fixed) {
          int64_t v = symmetric(__int128(-k) * (column < 0 ? 1 : rows.fixedAt(column, row)));
          product = product + Bounds{v, v};
        }
        std::optional<Bounds>& all = results_[lane.result].product;
        all = all ? hull(*all, product) : product;
      }
      return absl::OkStatus();
    }));
  }
  for (const auto& [scan, met_rows] : met) {
    const std::vector<bool> whole = wholeClasses(scan.first, met_rows);
    for (Result& r : results_) {
      if (r.table == scan.first && r.scan == scan.second) r.on_all_rows = whole[r.c];
    }
  }
  return absl::OkStatus();
}

bool Folds::boundResults() {
  bool changed = false;
  for (const Result& r : results_) {
    if (!r.on_all_rows) continue;
    const Polynomial lane = ranges_.simplify(r.table, r.c, r.lane);
    if (lane.size() != 1 || lane.begin()->second != 1) continue;
    const Monomial& cell = lane.begin()->first;
    if (cell.size() != 1 || cell[0].before) continue;
    const Interval product = r.product->interval();
    if (product.magnitude() >= kFieldModulus) continue;
    changed |= ranges_.narrow(r.table, r.c, cell[0].column, product);
  }
  return changed;
}

}  // namespace lindero::passes
