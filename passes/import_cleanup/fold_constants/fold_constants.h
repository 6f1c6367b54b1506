// fold-constants: evaluates what does not depend on the inputs, and drops ops that do nothing.
//
// Requires: nothing. Guarantees: an op whose operands are all constants is one itself (a weight
// that the graph transposes becomes a transposed weight), unless a constant's bytes are not at
// hand; x*1, x/1, x+0, x-0, a cast, reshape or expand to the same type and a `where` whose
// condition is the same everywhere are gone. Preserves: values, up to rounding to f32 of constant
// expressions. One forward sweep; each constant expression is computed once.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createFoldConstants();
absl::Status registerFoldConstants();

}  // namespace lindero::passes
