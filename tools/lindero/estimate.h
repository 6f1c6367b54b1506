// What a proof will cost, from the circuit's sizes alone: so that a user knows before it starts.
//
// The rates are measurements of the Stwo prover on two cores with AVX2; they are meant to be right
// within a factor of two.
#pragma once

#include <cstdint>

#include "compiler/emit/report.h"
#include "tools/lindero/context.h"
#include "tools/lindero/prover.h"

namespace lindero::cli {

struct Estimate {
  int64_t online_cells = 0;  // committed in every proof
  int64_t fixed_cells = 0;   // committed once per model
  double seconds = 0;
  double memory_bytes = 0;
  double proof_bytes = 0;
  double scratch_bytes = 0;  // of disk, while it runs
};

Estimate estimateProof(const compiler::CostReport& cost, const ProverOptions& options);
void addEstimate(const Estimate& estimate, Summary& summary);

}  // namespace lindero::cli
