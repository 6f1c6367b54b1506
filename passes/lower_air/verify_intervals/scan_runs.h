// The runs of scans: from a row on which the scan's factor is zero, by the fixed cells alone, to
// before the next such row. The degree of a value in the challenges is counted by the longest run
// that a scan declares (SOUNDNESS.md, L7), by readers who do not have the fixed cells.
//
// Cost: a step per row of a scan's table.
#pragma once

#include "absl/status/status.h"
#include "passes/lower_air/verify_intervals/proven_ranges.h"

namespace lindero::passes {

// No run of a scan has more rows than it declares, in any rows of the table, padding included.
absl::Status checkScanRuns(ProvenRanges& ranges);

}  // namespace lindero::passes
