// Lowers a canonical tensor function to the integer dialect, with the exponents that calibration
// chose.
//
// Requires: canonical tensor ops (the result of the import cleanup), exponents made for this
// function. Guarantees: the result holds integer ops alone, with the locations of the ops that they
// came from; every static bound and interval argument holds, else the error names the node and the
// bound. Exact: the same function and exponents give the same bytes on any machine.
//   - LayerNorm's gamma and beta, 1/sqrt(d) and all scales are folded into weights, biases and the
//     softmax unit;
//   - each linear gets the widest weights that its accumulator's bound (below 2^30) and its
//     requantization allow;
//   - where that leaves weights fewer bits than the exponents ask for at least, what rounding took
//     from them is a product of its own, which the rounding adds;
//   - residual sums are the addend of the projection's requantization; activations are lookups of
//     the rounded accumulator;
//   - logits (a linear whose readers are argmax and return) stay accumulators, below 2^29.
// Cost: linear in the weights, times the few shifts tried; tables of MPFR entries take about a
// second.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ir/core/ir.h"
#include "passes/quantize/exponents.h"

namespace lindero::passes {

// One value of the integer program, and how to read it: column c stands for value_c *
// 2^-exponents[c] * gamma[c] + beta[c].
struct TensorRecord {
  int64_t site = -1;  // of exponentSites(); -1: an accumulator in between
  std::string role;   // "residual", "normalized", "query-key", "accumulator", ...
  std::string node;
  const ir::Value* value = nullptr;           // in the integer function
  std::vector<int> exponents = {};            // per column
  std::vector<double> gamma = {}, beta = {};  // empty: 1 and 0
  int weight_bits = 0;                        // of an accumulator's weights
  // Of a "constant": how far an entry may be from what it stands for, in its last place.
  double rounding = 0;
};

// Appends the integer program to `target`, which is empty and of any module; constants go to its
// pool. `records`, if given, gets one entry per stored value and accumulator, in order.
absl::Status quantize(const ir::Function& source, const Exponents& exponents, ir::Function& target,
                      std::vector<TensorRecord>* records = nullptr);

}  // namespace lindero::passes
