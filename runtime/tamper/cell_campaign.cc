#include "runtime/tamper/cell_campaign.h"

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/check/challenges.h"
#include "runtime/check/influence.h"
#include "runtime/check/recheck.h"
#include "runtime/eval/describe.h"
#include "runtime/package/circuit_access.h"
#include "runtime/package/status_macros.h"
#include "runtime/parallel/thread_pool.h"
#include "runtime/tamper/random.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kRowsPerTask = 1024;
constexpr size_t kMaxSurvivors = 10;  // per column and task
constexpr uint64_t kLateSeed = 0x6c617465;

struct Task {
  size_t tally;
  uint64_t first_row, rows;
  // Rows to move a multiplicity from are few: all of them are tried, and nothing else.
  bool moves = false;
};

// One thread's means.
struct Worker {
  std::unique_ptr<Recheck> recheck;
  // The same but for other challenges of phase 2; made when it is needed.
  std::unique_ptr<Recheck> late;
  std::unique_ptr<Influence> influence;
};

class Campaign {
 public:
  Campaign(const Package& package, const Statement& statement, absl::Span<const uint32_t> main,
           const CellCampaignOptions& options, CellCampaignReport& report)
      : package_(package),
        statement_(statement),
        main_(main),
        options_(options),
        total_(cellsToMutate(package.circuit(), options.rows_per_column, options.first_phase)),
        report_(report) {}

  void run(const Task& task, Worker& worker) {
    ColumnTally tally = report_.columns[task.tally];
    tally.tried = tally.caught = tally.padding = tally.survived = 0;
    std::vector<Survivor> survivors;
    const uint64_t height = tableHeight(tableOf(package_.circuit(), tally.table));
    for (uint64_t i = task.first_row; i < task.first_row + task.rows; ++i) {
      uint64_t row = i;
      if (task.moves) {
        tryOne(worker, row, Mutator::kMoveToNextRow, tally, survivors);
        continue;
      }
      if (options_.rows_per_column != 0 && options_.rows_per_column < height) {
        row = random(tally, i, 0) % height;
      }
      if (phaseOf(tally) > 1) {
        tryLate(worker, row, tally, survivors);
        continue;
      }
      for (Mutator mutator : options_.mutators) {
        if (mutator != Mutator::kMoveToNextRow) tryOne(worker, row, mutator, tally, survivors);
      }
    }
    std::lock_guard<std::mutex> lock(mutex_);
    ColumnTally& sum = report_.columns[task.tally];
    sum.tried += tally.tried;
    sum.caught += tally.caught;
    sum.padding += tally.padding;
    sum.survived += tally.survived;
    report_.survivors.insert(report_.survivors.end(), survivors.begin(), survivors.end());
    if (!task.moves) done_ += task.rows;
    if (options_.progress) options_.progress(done_, total_);
  }

  const absl::Status& error() const { return error_; }

 private:
  uint64_t random(const ColumnTally& tally, uint64_t row, uint64_t use) const {
    return randomAt({options_.seed, tally.table, tally.column, row, use});
  }

  std::vector<CellChange> mutate(const Worker& worker, const ColumnTally& t, uint64_t row,
                                 Mutator mutator) const {
    const uint64_t offset = package_.traceLayout().offset(t.table, t.column);
    const M31 value = M31::fromCanonical(worker.recheck->main()[offset + row]);
    const M31 one = M31::fromCanonical(1);
    M31 changed = value;
    switch (mutator) {
      case Mutator::kIncrement:
        changed = value + one;
        break;
      case Mutator::kDecrement:
        changed = value - one;
        break;
      case Mutator::kNegate:
        changed = -value;
        break;
      case Mutator::kRandom:
        changed = M31::fromUnsigned(random(t, row, 1));
        break;
      case Mutator::kSwapWithNextRow: {
        if (row + 1 == tableHeight(tableOf(package_.circuit(), t.table))) break;
        changed = M31::fromCanonical(worker.recheck->main()[offset + row + 1]);
        if (changed == value) break;
        // Padding of lookup tables repeats a tuple: it does not matter which row counts.
        if (worker.recheck->provideTheSame(t.table, t.column, row, row + 1)) return {};
        return {{t.table, t.column, row, changed.value()},
                {t.table, t.column, row + 1, value.value()}};
      }
      case Mutator::kMoveToNextRow: {
        if (row + 1 == tableHeight(tableOf(package_.circuit(), t.table)) ||
            !worker.recheck->provideTheSame(t.table, t.column, row, row + 1)) {
          break;
        }
        const M31 next = M31::fromCanonical(worker.recheck->main()[offset + row + 1]);
        return {{t.table, t.column, row, (value - one).value()},
                {t.table, t.column, row + 1, (next + one).value()}};
      }
    }
    if (changed == value) return {};
    return {{t.table, t.column, row, changed.value()}};
  }

