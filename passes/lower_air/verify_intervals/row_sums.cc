// Left operands of a product that are the summands of one running sum, which ends at a bounded
// value: the probabilities of a softmax. Their product with a matrix is no larger than that sum
// times the matrix's largest element.
#include <set>

#include "ir/core/status_macros.h"
#include "passes/lower_air/verify_intervals/folds.h"

namespace lindero::passes {

// Whether these lanes are the summands of a running sum that is at most `bound` where it ends.
absl::StatusOr<const Folds::SumRows*> Folds::sumRows(const ProvenRanges::Ends& gives) {
  auto [it, made] = sums_.try_emplace({gives.table, gives.term});
  SumRows& out = it->second;
  if (!made) return &out;
  TableRows& rows = ranges_.rows(gives.table);
  std::set<int> lanes;  // of all rows that the term gives; none is given twice
  for (const ProvenRanges::Ends& e : ranges_.ends()) {
    if (e.term != gives.term) continue;
    std::set<int> given;
    for (const auto& lane : e.lanes) {
      if (!given.insert(lane.column).second) return &out;
    }
    lanes.insert(given.begin(), given.end());
  }
  for (ir::Op& op : rows.op().block()->ops()) {
    if (!op.is("air.constrain") || out.bound >= 0) continue;
    std::vector<bool> continues(rows.classes().size()), adds_up(rows.classes().size(), true);
    int sum = -1;
    bool fits = true;  // on all rows; summands are not negative where it adds up
    for (size_t c = 0; c < continues.size() && fits; ++c) {
      const Form* form = rows.form(c, op.operand(0));
      const Polynomial* p = form ? plain(*form) : nullptr;
      fits = p && isLinear(*p) && p->size() >= lanes.size() + 1;
      std::set<int> summands;
      for (const auto& [monomial, k] : fits ? *p : Polynomial()) {
        if (monomial.empty()) {
          fits = false;
        } else if (k == 1 && !monomial[0].before && (sum < 0 || sum == monomial[0].column)) {
          sum = monomial[0].column;
        } else if (k == -1 && monomial[0].before && sum == monomial[0].column) {
          continues[c] = true;
        } else if (k == -1 && !monomial[0].before) {
          const MaybeInterval& r = ranges_.cell(gives.table, c, monomial[0].column);
          if (!r || r->low < 0) adds_up[c] = false;
          summands.insert(monomial[0].column);
        } else {
          fits = false;
        }
      }
      fits &= summands == lanes;
    }
    if (!fits || sum < 0) continue;
    absl::StatusOr<const Runs*> runs = ranges_.runs(gives.table, continues);
    if (!runs.ok()) return runs.status();
    int64_t bound = 0;
    for (const ProvenRanges::Ends& e : ranges_.ends()) {
      if (e.term != gives.term) continue;
      for (int end : (*runs)->ends[e.c]) {
        const MaybeInterval& r = ranges_.cell(gives.table, end, sum);
        bound = std::max(bound, r ? r->high : Interval::kFar);
      }
      for (int c : (*runs)->companions[e.c]) fits &= adds_up[c];
    }
    if (!fits) continue;
    std::vector<const ProvenRanges::Ends*> by_class(rows.classes().size());
    for (const ProvenRanges::Ends& e : ranges_.ends()) {
      if (e.term == gives.term) by_class[e.c] = &e;
    }
    bool aligned = true;
    for (int64_t row = 0; row < rows.height(); ++row) {
      const ProvenRanges::Ends* e = by_class[rows.classOf(row)];
      if (!e) continue;
      int64_t first = (*runs)->run_of[row] - e->place.at(rows, row);
      aligned &= out.first_run.try_emplace(e->address.at(rows, row), first).first->second == first;
    }
    if (aligned) out.bound = bound, out.sum = &op;
  }
  return &out;
}

// For each row of the product, the left operands of all factors must be summands of one sum's run,
// each met once: lane l of the fold's rows with one shift comes from the run first_run + l, with
// one first_run for all factors; each monomial is one lane of one such row, and a power of one
// challenge. What different rows take are different cells if one term gives it, or two that do not
// give by one row.
absl::StatusOr<int64_t> Folds::rowSum(const Product& p) {
  struct Runs {
    const ir::Op* sum;
    int64_t first_run;
    size_t lanes;
    bool operator==(const Runs&) const = default;
  };
  std::map<int64_t, Runs> first_runs;  // by the shift of the fold's row
  std::set<int64_t> powers;
  const ir::Value* challenge = nullptr;
  std::set<const ir::Op*> givers;
  std::set<std::pair<int, int64_t>> met;  // tables and rows
  int64_t bound = 0;
  bool fits = true;
  for (const Factored& f : p.factors) {
    int table = f.left.scan->table;
    TableRows& rows = ranges_.rows(table);
    IR_RETURN_IF_ERROR(walk(f.left, [&](int64_t row, const Step& step, Exponents shift) {
      if (!fits) return absl::OkStatus();
      fits = false;
      int index = taking_[table][rows.classOf(row)];
      if (index < 0) return absl::OkStatus();
      const ProvenRanges::Ends& takes = ranges_.ends()[index];
      int64_t address = takes.address.at(rows, row);
      int kind = ranges_.tileKind(address);
      if (kind < 0 || !isLaneForLane(step, takes)) return absl::OkStatus();
      // What is linked comes from a run of another block.
      if (ranges_.tileKinds()[kind].linked) return absl::OkStatus();
      const auto& gives = ranges_.ends()[ranges_.tileKinds()[kind].gives[0]];
      if (gives.table < 0 || gives.place_challenge != takes.lane_challenge) return absl::OkStatus();
      absl::StatusOr<const SumRows*> sum = sumRows(gives);
      if (!sum.ok()) return sum.status();
      auto run = (*sum)->first_run.find(address);
      if ((*sum)->bound < 0 || run == (*sum)->first_run.end()) return absl::OkStatus();
      bound = std::max(bound, (*sum)->bound);
      fits = met.insert({table, row}).second;
      if (!givers.contains(gives.term)) {
        for (const ir::Op* other : givers) fits &= giveApart(*gives.term, *other);
        givers.insert(gives.term);
      }
      // One lane has no power of its own: its row's is all.
      const int64_t last = step.lanes.rbegin()->first;
      const int base = last == 0 && shift[step.base] == 0 ? (shift[0] != 0 ? 0 : 1) : step.base;
      fits &= shift[1 - base] == 0;
      if (shift[base] != 0 || last != 0) {
        if (!challenge) challenge = f.left.scan->challenges[base];
        fits &= challenge == f.left.scan->challenges[base];
      }
      const Runs runs{(*sum)->sum, run->second, step.lanes.size()};
      const auto [it, made] = first_runs.try_emplace(shift[base], runs);
      fits &= it->second == runs;
      for (const auto& [e, lane] : step.lanes) {
        fits &= !made || powers.insert(shift[base] + e).second;
      }
      return absl::OkStatus();
    }));
    if (!fits) return -1;
  }
  return bound;
}

// Whether no row of a table gives by both terms.
bool Folds::giveApart(const ir::Op& a, const ir::Op& b) const {
  std::set<std::pair<int, int>> classes;
  for (const ProvenRanges::Ends& e : ranges_.ends()) {
    if (e.term == &a) classes.insert({e.table, e.c});
  }
  return llvm::none_of(ranges_.ends(), [&](const ProvenRanges::Ends& e) {
    return e.term == &b && classes.contains({e.table, e.c});
  });
}

// The fold's lane of exponent e is the edge's lane L - 1 - e.
bool Folds::isLaneForLane(const Step& step, const ProvenRanges::Ends& takes) {
  int64_t lanes = takes.lanes.size();
  if (int64_t(step.lanes.size()) != lanes || step.lanes.begin()->first != 0) return false;
  if (step.lanes.rbegin()->first != lanes - 1) return false;
  for (const auto& [e, lane] : step.lanes) {
    bool found = false;
    for (const auto& l : takes.lanes) {
      found |= l.lane == lanes - 1 - e && lane == Polynomial{{{{l.column, false}}, 1}};
    }
    if (!found) return false;
  }
  return true;
}

}  // namespace lindero::passes
