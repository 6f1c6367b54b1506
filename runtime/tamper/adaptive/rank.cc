#include "runtime/tamper/adaptive/rank.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/eval/describe.h"
#include "runtime/eval/scalars.h"
#include "runtime/package/circuit_access.h"
#include "runtime/package/status_macros.h"
#include "runtime/tamper/adaptive/pivots.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kAnySeed = 0x616e79;

uint64_t countRows(const RowMask& mask) {
  return static_cast<uint64_t>(std::count(mask.begin(), mask.end(), 1));
}

class Ranker {
 public:
  Ranker(const Package& package, const Checker& checker, ThreadPool& pool)
      : package_(package),
        circuit_(package.circuit()),
        derivatives_(package.circuit(), package.circuitInfo()),
        any_(package, kAnySeed),
        filled_(Witness::of(checker)),
        pool_(pool) {}

  absl::StatusOr<RankReport> run() {
    equations_ = findEquations(derivatives_);
    LINDERO_RETURN_IF_ERROR(
        evaluateEquations(derivatives_, filled_, any_.columns(), pool_, equations_));
    for (uint32_t phase : {2u, 3u}) {
      peelings_[phase] = peel(derivatives_, equations_, phase);
      phases_[phase] = &peelings_[phase];
    }
    for (uint32_t phase : {2u, 3u}) LINDERO_RETURN_IF_ERROR(judge(phase));
    return std::move(report_);
  }

 private:
  absl::Status judge(uint32_t phase) {
    const Peeling& peeling = peelings_[phase];
    RankCounts& counts = report_.phases[phase];
    counts.columns = peeling.columns;
    counts.cells = peeling.cells;
    for (const Equation& e : equations_) {
      if (e.phase != phase) continue;
      counts.equations += e.violated.size();
      counts.derivatives += e.violated.size() * e.readings.size();
    }
    for (const auto& [place, rows] : peeling.parameters) counts.parameters += countRows(rows);
    LINDERO_ASSIGN_OR_RETURN(std::vector<UnsafePivot> unsafe,
                             findUnsafePivots(derivatives_, peeling, filled_, pool_));
    for (UnsafePivot& u : unsafe) {
      add(RankFinding::Kind::kSuspect, phase, u.table, u.column, {}, u.rows,
          absl::StrCat("the pivot of constraint ", nameOf(u.table, u.constraint), " ", u.why));
    }
    judgeClaimedSums(peeling);
    LINDERO_ASSIGN_OR_RETURN(LatePoles poles, bindByLatePoles(derivatives_, package_.linkedGroups(),
                                                              phases_, phase, filled_, pool_));
    counts.bound = poles.bound;
    for (const auto& [place, open] : poles.open) {
      LINDERO_RETURN_IF_ERROR(judgeOpen(phase, place, open, poles));
    }
    if (phase == 2) report_.shared = std::move(poles.shared);
    for (const Leftover& l : peeling.leftovers) {
      add(RankFinding::Kind::kNote, phase, l.equation->table, 0, {}, l.rows,
          absl::StrCat("constraint ", nameOf(l.equation->table, l.equation->constraint),
                       " determines nothing there"));
    }
    return absl::OkStatus();
  }

  std::string nameOf(uint32_t table, uint32_t constraint) const {
    return tableOf(circuit_, table).constraints(static_cast<int>(constraint)).name();
  }

  void add(RankFinding::Kind kind, uint32_t phase, uint32_t table, uint32_t column,
           std::vector<uint64_t> rows, uint64_t count, std::string why) {
    report_.findings.push_back(
        {kind, phase, table, column, std::move(rows), count, std::move(why)});
  }

  void judgeClaimedSums(const Peeling& peeling) {
    RankCounts& counts = report_.phases[peeling.phase];
    for (const ColumnRef& ref : package_.circuitInfo().claimed_sum_columns) {
      counts.claimed_sums += columnOf(circuit_, ref.table, ref.column).phase() == peeling.phase;
    }
    for (uint32_t claimed_sum : peeling.open_claimed_sums) {
      const ColumnRef ref = package_.circuitInfo().claimed_sum_columns[claimed_sum];
      const uint64_t last = tableHeight(tableOf(circuit_, ref.table)) - 1;
      ++counts.holes;
      add(RankFinding::Kind::kHole, peeling.phase, ref.table, ref.column, {last}, 1,
          absl::StrCat("claimed sum ", circuit_.claimed_sums(static_cast<int>(claimed_sum)).name(),
                       " is the sum of nothing: no constraint says so"));
    }
  }

