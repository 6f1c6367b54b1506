// The product of two tensors, element by element, column-major:
//   a b = q 2^s + r - 2^(s-1);  RANGE(bits, q + 2^(bits-1)), RANGE(s, r).
// README.md has the interval and uniqueness arguments.
#pragma once

#include <memory>

#include "passes/lower_air/gadgets/gadget.h"

namespace lindero::passes {

std::unique_ptr<Gadget> makeMultiply(Wiring& wiring);

}  // namespace lindero::passes
