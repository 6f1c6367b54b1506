// Coordinated mutations: a prover that errs in one place of the trace program, on purpose, and is
// honest in all that follows from it.
//
// A trial changes what a random step of a random kind wrote: one element, or several that make a
// cheat of its gadget (cheats.h). It runs the steps after it, balances the multiplicities, claims
// the outputs that come out, and checks all cells that differ from the accepted trace (recheck.h).
// It must be rejected if any cell differs: the witness of a run is unique. Deterministic for a
// seed. After that, cheats that aim at the families of parts of which nothing is shown yet
// (families.h) are tried, a few hundred for each at most: how many depends on the threads. Cost:
// the steps that depend on the change (program_run.h), and the changed cells.
#ifndef LINDERO_RUNTIME_TAMPER_STEP_CAMPAIGN_H_
#define LINDERO_RUNTIME_TAMPER_STEP_CAMPAIGN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.pb.h"
#include "runtime/tamper/necessity.h"
#include "runtime/trace/run_step.h"

namespace lindero::runtime {

struct StepCampaignOptions {
  uint64_t seed = 1;
  int threads = 0;  // 0: as many as the machine has
  uint64_t trials = 1000;
  LinkValues before;               // what the block before left; none: there is none
  Necessity* necessity = nullptr;  // sees every trial; null: nothing is aimed at
  // Of trials; one call at a time, from any thread.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

struct StepTally {
  uint64_t tried = 0;
  uint64_t caught = 0;
  uint64_t stopped = 0;    // a later step refuses the value: out of its range
  uint64_t unchanged = 0;  // no cell depends on the element
  uint64_t survived = 0;
};

struct StepSurvivor {
  uint64_t trial = 0;
  int step = 0;
  std::string change;  // in words
};

struct StepCampaignReport {
  std::vector<StepTally> steps;  // as in the program
  std::vector<StepSurvivor> survivors;
  StepTally total() const;
  // By kind of step.
  std::map<std::string, StepTally> byKind(const Program& program) const;
  // A line per kind, and one per survivor with its ONNX node.
  std::string toString(const Program& program) const;
};

// `inputs` as for generateTrace. An error when the honest trace is not accepted, or Recheck refuses
// the circuit.
absl::StatusOr<StepCampaignReport> tamperSteps(const Package& package, const Statement& inputs,
                                               const StepCampaignOptions& options = {});

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_STEP_CAMPAIGN_H_
