// Copies by any fixed map (op integer.copy): transposes, slices, concatenations, broadcasts,
// gathers by constants. A table that holds an operand gives its elements to a tagged bus, under a
// tag each; a table that holds the result looks each element up under the tag that the map says.
// README.md has the interval and uniqueness arguments.
#pragma once

#include <memory>

#include "passes/lower_air/gadgets/gadget.h"

namespace lindero::passes {

std::unique_ptr<Gadget> makeCopies(Wiring& wiring);

}  // namespace lindero::passes
