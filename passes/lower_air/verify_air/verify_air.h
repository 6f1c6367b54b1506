// verify-air: no circuit leaves the compiler without these rules. It changes nothing.
//
// Degree rule. Every constraint, also those that a generated column stands for, has degree at
// most 3; together with challenges, claimed sums and inverses, at most 2^20 (ir/air/points.h).
// Phase rule. A value committed in phase k reads nothing that comes later:
//   - a term, fraction or lookup reads no column of a later phase than its own, and no challenge
//     drawn after the phase of its own column;
//   - the tuple of a bus reads no column of a later phase than the bus.
// Rules R1 to R7 (rules.h): what a prover commits after it has seen challenges is a function of
// what it committed before them. R0 holds by construction: a generated column is its own
// constraint.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createVerifyAir();
absl::Status registerVerifyAir();

}  // namespace lindero::passes
