// What edges copy: both ends of each element are the same value of the program.
//
// A sum only says that the ends are equal. That they are meant to be is read off @trace, whatever
// the values of a run: each cell is written with an element of a buffer, and copies of buffers are
// looked through. An element of one end only is held at zero by the sum: it must be padding, which
// no op of @trace writes. (What a link takes from another block, and gives to it, is not looked
// at.)
//
// Without this a circuit could have one witness, and that of another program: advisories
// LINDERO-2026-2 and LINDERO-2026-3.
//
// Cost: a step per cell of the tables that have ends; memory for those of one table at a time.
#pragma once

#include "absl/status/status.h"
#include "passes/lower_air/verify_intervals/proven_ranges.h"

namespace lindero::passes {

// Without a @trace, cells have values that nothing is known of: no element may have one end only.
absl::Status checkEdgeValues(ProvenRanges& ranges);

}  // namespace lindero::passes
