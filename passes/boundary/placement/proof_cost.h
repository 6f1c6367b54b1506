// What a proof costs, from the sizes of its circuit and the prover's parameters alone.
//
// Sizes are meant to be right within a factor of 1.5, times within a factor of two on a machine
// that has nothing else to do. The rates are measurements of the Stwo prover (AVX-512).
#pragma once

#include <cstdint>

namespace lindero::passes {

struct ProofSize {
  int64_t online = 0;   // cells that each proof commits; those of the extension field count four
  int64_t fixed = 0;    // cells that are committed once per model
  int64_t columns = 0;  // of the base field, of all phases
  int64_t height = 1;   // of the tallest table
};

// As far as costs depend on them. The defaults are about what setup chooses for 96 bits, proven.
struct ProofParameters {
  int64_t log_blowup = 2;
  int64_t queries = 113;
  int64_t fold_step = 3;
  int64_t log_last_layer_degree = 5;
};

struct ProofCost {
  double seconds = 0;       // to prove, without grinding
  double memory_bytes = 0;  // at the peak
  double proof_bytes = 0;
};

ProofCost proofCost(const ProofSize& size, const ProofParameters& parameters, int64_t threads);

}  // namespace lindero::passes
