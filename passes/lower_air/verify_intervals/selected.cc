// Values that are one of several lanes of products: the maximum of an argmax.
#include <map>
#include <tuple>

#include "ir/core/status_macros.h"
#include "passes/lower_air/verify_intervals/folds.h"

namespace lindero::passes {

// A value M that a table compares with several lanes: M - gap is a lane of a product, and selector
// * gap = 0, where the selectors of a run of rows sum to 1. So some gap is zero, and M is bounded
// as its lane is. Over a run the selectors telescope: 1 - u on its first row, then u before - u,
// and u = 0 at its end.
absl::Status Folds::boundSelected() {
  std::map<std::tuple<int, ir::Op*, int>, std::vector<const Result*>> by_value;
  for (const Result& r : results_) {
    if (!r.on_all_rows) continue;
    std::vector<Cell> unknown;
    for (const auto& [monomial, k] : ranges_.simplify(r.table, r.c, r.lane)) {
      for (Cell cell : monomial) {
        if (!ranges_.polynomial(r.table, r.c, {{{cell}, 1}})) unknown.push_back(cell);
      }
    }
    if (unknown.size() == 1 && !unknown[0].before) {
      by_value[{r.table, r.scan, unknown[0].column}].push_back(&r);
    }
  }
  for (auto& [key, lanes] : by_value) {
    IR_RETURN_IF_ERROR(select(std::get<0>(key), std::get<2>(key), lanes));
  }
  return absl::OkStatus();
}

absl::Status Folds::select(int table, int column, const std::vector<const Result*>& lanes) {
  TableRows& rows = ranges_.rows(table);
  std::map<int, Polynomial> selectors;  // by class: their sum
  std::map<int, Interval> values;       // by class: what M is if a gap is zero
  for (const Result* r : lanes) {
    for (ir::Op& op : rows.op().block()->ops()) {
      if (!op.is("air.constrain") || !op.operand(0)->definingOp()->is("air.mul")) continue;
      ir::Op* pair = op.operand(0)->definingOp();
      const Form* selector = rows.form(r->c, pair->operand(0));
      const Form* gap = rows.form(r->c, pair->operand(1));
      if (!selector || !plain(*selector) || !gap || !plain(*gap)) continue;
      Polynomial rest = r->lane;
      addTo(rest, *plain(*gap));
      if (coefficient(rest, {{column, false}}) != 1) continue;
      rest.erase({{column, false}});
      bool fixed = true;
      for (const auto& [monomial, k] : rest) {
        for (Cell cell : monomial) fixed &= rows.phase(cell.column) == 0;
      }
      MaybeInterval shift = ranges_.polynomial(table, r->c, rest);
      if (!fixed || !shift) continue;
      addTo(selectors[r->c], *plain(*selector));
      Interval value = r->product->interval() - *shift;
      auto [it, made] = values.try_emplace(r->c, value);
      if (!made) it->second = hull(it->second, value);
      break;
    }
  }
  std::vector<bool> continues(rows.classes().size(), false);
  int u = -1;
  for (auto& [c, sum] : selectors) {
    for (const auto& [monomial, k] : sum) {
      if (monomial.size() != 1 || monomial[0].before || k != -1) continue;
      if (u >= 0 && u != monomial[0].column) return absl::OkStatus();  // these do not telescope
      u = monomial[0].column;
    }
    continues[c] = sum == Polynomial{{{{u, true}}, 1}, {{{u, false}}, -1}};
    if (!continues[c] && sum != Polynomial{{{}, 1}, {{{u, false}}, -1}}) return absl::OkStatus();
    if (continues[c] && !staysTheSame(table, c, column)) return absl::OkStatus();
  }
  absl::StatusOr<const Runs*> runs = ranges_.runs(table, continues);
  if (!runs.ok()) return runs.status();
  for (auto& [c, sum] : selectors) {
    bool proven = true;
    for (int e : (*runs)->ends[c]) proven &= ranges_.cell(table, e, u) == Interval::of(0);
    MaybeInterval all;
    for (int m : (*runs)->companions[c]) {
      proven &= values.count(m) > 0;
      if (proven) all = all ? hull(*all, values.at(m)) : values.at(m);
    }
    // A product of what is not bounded yet says nothing.
    if (proven && all && all->magnitude() < Interval::kFar) {
      ranges_.narrow(table, c, column, *all);
    }
  }
  return absl::OkStatus();
}

bool Folds::staysTheSame(int table, int c, int column) {
  TableRows& rows = ranges_.rows(table);
  for (ir::Op& op : rows.op().block()->ops()) {
    if (!op.is("air.constrain")) continue;
    const Form* form = rows.form(c, op.operand(0));
    const Polynomial* p = form ? plain(*form) : nullptr;
    if (p && *p == Polynomial{{{{column, false}}, 1}, {{{column, true}}, -1}}) return true;
  }
  return false;
}

}  // namespace lindero::passes
