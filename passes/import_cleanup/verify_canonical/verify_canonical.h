// verify-canonical: refuses what has no form in integers, and says all of it at once.
//
// Checks, and changes nothing: @main holds ops of idioms (embedding, layernorm, linear, attention,
// activation, add, mul, argmax, select_rows, slices), whose tables, weights and parameters are
// constants, finite where at hand, and general ops (passes/quantize/general.h). An error names the
// node of each op that is neither. Linear, and reads every weight once.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createVerifyCanonical();
absl::Status registerVerifyCanonical();

}  // namespace lindero::passes
