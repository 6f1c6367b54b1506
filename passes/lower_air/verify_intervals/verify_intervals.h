// verify-intervals: every equation of a circuit that is read over the integers has an interval
// proof. It changes nothing.
//
// Requires: @circuit as `lower-to-air` leaves it, before `lower-sums` (terms must still be there).
// Guarantees: with the proven range of every witness cell (proven_ranges.h: what lookups,
// constraints, edges and public tensors enforce),
//   - every constraint over witness cells, or each factor of it, lies in (-p, p): where it is zero
//     in the field it is zero;
//   - an element of a tuple that is looked up and the table's elements differ by less than p;
//     multiplicities of lookups are fixed, not negative, and their sum is less than p;
//   - the two ends of an edge differ by less than p;
//   - the lanes of a product's result and the static bound of what they equal differ by less than p
//     (folds.h);
//   - a gathered cell is the one that its index names, or zero, and no factor of a denominator over
//     fixed columns is zero on a row (copies.h);
//   - no run of a scan has more rows than the scan declares (scan_runs.h);
//   - a cell that nothing bounds stands in no more than one equation, together with such cells
//   only.
// A circuit that does anything else with a witness cell is refused, for its equations would have no
// argument: the pass does not know gadgets, so none escapes. GADGETS.md has the arguments gadget by
// gadget, and why each has one witness.
// Cost: linear in the fixed cells and in the rows of folds; else in instances, not in rows.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createVerifyIntervals();
absl::Status registerVerifyIntervals();

}  // namespace lindero::passes
