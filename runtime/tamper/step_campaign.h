// Coordinated mutations: a prover that errs in one value of the trace program, on purpose, and is
// honest in all that follows from it.
//
// A trial changes one element that a random step wrote, runs the steps after it, balances the
// multiplicities, claims the outputs that come out, and checks all cells that differ from the
// accepted trace (recheck.h). It must be rejected if any cell differs: the witness of a run is
// unique. Deterministic for a seed. Cost: the trace program, and the changed cells.
#ifndef LINDERO_RUNTIME_TAMPER_STEP_CAMPAIGN_H_
#define LINDERO_RUNTIME_TAMPER_STEP_CAMPAIGN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.pb.h"

namespace lindero::runtime {

struct StepCampaignOptions {
  uint64_t seed = 1;
  int threads = 0;  // 0: as many as the machine has
  uint64_t trials = 1000;
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
  uint32_t buffer = 0;
  uint64_t element = 0;
  int64_t honest = 0;
  int64_t value = 0;
};

struct StepCampaignReport {
  std::vector<StepTally> steps;  // as in the program
  std::vector<StepSurvivor> survivors;
  StepTally total() const;
  // A line per kind of step, and one per survivor with its ONNX node.
  std::string toString(const Program& program) const;
};

// `inputs` as for generateTrace. An error when the honest trace is not accepted, or Recheck refuses
// the circuit.
absl::StatusOr<StepCampaignReport> tamperSteps(const Package& package, const Statement& inputs,
                                               const StepCampaignOptions& options = {});

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_STEP_CAMPAIGN_H_
