// normalize-order: one order of ops for one computation.
//
// Requires: nothing. Guarantees: the body is in the order in which a depth-first walk from the
// results, operand by operand, finishes; a sum reads the value that is fewer ops away from the
// inputs first (the residual stream before the branch); a constant stands right before its first
// reader; what no result needs is gone. So graphs that differ in the order of nodes or of summands
// only become the same text. Preserves: values. Linear.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createNormalizeOrder();
absl::Status registerNormalizeOrder();

}  // namespace lindero::passes
