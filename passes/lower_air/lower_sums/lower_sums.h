// lower-sums: terms and lookups become columns of fractions.
//
// Requires: @circuit as `lower-to-air` leaves it.
// Guarantees: every air.term is gone. The fractions of a table and group stand two to a column
// where the degree allows it; the last column is running, sums the others and publishes the group's
// claim. Lookups and providers stay, beside their lowered form, for backends with a LogUp of their
// own and for the filling of multiplicities. A tuple (v0, v1, ...) of a bus is the fraction
//   m / (z - (bus + alpha v0 + alpha^2 v1 + ...)),
// with alpha and z drawn after the bus's phase.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createLowerSums();
absl::Status registerLowerSums();

}  // namespace lindero::passes
