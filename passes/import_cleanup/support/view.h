// A value as a strided window into another one: what a chain of reshape, transpose, slice and
// one-index gather amounts to.
//
// Element [i0, i1, ...] of the value is `scale` times element offset + sum(ik * axes[k].stride) of
// the source, counted in row-major order. Chains of different spelling become the same window,
// which is how heads are recognized whether an exporter splits before or after it reshapes. Cost of
// viewOf: the length of the chain.
#pragma once

#include "ir/core/ir.h"

namespace lindero::passes {

struct ViewAxis {
  int64_t size, stride;
};

struct StridedView {
  ir::Value* source;
  int64_t offset = 0;
  llvm::SmallVector<ViewAxis, 4> axes;
  double scale = 1;  // of scalar factors on the way; 1 unless scales are followed
  llvm::SmallVector<ir::Op*, 4> chain;  // the ops looked through, last one first
};

// The longest chain that is a window. With `follow_scales` it also looks through products with and
// quotients by scalars.
StridedView viewOf(ir::Value* value, bool follow_scales = false);

// Are the elements those of the source, all of them, in order?
bool isReshape(const StridedView& view);

}  // namespace lindero::passes
