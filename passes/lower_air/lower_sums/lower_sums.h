// lower-sums: terms and lookups become columns of fractions.
//
// Requires: @circuit as `lower-to-air` leaves it.
// Guarantees: every air.term is gone. The fractions of a table and group stand two to a column
// where the degree allows it; the last column is running, sums the others and publishes the group's
// claimed sum. Lookups and providers stay, beside their lowered form, for backends with a LogUp of
// their own and for the filling of multiplicities. A tuple (v0, v1, ...) of a bus is the fraction
//   m / (z - (bus + alpha v0 + alpha^2 v1 + ...)),
// with alpha and z drawn after the bus's phase.
#pragma once

#include <cstdint>
#include <memory>

#include "llvm/ADT/ArrayRef.h"
#include "passes/pass.h"

namespace lindero::passes {

// Of a fraction, in the columns of a row.
struct FractionDegrees {
  int numerator = 0, denominator = 0;
};
// Whether n1 d2 + n2 d1 and f d1 d2 stay within the degree.
bool shareColumn(FractionDegrees a, FractionDegrees b);
// The columns that the fractions of a table and group take.
int64_t fractionColumns(llvm::ArrayRef<FractionDegrees> fractions);

std::unique_ptr<Pass> createLowerSums();
absl::Status registerLowerSums();

}  // namespace lindero::passes
