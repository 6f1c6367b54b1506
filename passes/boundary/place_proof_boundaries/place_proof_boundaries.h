// place-proof-boundaries: a policy says which ops one proof covers, and the IR shows it.
//
// Requires: @main in the integer dialect; for policies that go by layers or regions, form-regions
// before. Guarantees: each op is in a segment, by the attribute `segment` of its own or of a region
// around it, so that apply-proof-boundaries accepts it. An earlier placement is replaced.
// Preserves: all else.
#pragma once

#include <memory>
#include <string>

#include "passes/boundary/placement/policy.h"
#include "passes/pass.h"

namespace lindero::passes {

struct PlaceProofBoundariesOptions {
  std::string policy = "fused";  // placement/policy.h
  PassOptions policy_options = {};
  CostOptions costs = {};  // what budgets are compared with
};

absl::StatusOr<std::unique_ptr<Pass>> createPlaceProofBoundaries(
    const PlaceProofBoundariesOptions& options = {});
absl::Status registerPlaceProofBoundaries();

// The options `log-blowup`, `queries` and `threads`, which passes that predict costs share.
void readCostOptions(OptionReader& reader, CostOptions& costs);

}  // namespace lindero::passes
