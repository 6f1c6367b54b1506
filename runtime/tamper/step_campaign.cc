#include "runtime/tamper/step_campaign.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "runtime/check/recheck.h"
#include "runtime/package/status_macros.h"
#include "runtime/parallel/thread_pool.h"
#include "runtime/program/steps.h"
#include "runtime/tamper/cheats.h"
#include "runtime/tamper/families.h"
#include "runtime/tamper/program_run.h"
#include "runtime/tamper/random.h"
#include "runtime/trace/step_context.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kAimedTrials = 400;  // per family, at most

struct Worker {
  std::unique_ptr<ProgramRun> run;
  std::unique_ptr<Recheck> recheck;
};

void addTo(StepTally& sum, const StepTally& tally) {
  sum.tried += tally.tried;
  sum.caught += tally.caught;
  sum.stopped += tally.stopped;
  sum.unchanged += tally.unchanged;
  sum.survived += tally.survived;
}

std::string kindOf(const Step& step) {
  return absl::StrReplaceAll(program::stepDefOf(step)->name, {{"_", " "}});
}

std::string describeStep(const Step& step) {
  return absl::StrCat("node \"", step.node(), "\", ", kindOf(step));
}

class Campaign {
 public:
  Campaign(const Package& package, const Statement& inputs, const StepCampaignOptions& options)
      : package_(package), inputs_(inputs), options_(options) {
    report_.steps.resize(package.program().steps_size());
    for (int i = 0; i < package.program().steps_size(); ++i) {
      if (!buffersOf(package.program().steps(i)).writes.empty()) {
        steps_[package.program().steps(i).kind_case()].push_back(i);
      }
    }
  }

  absl::Status prepare(std::vector<Worker>& workers) {
    for (Worker& worker : workers) {
      LINDERO_ASSIGN_OR_RETURN(worker.run, ProgramRun::create(package_, inputs_, options_.before));
      LINDERO_ASSIGN_OR_RETURN(
          worker.recheck, Recheck::create(package_, worker.run->statement(), worker.run->cells()));
      worker.recheck->setCheckBuses(false);
    }
    return absl::OkStatus();
  }

  void run(uint64_t trial, Worker& worker) {
    Draws draws(options_.seed, trial);
    const auto& [kind, steps] = *std::next(steps_.begin(), draws.below(steps_.size()));
    attempt(trial, steps[draws.below(steps.size())], worker, draws, [&](const CheatScene& scene) {
      std::string change;
      if (draws.below(2) == 0) change = cheat(scene);
      return change.empty() ? changeElement(scene.step, scene.buffers, draws) : change;
    });
    std::lock_guard<std::mutex> lock(mutex_);
    if (options_.progress) options_.progress(++done_, options_.trials);
  }

  // The families of which nothing is shown, and that a cheat aims at.
  std::vector<std::string> targets() const {
    std::vector<std::string> names;
    if (options_.necessity == nullptr) return names;
    for (const Family& family : familiesOf(*options_.necessity, package_.circuit())) {
      if (family.open() && !cheatsFor(family.name).empty()) names.push_back(family.name);
    }
    return names;
  }

  // Tries those cheats until the family is shown.
  void aim(const std::string& family, uint64_t first_trial, Worker& worker) {
    const std::vector<const Cheat*> fitting = cheatsFor(family);
    for (uint64_t i = 0; i < kAimedTrials && !options_.necessity->familyShown(family); ++i) {
      Draws draws(options_.seed, first_trial + i);
      const Cheat& chosen = *fitting[i % fitting.size()];
      const std::vector<int>& steps = steps_.at(chosen.kind);
      attempt(first_trial + i, steps[draws.below(steps.size())], worker, draws,
              [&](const CheatScene& scene) {
                return chosen.apply(scene) ? std::string(chosen.name) : "";
              });
    }
  }

  StepCampaignReport takeReport() {
    std::sort(report_.survivors.begin(), report_.survivors.end(),
              [](const StepSurvivor& a, const StepSurvivor& b) { return a.trial < b.trial; });
    return std::move(report_);
  }

 private:
  std::vector<const Cheat*> cheatsFor(const std::string& family) const {
    std::vector<const Cheat*> fitting;
    for (const Cheat& cheat : cheats()) {
      if (cheat.aimsAt(family) && steps_.count(cheat.kind) > 0) fitting.push_back(&cheat);
    }
    return fitting;
  }

