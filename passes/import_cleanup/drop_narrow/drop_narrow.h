// drop-narrow: reals of 16 bits are reals.
//
// Requires: the graph as imported, constants folded.
// Guarantees: no tensor.narrow. Whole numbers that a type of 16 bits does not hold are refused, by
// the node that casts them.
// Preserves: whole numbers. Other reals are no longer infinite where the type has no number that
// large.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createDropNarrow();
absl::Status registerDropNarrow();

}  // namespace lindero::passes
