#include "runtime/tamper/step_campaign.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/check/recheck.h"
#include "runtime/package/status_macros.h"
#include "runtime/parallel/thread_pool.h"
#include "runtime/tamper/random.h"
#include "runtime/trace/generate_trace.h"
#include "runtime/trace/step_context.h"

namespace lindero::runtime {
namespace {

struct Worker {
  std::unique_ptr<Recheck> recheck;
  std::vector<uint32_t> cells;
};

void addTo(StepTally& sum, const StepTally& tally) {
  sum.tried += tally.tried;
  sum.caught += tally.caught;
  sum.stopped += tally.stopped;
  sum.unchanged += tally.unchanged;
  sum.survived += tally.survived;
}

class Campaign {
 public:
  Campaign(const Package& package, const Statement& inputs, const StepCampaignOptions& options)
      : package_(package), inputs_(inputs), options_(options) {
    report_.steps.resize(package.program().steps_size());
    for (int i = 0; i < package.program().steps_size(); ++i) {
      if (!buffersOf(package.program().steps(i)).writes.empty()) steps_.push_back(i);
    }
    const Circuit& circuit = package.circuit();
    for (int t = 0; t < circuit.tables_size(); ++t) {
      for (int c = 0; c < circuit.tables(t).columns_size(); ++c) {
        bool counts =
            std::any_of(circuit.tables(t).lookups().begin(), circuit.tables(t).lookups().end(),
                        [&](const Lookup& l) {
                          return l.provide() && l.multiplicity_column() == static_cast<uint32_t>(c);
                        });
        if (circuit.tables(t).columns(c).phase() == 1 && !counts) {
          columns_.push_back({static_cast<uint32_t>(t), static_cast<uint32_t>(c)});
        }
      }
    }
  }

  absl::Status prepare(std::vector<Worker>& workers) {
    std::vector<uint32_t> cells(package_.traceLayout().cells(), 0);
    LINDERO_ASSIGN_OR_RETURN(Statement statement,
                             generateTrace(package_, inputs_, absl::MakeSpan(cells)));
    for (Worker& worker : workers) {
      LINDERO_ASSIGN_OR_RETURN(worker.recheck, Recheck::create(package_, statement, cells));
      worker.cells = cells;
    }
    return absl::OkStatus();
  }

  void run(uint64_t trial, Worker& worker) {
    const int step = steps_[random(trial, 0) % steps_.size()];
    StepTally tally;
    tally.tried = 1;
    StepSurvivor change{trial, step};
    TraceOptions options;
    options.threads = 1;
    options.multiplicities = false;
    options.revise = [&](const Step& at, Buffers& buffers) {
      if (&at == &package_.program().steps(step)) mutate(at, buffers, change);
    };
    std::fill(worker.cells.begin(), worker.cells.end(), 0);
    absl::StatusOr<Statement> statement =
        generateTrace(package_, inputs_, absl::MakeSpan(worker.cells), options);
    bool survived = false;
    if (!statement.ok()) {
      tally.stopped = 1;
    } else {
      std::vector<CellChange> changes = difference(worker);
      if (changes.empty()) {
        tally.unchanged = 1;
      } else {
        survived = passes(*worker.recheck, changes, *statement);
        (survived ? tally.survived : tally.caught) = 1;
      }
    }
    std::lock_guard<std::mutex> lock(mutex_);
    addTo(report_.steps[step], tally);
    if (survived) report_.survivors.push_back(change);
  }

  StepCampaignReport takeReport() {
    std::sort(report_.survivors.begin(), report_.survivors.end(),
              [](const StepSurvivor& a, const StepSurvivor& b) { return a.trial < b.trial; });
    return std::move(report_);
  }

 private:
  uint64_t random(uint64_t trial, uint64_t use) const {
    return randomAt({options_.seed, trial, use});
  }

