// fuse-layernorm: LayerNorm and RMSNorm over the last axis, with the scale and shift that follow.
//
// Requires: duplicates merged (merge-duplicates). Guarantees: (x - mean) / sqrt(mean((x - mean)^2)
// + epsilon), and the same without means (RMSNorm), is one tensor.layernorm, whether it divides by
// the root, multiplies with its reciprocal or with the power -1/2; products with and sums with
// constants per column that follow are its gamma and beta, unless single precision cannot hold what
// they combine to. Epsilon is the graph's. A row over the sum of its magnitudes is brought to
// length one by an RMSNorm first. Preserves: values up to rounding; but a row whose sum is below a
// floor of at most 1e-12, and not zero, is divided by its sum, not by the floor. One forward sweep.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createFuseLayernorm();
absl::Status registerFuseLayernorm();

}  // namespace lindero::passes
