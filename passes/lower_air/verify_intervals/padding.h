// Elements of edges that have one end only. The sum holds them at zero, whatever the program means
// them to be: a proof of such a circuit would be one of another program. So they must be padding:
// cells that no op of @trace writes, which are zero in every run.
//
// Cost: a step per row of the tables that have such elements, and per cell that @trace writes
// there.
#pragma once

#include "absl/status/status.h"
#include "passes/lower_air/verify_intervals/proven_ranges.h"

namespace lindero::passes {

// Every element of one end only is a cell that @trace leaves zero. Without a @trace, there are
// none.
absl::Status checkPadding(ProvenRanges& ranges);

}  // namespace lindero::passes
