// merge-duplicates: one op where several compute the same.
//
// Requires: nothing. Guarantees: no two ops of a function have the same name, attributes and
// operands; constants are equal if type and bytes are. Preserves: values; the op that stays gets
// the nodes of all. Cost: linear, plus one SHA-256 over each constant.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createMergeDuplicates();
absl::Status registerMergeDuplicates();

}  // namespace lindero::passes
