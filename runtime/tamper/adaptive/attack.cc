#include "runtime/tamper/adaptive/attack.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/check/challenges.h"
#include "runtime/check/sums.h"
#include "runtime/eval/describe.h"
#include "runtime/package/circuit_access.h"
#include "runtime/package/status_macros.h"
#include "runtime/tamper/adaptive/fractions.h"
#include "runtime/tamper/random.h"

namespace lindero::runtime {
namespace {

constexpr size_t kRowsPerFinding = 6, kMaxDirections = 24;
constexpr int kTries = 300, kUnsolvable = 12;
constexpr uint64_t kLaterSeed = 0x6c6174657232;

class AttackBuilder {
 public:
  AttackBuilder(const Package& package, const Statement& statement, absl::Span<const uint32_t> main,
                absl::Span<const Direction> directions, const CheckOptions& options)
      : package_(package),
        circuit_(package.circuit()),
        statement_(statement),
        cells_(main.begin(), main.end()),
        directions_(directions),
        options_(options) {
    options_.challenges =
        drawChallenges(options_.seed, static_cast<size_t>(circuit_.challenges_size()));
  }

  absl::StatusOr<std::optional<Attack>> run() {
    if (directions_.empty()) return std::nullopt;
    LINDERO_ASSIGN_OR_RETURN(checker_, Checker::create(package_, statement_, cells_, options_));
    LINDERO_ASSIGN_OR_RETURN(const bool accepted, isAccepted(*checker_, {}));
    if (!accepted) {
      return absl::InvalidArgumentError(
          "an attack starts from an accepted trace, and the circuit does not accept this one");
    }
    honest_ = sums();
    movable_.assign(honest_.size(), false);
    LINDERO_ASSIGN_OR_RETURN(const std::vector<std::vector<QM31>> effects,
                             effectsOf(std::vector<QM31>(honest_.size())));
    for (const std::vector<QM31>& effect : effects) {
      for (size_t g = 0; g < effect.size(); ++g) {
        if (!effect[g].isZero()) movable_[g] = true;
      }
    }
    const std::vector<ColumnRef> columns = candidateColumns();
    int unsolvable = 0;
    for (int i = 0; i < kTries && unsolvable < kUnsolvable; ++i) {
      if (columns.empty()) break;
      const CellChange wrong = choose(columns[static_cast<size_t>(i) % columns.size()], i);
      uint32_t& cell = cells_[package_.traceLayout().offset(wrong.table, wrong.column) + wrong.row];
      const uint32_t before = cell;
      cell = wrong.value;
      absl::StatusOr<std::optional<Attack>> attack = attempt(wrong, unsolvable);
      if (attack.ok() && *attack) (*attack)->honest = before;
      cell = before;
      if (!attack.ok() || *attack) return attack;
    }
    return std::nullopt;
  }

 private:
  std::vector<QM31> sums() const { return sumsOfGroups(circuit_, checker_->claimedSums()); }

  // Main columns, in turns one of those that neither constraints of phase 1 nor lookups read, and
  // another.
  std::vector<ColumnRef> candidateColumns() const {
    std::vector<ColumnRef> edges, others;
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      const Table& table = circuit_.tables(t);
      std::set<uint32_t> read;
      auto add = [&](uint32_t node) {
        RowProgram program(circuit_, package_.circuitInfo(), static_cast<uint32_t>(t),
                           std::vector<RootGroup>{{node}});
        for (const RowProgram::ColumnUse& use : program.columnUses()) read.insert(use.column);
      };
      for (const Constraint& c : table.constraints()) {
        if (package_.circuitInfo().nodes[c.node()].phase == 1) add(c.node());
      }
      for (const Lookup& lookup : table.lookups()) {
        add(lookup.multiplicity());
        for (uint32_t node : lookup.tuple()) add(node);
      }
      const int first = firstColumnOfPhase(table, 1);
      for (int c = first; c < first + columnsOfPhase(table, 1); ++c) {
        const ColumnRef ref{static_cast<uint32_t>(t), static_cast<uint32_t>(c)};
        (read.contains(ref.column) ? others : edges).push_back(ref);
      }
    }
    std::vector<ColumnRef> result;
    for (size_t i = 0; i < std::max(edges.size(), others.size()); ++i) {
      for (const auto* list : {&edges, &others}) {
        if (!list->empty()) result.push_back((*list)[i % list->size()]);
      }
    }
    return result;
  }

