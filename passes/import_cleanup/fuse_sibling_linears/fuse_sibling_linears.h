// fuse-sibling-linears: linears that read the same x as one wide linear, with a slice for each.
//
// Requires: ops in canonical order (normalize-order), so that the order of the columns does not
// depend on the exporter. Guarantees: no two tensor.linear read the same value, where weights are
// at hand. A missing bias counts as zero if another one has a bias. Preserves: values. Cost:
// linear, plus one copy of the weights concerned.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createFuseSiblingLinears();
absl::Status registerFuseSiblingLinears();

}  // namespace lindero::passes