  void tryOne(Worker& worker, uint64_t row, Mutator mutator, ColumnTally& tally,
              std::vector<Survivor>& survivors) const {
    std::vector<CellChange> changes = mutate(worker, tally, row, mutator);
    if (changes.empty()) return;
    judge(worker, changes, changes, mutator, tally, survivors);
    std::vector<CellChange> balanced = worker.recheck->withMultiplicities(changes);
    if (balanced.size() > changes.size()) {
      judge(worker, changes, balanced, mutator, tally, survivors);
    }
  }

  void judge(Worker& worker, absl::Span<const CellChange> mutated,
             absl::Span<const CellChange> changes, Mutator mutator, ColumnTally& tally,
             std::vector<Survivor>& survivors) const {
    ++tally.tried;
    absl::Span<const Finding> findings = worker.recheck->check(changes);
    if (!findings.empty()) {
      ++tally.caught;
      if (options_.necessity != nullptr) {
        const bool balanced = changes.size() > mutated.size();
        options_.necessity->observe(*worker.recheck, mutated, nullptr, findings, balanced, [&] {
          return describeMutation(tally, mutated[0].row, mutator, balanced);
        });
      }
      return;
    }
    std::string influence;
    bool padding = true;
    for (const CellChange& c : mutated) {
      const Table& table = tableOf(package_.circuit(), c.table);
      padding &= findInstance(table, c.row) == nullptr;
      if (influence.empty()) influence = worker.influence->of({c.table, c.column, c.row});
    }
    if (padding && influence.empty()) {
      ++tally.padding;
      return;
    }
    ++tally.survived;
    if (survivors.size() < kMaxSurvivors) {
      survivors.push_back({tally.table, tally.column, mutated[0].row, mutator,
                           changes.size() > mutated.size(), influence});
    }
  }

  uint32_t phaseOf(const ColumnTally& t) const {
    const Table& table = tableOf(package_.circuit(), t.table);
    return table.columns(static_cast<int>(t.column)).phase();
  }

  // Of a cell of a challenge phase: plus one, and anything.
  void tryLate(Worker& worker, uint64_t row, ColumnTally& tally, std::vector<Survivor>& survivors) {
    const QM31 value = worker.recheck->columns().view(tally.table, tally.column).at(row);
    std::array<uint32_t, 4> limbs;
    for (size_t k = 0; k < 4; ++k) limbs[k] = reduce64(random(tally, row, 2 + k));
    const std::pair<Mutator, QM31> mutations[] = {
        {Mutator::kIncrement, value + QM31(M31::fromCanonical(1))},
        {Mutator::kRandom, QM31::fromLimbs(limbs)}};
    for (const auto& [mutator, changed] : mutations) {
      if (changed == value) continue;
      judgeLate(worker, {tally.table, tally.column, row, changed}, mutator, tally, survivors);
    }
  }

