// set-length: the same causal model for fewer tokens.
//
// Requires: canonical form (verify-canonical) with token inputs alone and every attention causal,
// before select-outputs. Guarantees: what had T rows has `length` <= T; positions added to
// embeddings are the first ones; all else is the same. So the result is what an import at that
// length gives, and its rows are the first ones of the longer program. Preserves: the values of
// those rows. Cost: one sweep, and a copy of the positions.
#pragma once

#include <cstdint>
#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createSetLength(int64_t length);
absl::Status registerSetLength();

}  // namespace lindero::passes
