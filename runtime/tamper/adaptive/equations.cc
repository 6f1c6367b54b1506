#include "runtime/tamper/adaptive/equations.h"

#include <algorithm>
#include <atomic>

#include "runtime/eval/scalars.h"
#include "runtime/package/circuit_access.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

// A running sum's column by what the equation reads, before its derivatives are compared.
std::vector<RunningSum> candidates(const Equation& equation) {
  std::vector<RunningSum> result;
  std::vector<uint32_t> claimed_sums;
  for (const Reading& r : equation.readings) {
    if (r.leaf.kind == Leaf::Kind::kClaimedSum) claimed_sums.push_back(r.leaf.index);
  }
  if (claimed_sums.size() != 1) return result;
  for (const Reading& r : equation.readings) {
    if (r.leaf.kind != Leaf::Kind::kColumn || r.leaf.offset != 0) continue;
    if (equation.find({Leaf::Kind::kColumn, r.leaf.index, -1}) == nullptr) continue;
    result.push_back({r.leaf.index, claimed_sums[0]});
  }
  return result;
}

// The equations of one table, evaluated together.
class TableRun {
 public:
  TableRun(const Derivatives& derivatives, uint32_t table, std::vector<Equation*> equations)
      : circuit_(derivatives.circuit()), equations_(std::move(equations)) {
    std::vector<RootGroup> groups;
    const uint64_t height = tableHeight(tableOf(circuit_, table));
    for (Equation* e : equations_) {
      groups.push_back({e->node});
      for (Reading& r : e->readings) {
        groups.back().push_back(r.derivative);
        r.reads.assign(height, 0);
        r.reads_any.assign(height, 0);
      }
      e->violated.assign(height, 0);
      running_.push_back(candidates(*e));
      good_.emplace_back(running_.back().size());
      for (auto& good : good_.back()) good = true;
    }
    program_ = std::make_unique<RowProgram>(circuit_, derivatives.info(), table, groups);
  }

  void run(const Columns& filled, const Columns& any, const Scalars& scalars, ThreadPool& pool) {
    forAllRows(circuit_, *program_, filled, scalars, pool,
               [&](size_t e, uint64_t first, size_t rows, absl::Span<const RootValues> roots) {
                 readFilled(e, first, rows, roots);
               });
    forAllRows(circuit_, *program_, any, scalars, pool,
               [&](size_t e, uint64_t first, size_t rows, absl::Span<const RootValues> roots) {
                 for (size_t k = 0; k < equations_[e]->readings.size(); ++k) {
                   RowMask& mask = equations_[e]->readings[k].reads_any;
                   for (size_t i = 0; i < rows; ++i) mask[first + i] = !roots[k + 1].at(i).isZero();
                 }
               });
    for (size_t e = 0; e < equations_.size(); ++e) {
      for (size_t k = 0; k < running_[e].size(); ++k) {
        if (good_[e][k]) equations_[e]->running = running_[e][k];
      }
    }
  }

 private:
  void readFilled(size_t index, uint64_t first, size_t rows, absl::Span<const RootValues> roots) {
    Equation& e = *equations_[index];
    for (size_t i = 0; i < rows; ++i) e.violated[first + i] = !roots[0].at(i).isZero();
    for (size_t k = 0; k < e.readings.size(); ++k) {
      RowMask& mask = e.readings[k].reads;
      for (size_t i = 0; i < rows; ++i) mask[first + i] = !roots[k + 1].at(i).isZero();
    }
    for (size_t k = 0; k < running_[index].size(); ++k) {
      auto root = [&](const Leaf& leaf) -> const RootValues& {
        return roots[static_cast<size_t>(e.find(leaf) - e.readings.data()) + 1];
      };
      const RunningSum sum = running_[index][k];
      const RootValues& own = root({Leaf::Kind::kColumn, sum.column, 0});
      const RootValues& before = root({Leaf::Kind::kColumn, sum.column, -1});
      const RootValues& claimed_sum = root({Leaf::Kind::kClaimedSum, sum.claimed_sum, 0});
      bool good = true;
      for (size_t i = 0; i < rows; ++i) {
        const QM31 d = own.at(i);
        good &= !d.isZero() && (d + before.at(i)).isZero() &&
                claimed_sum.at(i) == (first + i == 0 ? d : QM31());
      }
      if (!good) good_[index][k] = false;
    }
  }

  const Circuit& circuit_;
  std::vector<Equation*> equations_;
  std::vector<std::vector<RunningSum>> running_;  // candidates
  std::vector<std::vector<std::atomic<bool>>> good_;
  std::unique_ptr<RowProgram> program_;
};

}  // namespace

const Reading* Equation::find(const Leaf& leaf) const {
  auto it = std::lower_bound(readings.begin(), readings.end(), leaf,
                             [](const Reading& r, const Leaf& l) { return r.leaf < l; });
  return it != readings.end() && it->leaf == leaf ? &*it : nullptr;
}

uint32_t phaseOf(const Circuit& circuit, const CircuitInfo& info, uint32_t table,
                 const Leaf& leaf) {
  uint32_t column = leaf.index;
  if (leaf.kind == Leaf::Kind::kClaimedSum) {
    table = info.claimed_sum_columns[leaf.index].table;
    column = info.claimed_sum_columns[leaf.index].column;
  }
  return columnOf(circuit, table, column).phase();
}

std::vector<Equation> findEquations(Derivatives& derivatives) {
  std::vector<Equation> equations;
  const Circuit& circuit = derivatives.circuit();
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const uint32_t table = static_cast<uint32_t>(t);
    for (int i = 0; i < circuit.tables(t).constraints_size(); ++i) {
      const uint32_t node = circuit.tables(t).constraints(i).node();
      const NodeInfo& info = derivatives.info().nodes[node];
      const uint32_t phase = std::max(info.phase, info.claimed_sum_phase);
      if (phase < 2) continue;
      Equation e{table, static_cast<uint32_t>(i), node, phase, {}};
      const auto of = derivatives.of(node, [&](const Leaf& leaf) {
        return leaf.kind != Leaf::Kind::kChallenge &&
               phaseOf(circuit, derivatives.info(), table, leaf) == phase;
      });
      for (const auto& [leaf, derivative] : of) e.readings.push_back({leaf, derivative});
      equations.push_back(std::move(e));
    }
  }
  return equations;
}

absl::Status evaluateEquations(const Derivatives& derivatives, const Witness& filled,
                               const Columns& any, ThreadPool& pool,
                               std::vector<Equation>& equations) {
  Scalars scalars(derivatives.circuit(), derivatives.info());
  LINDERO_RETURN_IF_ERROR(scalars.advance(3, filled.challenges, filled.claimed_sums));
  for (int t = 0; t < derivatives.circuit().tables_size(); ++t) {
    std::vector<Equation*> of_table;
    for (Equation& e : equations) {
      if (e.table == static_cast<uint32_t>(t)) of_table.push_back(&e);
    }
    if (of_table.empty()) continue;
    TableRun(derivatives, static_cast<uint32_t>(t), std::move(of_table))
        .run(*filled.columns, any, scalars, pool);
  }
  return absl::OkStatus();
}

}  // namespace lindero::runtime