  // Open cells of a column: holes where an equation of their phase or a later one reads them.
  absl::Status judgeOpen(uint32_t phase, const Place& place, const RowMask& open,
                         const LatePoles& poles) {
    if (countRows(open) == 0) return absl::OkStatus();
    std::set<std::string> by;
    RowMask read(open.size(), 0);
    LINDERO_RETURN_IF_ERROR(readersOf(phase, place, open, read, by));
    std::vector<uint64_t> holes, harmless;
    for (size_t row = 0; row < open.size(); ++row) {
      if (open[row]) (read[row] ? holes : harmless).push_back(row);
    }
    RankCounts& counts = report_.phases[phase];
    counts.holes += holes.size();
    counts.harmless += harmless.size();
    if (!holes.empty()) {
      std::string why = absl::StrCat("read by ", absl::StrJoin(by, ", "));
      auto it = poles.why_not.find(place);
      if (it != poles.why_not.end()) absl::StrAppend(&why, "; ", absl::StrJoin(it->second, "; "));
      const uint64_t count = holes.size();
      add(RankFinding::Kind::kHole, phase, place.first, place.second, std::move(holes), count, why);
    }
    if (!harmless.empty()) {
      const uint64_t count = harmless.size();
      add(RankFinding::Kind::kHarmless, phase, place.first, place.second, std::move(harmless),
          count, "free, and nothing reads it");
    }
    return absl::OkStatus();
  }

  // Marks in `read` the open cells that an equation reads, on this trace or another.
  absl::Status readersOf(uint32_t phase, const Place& place, const RowMask& open, RowMask& read,
                         std::set<std::string>& by) {
    std::vector<Equation> later;
    for (const Equation& e : equations_) {
      if (e.table != place.first || e.phase < phase) continue;
      Equation copy{e.table, e.constraint, e.node, e.phase, {}};
      const auto of = derivatives_.of(e.node, [&](const Leaf& leaf) {
        return leaf.kind == Leaf::Kind::kColumn && leaf.index == place.second;
      });
      for (const auto& [leaf, node] : of) copy.readings.push_back({leaf, node});
      if (!of.empty()) later.push_back(std::move(copy));
    }
    LINDERO_RETURN_IF_ERROR(evaluateEquations(derivatives_, filled_, any_.columns(), pool_, later));
    for (const Equation& e : later) {
      for (const Reading& r : e.readings) {
        for (size_t row = 0; row < open.size(); ++row) {
          if (!r.reads[row] && !r.reads_any[row]) continue;
          const uint64_t at = rowAt(row, r.leaf.offset, open.size());
          if (!open[at]) continue;
          read[at] = 1;
          by.insert(nameOf(e.table, e.constraint));
        }
      }
    }
    return absl::OkStatus();
  }

  const Package& package_;
  const Circuit& circuit_;
  Derivatives derivatives_;
  AnyCells any_;
  Witness filled_;
  ThreadPool& pool_;
  std::vector<Equation> equations_;
  Peeling peelings_[4];
  const Peeling* phases_[4] = {};
  RankReport report_;
};

}  // namespace

const char* nameOf(RankFinding::Kind kind) {
  static constexpr const char* kNames[] = {"hole", "suspect", "note", "harmless"};
  return kNames[static_cast<int>(kind)];
}

bool RankReport::ok() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const RankFinding& f) { return f.isAlarm(); });
}

absl::StatusOr<RankReport> rankChallengePhases(const Package& package, const Checker& checker,
                                               ThreadPool& pool) {
  return Ranker(package, checker, pool).run();
}

std::string describe(const RankFinding& finding, const Circuit& circuit) {
  const Table& table = tableOf(circuit, finding.table);
  std::string text =
      absl::StrCat(nameOf(finding.kind), ": phase ", finding.phase, ", ", table.name());
  if (finding.kind != RankFinding::Kind::kNote) {
    absl::StrAppend(&text, ".", table.columns(static_cast<int>(finding.column)).name());
  }
  absl::StrAppend(&text, ", ", finding.row_count, " rows");
  if (!finding.rows.empty()) {
    absl::StrAppend(&text, ", first: ", describeRow(table, finding.rows[0]));
  }
  return absl::StrCat(text, ": ", finding.why);
}

}  // namespace lindero::runtime