  void judgeLate(Worker& worker, const FreeCell& cell, Mutator mutator, ColumnTally& tally,
                 std::vector<Survivor>& survivors) {
    ++tally.tried;
    if (worker.recheck->breaksDefinition(cell)) {
      ++tally.caught;
      return;
    }
    absl::Span<const Finding> findings = worker.recheck->check({}, {cell});
    std::vector<std::string> groups;
    for (const Finding& f : findings) {
      if (f.kind != Failure::Kind::kSumGroup) {
        ++tally.caught;
        return;
      }
      groups.push_back(package_.circuit().sum_groups(static_cast<int>(f.index)).name());
    }
    Survivor survivor;
    survivor.table = cell.table;
    survivor.column = cell.column;
    survivor.row = cell.row;
    survivor.mutator = mutator;
    if (groups.empty()) {
      survivor.influence = worker.influence->of({cell.table, cell.column, cell.row});
      if (survivor.influence.empty()) {
        ++tally.padding;
        return;
      }
    } else if (dependsOnLaterChallenges(worker, cell, phaseOf(tally))) {
      ++tally.caught;
      return;
    } else {
      survivor.solvable = true;
      survivor.influence = absl::StrJoin(groups, ", ");
    }
    ++tally.survived;
    if (survivors.size() < kMaxSurvivors) survivors.push_back(std::move(survivor));
  }

  // Whether what the last check found in the sums does.
  bool dependsOnLaterChallenges(Worker& worker, const FreeCell& cell, uint32_t phase) {
    if (phase > 2) return false;  // there are none
    if (worker.late == nullptr) {
      CheckOptions options;
      const auto& all = package_.circuit().challenges();
      options.challenges = drawChallenges(options.seed, static_cast<size_t>(all.size()));
      const std::vector<QM31> others = drawChallenges(kLateSeed, options.challenges.size());
      for (int i = 0; i < all.size(); ++i) {
        if (all[i].phase() >= phase) options.challenges[i] = others[i];
      }
      auto late = Recheck::create(package_, statement_, main_, options);
      if (!late.ok()) {
        std::lock_guard<std::mutex> lock(mutex_);
        error_ = late.status();
        return false;
      }
      worker.late = *std::move(late);
      worker.late->setCheckBuses(false);
    }
    worker.late->check({}, {cell});
    return worker.late->groupDeltas() != worker.recheck->groupDeltas();
  }

  std::string describeMutation(const ColumnTally& at, uint64_t row, Mutator mutator,
                               bool multiplicities) const {
    return absl::StrCat(describeCell(package_.circuit(), at.table, at.column, row), ", ",
                        nameOf(mutator), multiplicities ? " with multiplicities" : "");
  }

  const Package& package_;
  const Statement& statement_;
  absl::Span<const uint32_t> main_;
  const CellCampaignOptions& options_;
  const uint64_t total_;
  std::mutex mutex_;  // guards what follows
  uint64_t done_ = 0;
  absl::Status error_;
  CellCampaignReport& report_;
};

// Whether it holds multiplicities that a constraint reads.
bool movesCount(Recheck& recheck, uint32_t table, uint32_t column) {
  const ReadIndex& index = recheck.index();
  const std::vector<Read>& reads = index.readsOf(table, column);
  return std::any_of(reads.begin(), reads.end(),
                     [&](const Read& read) {
                       return index.parts()[read.part].kind == CircuitPart::Kind::kConstraint;
                     }) &&
         recheck.provideTheSame(table, column, 0, 0);
}

uint64_t rowsToMutate(const Table& table, uint64_t rows_per_column) {
  const uint64_t height = tableHeight(table);
  return rows_per_column == 0 ? height : std::min(height, rows_per_column);
}

}  // namespace

uint64_t cellsToMutate(const Circuit& circuit, uint64_t rows_per_column, uint32_t first_phase) {
  uint64_t cells = 0;
  for (const Table& table : circuit.tables()) {
    const auto columns =
        static_cast<uint64_t>(table.columns_size() - firstColumnOfPhase(table, first_phase));
    cells += columns * rowsToMutate(table, rows_per_column);
  }
  return cells;
}

const char* nameOf(Mutator mutator) {
  static constexpr const char* kNames[] = {
      "+1", "-1", "negated", "random", "swapped with next row", "moved to next row"};
  return kNames[static_cast<int>(mutator)];
}

