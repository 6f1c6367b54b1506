// Segments that are lowered together: a circuit for each, and links between them.
//
// Requires: @main in the integer dialect, with regions, each op in a segment
// (place-proof-boundaries). Guarantees: a module for each segment, in order, with @main (outline.h)
// and what lower-to-air, verify-intervals, lower-sums and verify-air make of it. A crossing tensor
// is no public tensor but an end of a link in two modules (air.public with a slot): under one name
// and slot, with one shape, range, tile and first address. Who gives proves the range, who takes
// relies on it. @main stays as it is.
//
// Tables of lookups are each segment's own. Tensors with as many rows have as many lanes in all
// segments: those that the program as one circuit would have.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "passes/boundary/placement/assignment.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"

namespace lindero::passes {

// Of two segments or more. Fails, naming the ONNX node, as the passes do, and where an input of
// indices is read in two segments.
absl::StatusOr<std::vector<std::unique_ptr<ir::Module>>> lowerSegments(
    const ir::Function& main, const LowerToAirOptions& options);

}  // namespace lindero::passes
