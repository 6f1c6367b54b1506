// The quotient of two tensors, element by element, column-major:
//   a 2^s = b q + r;  n = 1 where b is negative, and with the sign g = 1 - 2 n
//   RANGE(16, g (b + 2 r)), RANGE(16, g (b - 2 r) - 1), RANGE(bits, q + 2^(bits-1)).
// README.md has the interval and uniqueness arguments.
#pragma once

#include <memory>

#include "passes/lower_air/gadgets/gadget.h"

namespace lindero::passes {

std::unique_ptr<Gadget> makeDivide(Wiring& wiring);

}  // namespace lindero::passes
