#include "runtime/tamper/adaptive/pivots.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>

#include "runtime/eval/scalars.h"
#include "runtime/package/circuit_access.h"
#include "runtime/package/status_macros.h"
#include "runtime/tamper/adaptive/fractions.h"

namespace lindero::runtime {
namespace {

class PivotCheck {
 public:
  PivotCheck(Derivatives& derivatives, const Witness& filled, ThreadPool& pool)
      : derivatives_(derivatives), circuit_(derivatives.circuit()), filled_(filled), pool_(pool) {}

  void add(const Equation& e, uint32_t column, const RowMask& rows) {
    const Reading& own = *e.find({Leaf::Kind::kColumn, column, 0});
    uint64_t all = 0, vanish = 0, violated = 0;
    for (size_t row = 0; row < rows.size(); ++row) {
      all += rows[row];
      vanish += rows[row] && !own.reads_any[row];
      violated += rows[row] && e.violated[row];
    }
    auto no = [&](uint64_t count, const char* why) {
      unsafe_.push_back({e.table, column, e.constraint, count, why});
    };
    if (violated > 0) no(violated, "does not hold for what the column's generator fills");
    if (vanish > 0) no(vanish, "vanishes for other witnesses");
    if (derivatives_.reads(own.derivative, own.leaf)) no(all, "is not of degree 1 in the cell");
    const NodeInfo& info = derivatives_.info().nodes[own.derivative];
    if (info.phase == 0 && info.claimed_sum_phase == 0) return;
    const Column& c = columnOf(circuit_, e.table, column);
    if (!c.has_fraction() || own.derivative != c.fraction().denominator()) {
      return no(all, "reads witness cells, and is no denominator");
    }
    for (const SingleFraction& f : singleFractions(circuit_, {e.table, column})) {
      for (uint32_t factor : factorsOf(circuit_, f.denominator)) {
        needed_.push_back({unsafe_.size(), {e.table, factor}});
        addFactor(e.table, factor);
      }
    }
    // Kept if a factor turns out to be unsafe.
    no(all, "has a denominator that can be made zero after its challenges are drawn");
  }

  absl::StatusOr<std::vector<UnsafePivot>> run() {
    LINDERO_RETURN_IF_ERROR(evaluate());
    std::vector<bool> keep(unsafe_.size(), true);
    for (const auto& [index, unused] : needed_) keep[index] = false;
    for (const auto& [index, factor] : needed_) {
      const std::vector<Coefficient>& of = factors_.at(factor);
      if (std::none_of(of.begin(), of.end(), [](const Coefficient& k) { return k.nonzero; })) {
        keep[index] = true;
      }
    }
    std::vector<UnsafePivot> result;
    for (size_t i = 0; i < unsafe_.size(); ++i) {
      if (keep[i]) result.push_back(std::move(unsafe_[i]));
    }
    return result;
  }

 private:
  using Factor = std::pair<uint32_t, uint32_t>;  // table, node
  // One of those that show a factor to be no zero polynomial.
  struct Coefficient {
    uint32_t node;
    bool nonzero = true;  // on all rows
  };

  bool isFixed(uint32_t node) const {
    return derivatives_.info().nodes[node].phase == 0 &&
           derivatives_.info().nodes[node].claimed_sum_phase == 0;
  }

  // Its derivatives of first and second order by late challenges that read fixed columns only: the
  // factor's coefficients, times a constant.
  void addFactor(uint32_t table, uint32_t node) {
    auto [it, fresh] = factors_.try_emplace({table, node});
    if (!fresh) return;
    if (isFixed(node)) {
      it->second.push_back({node});
      return;
    }
    const NodeInfo& info = derivatives_.info().nodes[node];
    const uint32_t latest = std::max(info.phase, info.claimed_sum_phase);
    auto late = [&](const Leaf& leaf) {
      return leaf.kind == Leaf::Kind::kChallenge &&
             circuit_.challenges(static_cast<int>(leaf.index)).phase() >= latest;
    };
    for (const auto& [leaf, first] : derivatives_.of(node, late)) {
      if (isFixed(first)) it->second.push_back({first});
      for (const auto& [other, second] : derivatives_.of(first, late)) {
        if (isFixed(second)) it->second.push_back({second});
      }
    }
  }

  absl::Status evaluate() {
    Scalars scalars(circuit_, derivatives_.info());
    LINDERO_RETURN_IF_ERROR(scalars.advance(3, filled_.challenges, filled_.claimed_sums));
    std::map<uint32_t, std::vector<Coefficient*>> by_table;
    for (auto& [factor, coefficients] : factors_) {
      for (Coefficient& c : coefficients) by_table[factor.first].push_back(&c);
    }
    for (auto& [table, coefficients] : by_table) {
      std::vector<RootGroup> groups;
      for (const Coefficient* c : coefficients) groups.push_back({c->node});
      RowProgram program(circuit_, derivatives_.info(), table, groups);
      std::vector<std::atomic<bool>> nonzero(groups.size());
      for (auto& flag : nonzero) flag = true;
      forAllRows(circuit_, program, *filled_.columns, scalars, pool_,
                 [&](size_t group, uint64_t, size_t rows, absl::Span<const RootValues> roots) {
                   for (size_t i = 0; i < rows; ++i) {
                     if (roots[0].at(i).isZero()) nonzero[group] = false;
                   }
                 });
      for (size_t i = 0; i < groups.size(); ++i) coefficients[i]->nonzero = nonzero[i];
    }
    return absl::OkStatus();
  }

  Derivatives& derivatives_;
  const Circuit& circuit_;
  const Witness& filled_;
  ThreadPool& pool_;
  std::vector<UnsafePivot> unsafe_;
  std::vector<std::pair<size_t, Factor>> needed_;  // by index of unsafe_
  std::map<Factor, std::vector<Coefficient>> factors_;
};

}  // namespace

absl::StatusOr<std::vector<UnsafePivot>> findUnsafePivots(Derivatives& derivatives,
                                                          const Peeling& peeling,
                                                          const Witness& filled, ThreadPool& pool) {
  PivotCheck check(derivatives, filled, pool);
  for (const Pivot& p : peeling.pivots) check.add(*p.equation, p.column, p.rows);
  for (const auto& [place, e] : peeling.running) {
    check.add(*e, place.second, RowMask(e->violated.size(), 1));
  }
  return check.run();
}

}  // namespace lindero::runtime
