// fuse-softmax: e^x / sum(e^x) as one tensor.softmax.
//
// Requires: nothing. Guarantees: exp(x) or exp(x - max(x)) along an axis, divided by (or multiplied
// with the reciprocal of) its sum along that axis, is one op. Preserves: values; without the
// subtraction they are the same as long as e^x does not overflow. One forward sweep.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createFuseSoftmax();
absl::Status registerFuseSoftmax();

}  // namespace lindero::passes
