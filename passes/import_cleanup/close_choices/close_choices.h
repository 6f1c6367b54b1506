// close-choices: masks of what the largest or least element is chosen from, in forms that 16 bits
// hold.
//
// Requires: softmax recognized; integers not yet spelled as reals (lower-logic). Looks at what each
// ArgMax, TopK, ReduceMax and ReduceMin reads for masks (support/closed_parts.h).
// Guarantees: where there is one, the op reads something else in place of what the mask closes:
// - An argmax that is an output reads tensor.mask(x, open): closed elements are less than all
//   others, however far the mask is.
// - Others read where(closed, fill, tensor.within(x)), `fill` being one less than the least of x
//   along the axes, or, for a ReduceMax, the least: the numbers stay those of x.
// That the mask is far enough for what x may be is for quantize to prove; it refuses the model
// else. Preserves: the outputs. In a row that the mask closes altogether, or of which TopK takes
// more elements than are open, ArgMax gives the first index where all of the model's elements are
// one number there, and the largest x where the mask adds a number of which single precision leaves
// x as it is, about. Any other such run is refused, since 1 / [enough are open] has no value there;
// where constants close the row, the op stays as it is.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createCloseChoices();
absl::Status registerCloseChoices();

}  // namespace lindero::passes
