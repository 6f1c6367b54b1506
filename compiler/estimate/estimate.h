// What a proof will cost, from the circuit's sizes and the prover's parameters alone: so that a
// user knows before it starts.
//
// How right it is meant to be, and from which rates: passes/boundary/placement/proof_cost.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/driver/compile_model.h"
#include "compiler/emit/report.h"
#include "passes/boundary/placement/proof_cost.h"
#include "runtime/package/digest.h"
#include "runtime/package/key.pb.h"
#include "runtime/prove/prover.h"

namespace lindero::compiler {

struct Estimate {
  int64_t rows = 0;          // of all tables
  int64_t blocks = 1;        // of the run
  int64_t online_cells = 0;  // committed in every proof, of all blocks
  int64_t fixed_cells = 0;   // committed once per model
  double seconds = 0;
  double memory_bytes = 0;
  double proof_bytes = 0;
  double scratch_bytes = 0;  // of disk, while it runs
};

// The parameters that the prover will choose, as far as costs depend on them.
StwoParameters expectedParameters(const runtime::ProverOptions& options);
// Those that the backend reports, as JSON.
absl::StatusOr<StwoParameters> parametersOf(const runtime::Report& json);
// Those of the key in `path` of the circuits, of each member, and the bundle with these digests, or
// the expected ones if there is none.
StwoParameters keyParameters(const std::string& path, const std::vector<runtime::Digest>& circuits,
                             const runtime::Digest& bundle, const runtime::ProverOptions& options);
// What of them the cost model of passes/boundary takes.
passes::ProofParameters costParameters(const StwoParameters& parameters);
// How many a prover of so many threads has: 0 is one per processor.
int threadsOf(int threads);

// Of a bundle, `blocks` proofs of the circuit.
Estimate estimateProof(const CostReport& cost, const StwoParameters& parameters, int threads,
                       int64_t blocks = 1);

// Of `steps` proofs of each member, one after the other: memory is that of the largest.
Estimate estimateBundle(const std::vector<CostReport>& members, const StwoParameters& parameters,
                        int threads, int64_t steps = 1);
Estimate estimateBundle(const runtime::BundlePackage& package, const StwoParameters& parameters,
                        int threads, int64_t steps = 1);

struct BucketCost {
  int64_t bucket = 0;  // 0: of a package without buckets
  Estimate estimate;
  CostReport cost = {};
};
// Of each bucket that these options give a prepared model (compiler/driver/compile_model.h),
// ascending. Lowers the model and writes nothing.
absl::StatusOr<std::vector<BucketCost>> estimateModel(const ModelOptions& options,
                                                      const runtime::ProverOptions& prover,
                                                      PreparedModel& model,
                                                      runtime::Monitor& monitor);

}  // namespace lindero::compiler
