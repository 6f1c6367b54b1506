// verify-canonical: refuses what import cleanup could not bring into canonical form.
//
// Checks, and changes nothing: @main holds only embedding, layernorm, linear, slice, attention,
// activation, add, argmax, select_rows, constant and return; tables, weights and parameters are
// constants, finite where at hand; activations are matrices [T, n], slices take columns. The error
// names the node, and says what keeps it from being canonical. Linear, and reads every weight once.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createVerifyCanonical();
absl::Status registerVerifyCanonical();

}  // namespace lindero::passes