std::string describeInfluence(const Survivor& survivor) {
  if (survivor.solvable) {
    return absl::StrCat("solvable: only sums under challenges that are drawn before it refuse it: ",
                        survivor.influence);
  }
  return survivor.influence.empty() ? "not declared padding"
                                    : absl::StrCat("read by ", survivor.influence);
}

absl::StatusOr<CellCampaignReport> tamperCells(const Package& package, const Statement& statement,
                                               absl::Span<const uint32_t> main,
                                               const CellCampaignOptions& options) {
  const Circuit& circuit = package.circuit();
  ThreadPool pool(options.threads);
  std::vector<Worker> workers(pool.size());
  for (Worker& worker : workers) {
    LINDERO_ASSIGN_OR_RETURN(worker.recheck, Recheck::create(package, statement, main));
    worker.recheck->setCheckBuses(false);
    worker.influence = std::make_unique<Influence>(package, worker.recheck->index());
  }
  CellCampaignReport report;
  const bool moves =
      std::count(options.mutators.begin(), options.mutators.end(), Mutator::kMoveToNextRow) > 0;
  std::vector<Task> tasks;
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const uint64_t rows = rowsToMutate(circuit.tables(t), options.rows_per_column);
    for (int c = 0; c < circuit.tables(t).columns_size(); ++c) {
      if (circuit.tables(t).columns(c).phase() < options.first_phase) continue;
      for (uint64_t row = 0; row < rows; row += kRowsPerTask) {
        tasks.push_back({report.columns.size(), row, std::min(kRowsPerTask, rows - row)});
      }
      if (moves && circuit.tables(t).columns(c).phase() == 1 &&
          movesCount(*workers[0].recheck, static_cast<uint32_t>(t), static_cast<uint32_t>(c))) {
        tasks.push_back({report.columns.size(), 0, tableHeight(circuit.tables(t)), true});
      }
      report.columns.push_back({static_cast<uint32_t>(t), static_cast<uint32_t>(c)});
    }
  }
  Campaign campaign(package, statement, main, options, report);
  pool.parallelFor(tasks.size(),
                   [&](uint64_t i, int worker) { campaign.run(tasks[i], workers[worker]); });
  LINDERO_RETURN_IF_ERROR(campaign.error());
  std::sort(report.survivors.begin(), report.survivors.end(),
            [](const Survivor& a, const Survivor& b) {
              return std::tie(a.table, a.column, a.row, a.mutator, a.multiplicities) <
                     std::tie(b.table, b.column, b.row, b.mutator, b.multiplicities);
            });
  return report;
}

void ColumnTally::add(const ColumnTally& other) {
  tried += other.tried;
  caught += other.caught;
  padding += other.padding;
  survived += other.survived;
}

ColumnTally CellCampaignReport::total() const {
  ColumnTally sum;
  for (const ColumnTally& column : columns) sum.add(column);
  return sum;
}

std::string CellCampaignReport::toString(const Circuit& circuit, bool by_column) const {
  std::string text = absl::StrFormat("%-36s %10s %10s %10s %10s\n", by_column ? "column" : "table",
                                     "tried", "caught", "padding", "survived");
  auto line = [&](const std::string& name, const ColumnTally& t) {
    absl::StrAppendFormat(&text, "%-36s %10d %10d %10d %10d\n", name, t.tried, t.caught, t.padding,
                          t.survived);
  };
  for (size_t i = 0; i < columns.size();) {
    CellCampaignReport part;
    size_t end = i;
    while (end < columns.size() && columns[end].table == columns[i].table &&
           (end == i || !by_column))
      part.columns.push_back(columns[end++]);
    line(by_column ? describeColumn(circuit, columns[i].table, columns[i].column)
                   : tableOf(circuit, columns[i].table).name(),
         part.total());
    i = end;
  }
  line("all", total());
  for (const Survivor& s : survivors) {
    absl::StrAppend(&text, "survived: ", describeCell(circuit, s.table, s.column, s.row), ", ",
                    nameOf(s.mutator), s.multiplicities ? " with multiplicities" : "", "; ",
                    describeInfluence(s), "\n");
  }
  return text;
}

}  // namespace lindero::runtime