  CellChange choose(const ColumnRef& ref, int trial) const {
    const Table& table = tableOf(circuit_, ref.table);
    Draws draws(options_.seed, static_cast<uint64_t>(trial));
    uint64_t row = draws.below(tableHeight(table));
    if (table.instances_size() > 0) {
      const Instance& in = table.instances(
          static_cast<int>(draws.below(static_cast<uint64_t>(table.instances_size()))));
      row = in.first_row() + draws.below(in.rows());
    }
    const M31 now =
        M31::fromCanonical(cells_[package_.traceLayout().offset(ref.table, ref.column) + row]);
    return {ref.table, ref.column, row, (now + M31::fromCanonical(1)).value()};
  }

  // All that a verifier sees, with these cells forged.
  absl::StatusOr<bool> isAccepted(Checker& checker, absl::Span<const FreeCell> forged) const {
    LINDERO_RETURN_IF_ERROR(checker.fill(forged));
    std::vector<RowRange> all;
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      all.push_back({static_cast<uint32_t>(t), 0, tableHeight(circuit_.tables(t))});
    }
    if (!checker.checkConstraints(all).empty()) return false;
    LINDERO_ASSIGN_OR_RETURN(std::vector<Failure> groups, checker.checkClaimedSums());
    return groups.empty();
  }

  absl::StatusOr<std::optional<Attack>> attempt(const CellChange& wrong, int& unsolvable) {
    LINDERO_RETURN_IF_ERROR(checker_->fill());
    const uint64_t height = tableHeight(tableOf(circuit_, wrong.table));
    const uint64_t first = wrong.row == 0 ? 0 : wrong.row - 1;
    const RowRange near{wrong.table, first, std::min<uint64_t>(3, height - first)};
    if (!checker_->checkConstraints({near}).empty()) return std::nullopt;
    std::vector<QM31> error = sums();
    Attack attack{wrong, 0, {}, {}, options_.seed, false};
    for (size_t g = 0; g < error.size(); ++g) {
      error[g] = honest_[g] - error[g];
      if (error[g].isZero()) continue;
      if (!movable_[g]) return std::nullopt;
      attack.groups.push_back(circuit_.sum_groups(static_cast<int>(g)).name());
    }
    if (attack.groups.empty()) return std::nullopt;
    ++unsolvable;
    LINDERO_ASSIGN_OR_RETURN(const std::vector<std::vector<QM31>> effects, effectsOf(error));
    std::vector<size_t> all(directions_.size());
    for (size_t j = 0; j < all.size(); ++j) all[j] = j;
    std::vector<std::vector<size_t>> choices;
    for (size_t j : all) choices.push_back({j});
    choices.push_back(all);
    for (const std::vector<size_t>& chosen : choices) {
      const std::optional<std::vector<QM31>> scale = solve(effects, chosen, error);
      if (!scale) continue;
      LINDERO_RETURN_IF_ERROR(checker_->fill());
      attack.cells = forge(chosen, *scale);
      LINDERO_ASSIGN_OR_RETURN(const bool accepted, holds(attack));
      if (accepted) return attack;
    }
    return std::nullopt;
  }

  // By how much each direction moves the sums, which are wrong by `error`.
  absl::StatusOr<std::vector<std::vector<QM31>>> effectsOf(const std::vector<QM31>& error) {
    std::vector<std::vector<QM31>> effects;
    const QM31 one(M31::fromCanonical(1));
    for (size_t j = 0; j < directions_.size(); ++j) {
      LINDERO_RETURN_IF_ERROR(checker_->fill());
      LINDERO_RETURN_IF_ERROR(checker_->fill(forge({j}, {one})));
      std::vector<QM31> moved = sums();
      for (size_t g = 0; g < moved.size(); ++g) moved[g] += error[g] - honest_[g];
      effects.push_back(std::move(moved));
    }
    return effects;
  }

  // Values of the cells, from those that the columns hold.
  std::vector<FreeCell> forge(absl::Span<const size_t> chosen, absl::Span<const QM31> scale) const {
    std::vector<FreeCell> forged;
    for (size_t i = 0; i < chosen.size(); ++i) {
      if (scale[i].isZero()) continue;
      for (const Direction::Part& part : directions_[chosen[i]].parts) {
        const Cell& at = part.cell;
        const QM31 add = scale[i] * part.coefficient;
        auto same = [&](const FreeCell& f) {
          return f.table == at.table && f.column == at.column && f.row == at.row;
        };
        auto it = std::find_if(forged.begin(), forged.end(), same);
        if (it != forged.end()) {
          it->value += add;
        } else {
          const QM31 now = checker_->columns().view(at.table, at.column).at(at.row);
          forged.push_back({at.table, at.column, at.row, now + add});
        }
      }
    }
    return forged;
  }

