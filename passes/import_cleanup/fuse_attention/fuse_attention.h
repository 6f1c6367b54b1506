// fuse-attention: softmax(scores) v with its masks, scales and head layout, as tensor.attention.
//
// Requires: the batch axis dropped, softmax and linears fused. Guarantees: whatever
// attention_pattern.h recognizes is one op over q, k, v [T, D]; a split of a fused projection
// becomes a tensor.slice, and one whose columns are interleaved becomes three projections with
// permuted columns. The scale is exactly 1/sqrt(D/heads) where the graph's is that within float
// precision. Leaves everything else as it is; verify-canonical then says why. Preserves: values, up
// to rounding and to what a mask of -10000 or less lets through (nothing, in any float). One
// forward sweep; evaluating a mask costs a few passes over T x T numbers per softmax.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createFuseAttention();
absl::Status registerFuseAttention();

}  // namespace lindero::passes
