// set-length: the same causal model for fewer tokens.
//
// Requires: canonical form (verify-canonical) of a model that is known to be causal (positions.h),
// before select-outputs. Guarantees: each axis of T positions has `length` <= T; what constants
// hold for each position, or for each query and key, are the first ones; all else is the same. So
// the result is what an import at that length gives, and its elements are those of the longer
// program's first positions. Preserves: their values. Cost: one sweep, and a copy of those
// constants.
#pragma once

#include <cstdint>
#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createSetLength(int64_t length);
absl::Status registerSetLength();

}  // namespace lindero::passes