  // `change` changes what the step wrote, and says how; not counted if it says nothing.
  void attempt(uint64_t trial, int step, Worker& worker, Draws& draws,
               absl::FunctionRef<std::string(const CheatScene&)> change) {
    StepTally tally;
    tally.tried = 1;
    StepSurvivor made{trial, step, ""};
    std::vector<CellChange> copies;
    absl::Status status = worker.run->rerun(step, [&](const Step& at, Buffers& buffers) {
      made.change = change(CheatScene{package_, at, buffers, draws, copies});
    });
    if (made.change.empty()) return;
    bool survived = false;
    if (!status.ok()) {
      tally.stopped = 1;
    } else {
      std::vector<CellChange> changes = worker.run->changes();
      changes.insert(changes.end(), copies.begin(), copies.end());
      if (changes.empty()) {
        tally.unchanged = 1;
      } else {
        survived = passes(worker, changes, made);
        (survived ? tally.survived : tally.caught) = 1;
      }
    }
    std::lock_guard<std::mutex> lock(mutex_);
    addTo(report_.steps[step], tally);
    if (survived) report_.survivors.push_back(made);
  }

  // One element of one buffer: a step up or down, a power of two, the sign, or another element's.
  std::string changeElement(const Step& step, Buffers& buffers, Draws& draws) const {
    const std::vector<uint32_t> writes = buffersOf(step).writes;
    const uint32_t buffer = writes[draws.below(writes.size())];
    absl::Span<int32_t> values = buffers.at(buffer);
    const uint64_t element = draws.below(values.size());
    const int64_t honest = values[element], power = int64_t{1} << draws.below(30);
    int64_t changed = honest;
    switch (draws.below(4)) {
      case 0:
        changed += draws.sign();
        break;
      case 1:
        changed += draws.sign() * power;
        break;
      case 2:
        changed = -changed;
        break;
      default:
        changed = values[draws.below(values.size())];
    }
    values[element] = static_cast<int32_t>(std::clamp(changed, -kMaxElement, kMaxElement));
    return absl::StrCat("buffer \"", package_.program().buffers(static_cast<int>(buffer)).name(),
                        "\", element ", element, ": ", values[element], " instead of ", honest);
  }

  bool passes(Worker& worker, const std::vector<CellChange>& changes, const StepSurvivor& change) {
    Recheck& recheck = *worker.recheck;
    const Statement& statement = worker.run->revisedStatement();
    absl::StatusOr<absl::Span<const Finding>> findings =
        recheck.check(recheck.withMultiplicities(changes), statement);
    if (!findings.ok()) return false;
    if (findings->empty()) return true;
    if (options_.necessity != nullptr) {
      options_.necessity->observe(recheck, changes, &statement, *findings, true, [&] {
        return absl::StrCat("trial ", change.trial, ", ",
                            describeStep(package_.program().steps(change.step)), ": ",
                            change.change);
      });
    }
    return false;
  }

  const Package& package_;
  const Statement& inputs_;
  const StepCampaignOptions& options_;
  std::map<Step::KindCase, std::vector<int>> steps_;  // that write something
  std::mutex mutex_;
  uint64_t done_ = 0;
  StepCampaignReport report_;
};

}  // namespace

absl::StatusOr<StepCampaignReport> tamperSteps(const Package& package, const Statement& inputs,
                                               const StepCampaignOptions& options) {
  ThreadPool pool(options.threads);
  std::vector<Worker> workers(pool.size());
  Campaign campaign(package, inputs, options);
  LINDERO_RETURN_IF_ERROR(campaign.prepare(workers));
  pool.parallelFor(options.trials,
                   [&](uint64_t trial, int worker) { campaign.run(trial, workers[worker]); });
  const std::vector<std::string> targets = campaign.targets();
  pool.parallelFor(targets.size(), [&](uint64_t i, int worker) {
    campaign.aim(targets[i], options.trials + i * kAimedTrials, workers[worker]);
  });
  return campaign.takeReport();
}

StepTally StepCampaignReport::total() const {
  StepTally sum;
  for (const StepTally& tally : steps) addTo(sum, tally);
  return sum;
}

std::map<std::string, StepTally> StepCampaignReport::byKind(const Program& program) const {
  std::map<std::string, StepTally> kinds;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].tried != 0) addTo(kinds[kindOf(program.steps(static_cast<int>(i)))], steps[i]);
  }
  return kinds;
}

std::string StepCampaignReport::toString(const Program& program) const {
  std::string text = absl::StrFormat("%-20s %10s %10s %10s %10s %10s\n", "step", "tried", "caught",
                                     "stopped", "unchanged", "survived");
  auto line = [&](const std::string& name, const StepTally& t) {
    absl::StrAppendFormat(&text, "%-20s %10d %10d %10d %10d %10d\n", name, t.tried, t.caught,
                          t.stopped, t.unchanged, t.survived);
  };
  for (const auto& [name, tally] : byKind(program)) line(name, tally);
  line("all", total());
  for (const StepSurvivor& s : survivors) {
    absl::StrAppend(&text, "survived: trial ", s.trial, ", ", describeStep(program.steps(s.step)),
                    ": ", s.change, "\n");
  }
  return text;
}

}  // namespace lindero::runtime