  // sum_j scale_j effects_j = error, by elimination; none if there is no solution.
  static std::optional<std::vector<QM31>> solve(const std::vector<std::vector<QM31>>& effects,
                                                absl::Span<const size_t> chosen,
                                                const std::vector<QM31>& error) {
    const size_t n = chosen.size();
    std::vector<std::vector<QM31>> rows;
    for (size_t g = 0; g < error.size(); ++g) {
      rows.emplace_back();
      for (size_t j : chosen) rows[g].push_back(effects[j][g]);
      rows[g].push_back(error[g]);
    }
    std::vector<size_t> pivot_of;  // columns, in the order of rows
    for (size_t j = 0; j < n; ++j) {
      const size_t at = pivot_of.size();
      size_t found = at;
      while (found < rows.size() && rows[found][j].isZero()) ++found;
      if (found == rows.size()) continue;
      std::swap(rows[at], rows[found]);
      const QM31 inverse = rows[at][j].inverse();
      for (QM31& x : rows[at]) x *= inverse;
      for (size_t g = 0; g < rows.size(); ++g) {
        const QM31 factor = rows[g][j];
        if (g == at || factor.isZero()) continue;
        for (size_t k = 0; k <= n; ++k) rows[g][k] = rows[g][k] - factor * rows[at][k];
      }
      pivot_of.push_back(j);
    }
    for (size_t g = pivot_of.size(); g < rows.size(); ++g) {
      if (!rows[g][n].isZero()) return std::nullopt;
    }
    std::vector<QM31> scale(n);
    for (size_t k = 0; k < pivot_of.size(); ++k) scale[pivot_of[k]] = rows[k][n];
    return scale;
  }

  // Under these challenges, and under others of the phases after the cells'.
  absl::StatusOr<bool> holds(Attack& attack) {
    LINDERO_ASSIGN_OR_RETURN(const bool accepted, isAccepted(*checker_, attack.cells));
    if (!accepted) return false;
    for (int g = 0; g < circuit_.sum_groups_size(); ++g) {
      if (package_.linkedGroups()[static_cast<size_t>(g)] && sums()[g] != honest_[g]) {
        return false;
      }
    }
    attack.buses_balance = checker_->checkBuses().empty();
    uint32_t phase = 3;
    for (const FreeCell& cell : attack.cells) {
      phase = std::min(phase, columnOf(circuit_, cell.table, cell.column).phase());
    }
    CheckOptions options = options_;
    const std::vector<QM31> others = drawChallenges(kLaterSeed, options.challenges.size());
    for (int i = 0; i < circuit_.challenges_size(); ++i) {
      if (circuit_.challenges(i).phase() >= phase) options.challenges[i] = others[i];
    }
    LINDERO_ASSIGN_OR_RETURN(auto later, Checker::create(package_, statement_, cells_, options));
    return isAccepted(*later, attack.cells);
  }

  const Package& package_;
  const Circuit& circuit_;
  const Statement& statement_;
  std::vector<uint32_t> cells_;
  absl::Span<const Direction> directions_;
  CheckOptions options_;
  std::unique_ptr<Checker> checker_;
  std::vector<QM31> honest_;   // sums
  std::vector<bool> movable_;  // groups whose sum a direction moves
};

}  // namespace

std::vector<Direction> directionsOf(const RankReport& report) {
  std::vector<Direction> result;
  const QM31 one(M31::fromCanonical(1));
  for (const SharedPole& s : report.shared) {
    if (result.size() == kMaxDirections / 2) break;
    result.push_back({{{s.cell, one}, {s.follower, s.follow}}});
  }
  for (const RankFinding& f : report.findings) {
    if (f.kind != RankFinding::Kind::kHole) continue;
    const size_t step = std::max<size_t>(1, f.rows.size() / kRowsPerFinding);
    for (size_t i = 0; i < f.rows.size() && result.size() < kMaxDirections; i += step) {
      result.push_back({{{{f.table, f.column, f.rows[i]}, one}}});
    }
  }
  return result;
}

absl::StatusOr<std::optional<Attack>> buildAttack(const Package& package,
                                                  const Statement& statement,
                                                  absl::Span<const uint32_t> main,
                                                  absl::Span<const Direction> directions,
                                                  const CheckOptions& options) {
  return AttackBuilder(package, statement, main, directions, options).run();
}

std::string describe(const Attack& attack, const Circuit& circuit) {
  const CellChange& wrong = attack.wrong;
  std::string text = absl::StrCat(
      "a false trace is accepted: ", describeCell(circuit, wrong.table, wrong.column, wrong.row),
      " is ", wrong.value, " instead of ", attack.honest, ", which ",
      absl::StrJoin(attack.groups, ", "), " refused, with");
  for (const FreeCell& cell : attack.cells) {
    absl::StrAppend(&text, " ", describeColumn(circuit, cell.table, cell.column), " = ",
                    describeValue(cell.value), " in row ", cell.row);
  }
  return text;
}

}  // namespace lindero::runtime
