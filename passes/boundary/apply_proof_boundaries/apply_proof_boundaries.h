// apply-proof-boundaries: each segment of @main becomes a function of its own, and @main composes
// them.
//
// Requires: @main in the integer dialect, each op in a segment (place-proof-boundaries, or by
// hand). Guarantees: functions @segment0, @segment1, ..., each with the ops of one segment in their
// regions; its inputs are those of the program that it reads and "cut/N", what links bring, its
// outputs those of the program that it makes and "cut/N", what links take. @main has the inputs and
// outputs that it had, one proof.segment for each function, and one proof.link for each tensor and
// segment that reads it, whose type and nodes say what crosses. It computes the same integers, and
// no `segment` attribute is left. With one segment there is nothing to cut: @main stays, without
// the attributes. Refuses, naming the ONNX nodes: an op without a segment, a cut through an atom
// (placement/placement_graph.h), segments with gaps or read in the wrong order.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createApplyProofBoundaries();
absl::Status registerApplyProofBoundaries();

}  // namespace lindero::passes
