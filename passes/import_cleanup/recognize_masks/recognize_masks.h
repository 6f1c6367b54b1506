// recognize-masks: inputs of reals that can only be masks of 0 and 1 become integers that are.
//
// Such an input makes a term of scores (or of what an element is chosen from) that is ordinary
// where it is one of 0 and 1, and 1e4 or more away where it is the other: (1 - m) * -1e4. Any other
// number would be half a mask. What else reads the input does not matter.
// Requires: nothing; it is the first pass, and graphs that inputs are given to have gone through
// it. Guarantees: such an argument is of integers, read by one cast to truth values. Preserves:
// what the function computes of 0 and 1; other values of the argument are refused where the program
// is used.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createRecognizeMasks();
absl::Status registerRecognizeMasks();

}  // namespace lindero::passes
