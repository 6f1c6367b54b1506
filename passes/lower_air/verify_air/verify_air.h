// verify-air: no circuit leaves the compiler without these rules. It changes nothing.
//
// Degree rule. Every constraint, also those that a generated column stands for, has degree at
// most 3.
// Phase rule. A value committed in phase k is bound by challenges drawn after phase k:
//   - a term or lookup reads no column of a later phase than its own, and no challenge drawn after
//     the phase of its own column;
//   - the tuple of a bus reads no column of a later phase than the bus;
//   - a gathered column of phase k, which nothing else binds, stands in a term of phase k + 1 whose
//     denominator's challenges are all drawn after phase k (that it does on every row on which it
//     is a factor is checked by verify-intervals), and in no constraint that reads an earlier
//     challenge.
// Other generated columns are functions of what was committed before, by their own constraint.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createVerifyAir();
absl::Status registerVerifyAir();

}  // namespace lindero::passes
