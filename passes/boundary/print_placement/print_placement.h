// print-placement: a table of the segments that the IR shows, with their predicted costs, and of
// what crosses between them; on stderr.
//
// Requires: @main in the integer dialect, each op in a segment. Changes nothing. Options: those of
// the prediction (place_proof_boundaries.h).
#pragma once

#include <memory>
#include <string>

#include "passes/boundary/placement/cost_model.h"
#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createPrintPlacement(CostOptions costs = {});
absl::Status registerPrintPlacement();

// The text that it prints.
std::string placementTable(const PlacementGraph& graph, const Assignment& assignment,
                           const PlacementCost& cost);

}  // namespace lindero::passes
