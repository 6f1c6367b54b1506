// What a proof will cost, from the circuit's sizes and the prover's parameters alone: so that a
// user knows before it starts.
//
// Sizes are meant to be right within a factor of 1.5, times within a factor of two on a machine
// that has nothing else to do. The rates are measurements of the Stwo prover (AVX-512).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/emit/report.h"
#include "runtime/package/digest.h"
#include "runtime/package/key.pb.h"
#include "runtime/prove/prover.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

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
StwoParameters expectedParameters(const ProverOptions& options);
// Those that the backend reports, as JSON.
absl::StatusOr<StwoParameters> parametersOf(const Json& json);
// Those of the circuit's key in `path`, or the expected ones if there is none.
StwoParameters keyParameters(const std::string& path, const runtime::Digest& circuit,
                             const ProverOptions& options);

// Of a bundle, `blocks` proofs of the circuit.
Estimate estimateProof(const compiler::CostReport& cost, const StwoParameters& parameters,
                       int threads, int64_t blocks = 1);
void addEstimate(const Estimate& estimate, Summary& summary);

// A line for each bucket of a package.
struct BucketCost {
  int64_t bucket = 0;
  Estimate estimate;
};
void addBuckets(const std::vector<BucketCost>& buckets, Summary& summary);

// Of a circuit that is proven for block after block of `steps`. All costs beside it are of one.
void addBlocks(int64_t steps, int64_t most, Summary& summary);

}  // namespace lindero::cli
