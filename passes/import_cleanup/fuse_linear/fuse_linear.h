// fuse-linear: products with a constant matrix, and the bias that follows, as tensor.linear.
//
// Requires: nothing. Guarantees: x W with a constant W of two axes is tensor.linear over [rows, in]
// (with reshapes around it if x has another rank); a constant per column added to or subtracted
// from a linear that nothing else reads is its bias. With fold_scales, so is a constant factor per
// column or for all (it scales the columns of W, and the bias), and a scalar factor of x that
// nothing else reads; not if single precision cannot hold the product. Run it without before
// fuse-attention, whose scale may stand on q or k, and with after. Preserves: values up to
// rounding; W's and the bias's bytes where nothing is folded into them. One forward sweep.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

struct FuseLinearOptions {
  bool fold_scales = false;
};

std::unique_ptr<Pass> createFuseLinear(FuseLinearOptions options = {});
absl::Status registerFuseLinear();

}  // namespace lindero::passes