  // One element of one buffer: a step up or down, a power of two, the sign, or another element's.
  void mutate(const Step& step, Buffers& buffers, StepSurvivor& change) const {
    const std::vector<uint32_t> writes = buffersOf(step).writes;
    change.buffer = writes[random(change.trial, 1) % writes.size()];
    absl::Span<int32_t> values = buffers.at(change.buffer);
    change.element = random(change.trial, 2) % values.size();
    int32_t& value = values[change.element];
    change.honest = value;
    int64_t power = int64_t{1} << (random(change.trial, 4) % 30);
    int64_t changed = value;
    switch (random(change.trial, 3) % 6) {
      case 0:
        changed += 1;
        break;
      case 1:
        changed -= 1;
        break;
      case 2:
        changed += power;
        break;
      case 3:
        changed -= power;
        break;
      case 4:
        changed = -changed;
        break;
      default:
        changed = values[random(change.trial, 5) % values.size()];
    }
    value = static_cast<int32_t>(std::clamp(changed, -kMaxElement, kMaxElement));
    change.value = value;
  }

  std::vector<CellChange> difference(const Worker& worker) const {
    std::vector<CellChange> changes;
    for (const ColumnRef& ref : columns_) {
      const uint64_t offset = package_.traceLayout().offset(ref.table, ref.column);
      const uint64_t height = tableHeight(package_.circuit().tables(static_cast<int>(ref.table)));
      for (uint64_t row = 0; row < height; ++row) {
        uint32_t value = worker.cells[offset + row];
        if (value != worker.recheck->main()[offset + row]) {
          changes.push_back({ref.table, ref.column, row, value});
        }
      }
    }
    return changes;
  }

  static bool passes(Recheck& recheck, const std::vector<CellChange>& changes,
                     const Statement& statement) {
    absl::StatusOr<absl::Span<const Finding>> findings =
        recheck.check(recheck.withMultiplicities(changes), statement);
    // A bus that does not balance is no reason by itself: its claim is.
    return findings.ok() && std::all_of(findings->begin(), findings->end(), [](const Finding& f) {
             return f.kind == Failure::Kind::kBus;
           });
  }

  const Package& package_;
  const Statement& inputs_;
  const StepCampaignOptions& options_;
  std::vector<int> steps_;          // that write something
  std::vector<ColumnRef> columns_;  // of phase 1, without multiplicities
  std::mutex mutex_;
  StepCampaignReport report_;
};

const char* kindOf(const Step& step) {
  static constexpr const char* kNames[] = {"",
                                           "",
                                           "",
                                           "input",
                                           "load",
                                           "gather rows",
                                           "matrix product",
                                           "requantize",
                                           "table lookup",
                                           "layernorm",
                                           "softmax",
                                           "argmax",
                                           "output",
                                           "copy rows"};
  return kNames[static_cast<int>(step.kind_case())];
}

}  // namespace

absl::StatusOr<StepCampaignReport> tamperSteps(const Package& package, const Statement& inputs,
                                               const StepCampaignOptions& options) {
  ThreadPool pool(options.threads);
  std::vector<Worker> workers(pool.size());
  Campaign campaign(package, inputs, options);
  LINDERO_RETURN_IF_ERROR(campaign.prepare(workers));
  pool.parallelFor(options.trials,
                   [&](uint64_t trial, int worker) { campaign.run(trial, workers[worker]); });
  return campaign.takeReport();
}

StepTally StepCampaignReport::total() const {
  StepTally sum;
  for (const StepTally& tally : steps) addTo(sum, tally);
  return sum;
}

std::string StepCampaignReport::toString(const Program& program) const {
  std::string text = absl::StrFormat("%-20s %10s %10s %10s %10s %10s\n", "step", "tried", "caught",
                                     "stopped", "unchanged", "survived");
  auto line = [&](const std::string& name, const StepTally& t) {
    absl::StrAppendFormat(&text, "%-20s %10d %10d %10d %10d %10d\n", name, t.tried, t.caught,
                          t.stopped, t.unchanged, t.survived);
  };
  std::map<std::string, StepTally> kinds;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].tried != 0) addTo(kinds[kindOf(program.steps(static_cast<int>(i)))], steps[i]);
  }
  for (const auto& [name, tally] : kinds) line(name, tally);
  line("all", total());
  for (const StepSurvivor& s : survivors) {
    const Step& step = program.steps(s.step);
    absl::StrAppend(&text, "survived: trial ", s.trial, ", node \"", step.node(), "\", ",
                    kindOf(step), ", buffer \"", program.buffers(static_cast<int>(s.buffer)).name(),
                    "\", element ", s.element, ": ", s.value, " instead of ", s.honest, "\n");
  }
  return text;
}

}  // namespace lindero::runtime
