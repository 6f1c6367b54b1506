// Analysis: is this softmax the middle of an attention?
//
// Recognized: mix(softmax(mask(scale * q k'))) for q, k, v that are windows (view.h) of [T, N]
// matrices, with or without a head axis, K transposed in any way, factors on q, k or scores, and
// masks of any spelling: what stands between the product and the softmax must be affine in the
// scores with constant coefficients, but for a floor far below them, and is evaluated. Then either
// every score is scaled alike and nothing added (no mask), or that holds for keys j <= i and all
// others end at -10000 or below (causal). How far below, and where a floor is, stays with the
// pattern: that it is far enough depends on the range of the scores. Positional biases, padding
// masks, caches (keys and queries that differ in number) and grouped heads are not recognized.
#pragma once

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "passes/import_cleanup/support/view.h"

namespace lindero::passes {

// Columns offset + h * head_stride + i * stride of a [T, N] matrix, for head h and i < depth.
struct HeadColumns {
  ir::Value* source = nullptr;  // its elements are those of the matrix, whatever its shape
  int64_t width = 0;            // N
  int64_t offset = 0, head_stride = 0, stride = 0;
  llvm::SmallVector<const ir::Op*, 4> chain;  // the ops that pick and scale them
};

struct AttentionPattern {
  HeadColumns q, k, v;
  int64_t tokens = 0, heads = 0, depth = 0;
  double scale = 1;
  bool causal = false;
  double masked = 0;      // where a masked score of zero ends, at most; -inf if none does
  ir::Op* mix = nullptr;  // the product with v, [heads, T, depth] or [T, depth]
  llvm::SmallVector<const ir::Op*, 16> ops;  // all ops of it, in a topological order
};

// The error says in what the softmax differs from an attention.
absl::StatusOr<AttentionPattern> matchAttention(const ir::Op& softmax);

}  // namespace lindero::passes
