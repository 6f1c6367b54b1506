// Elementwise maps with constants, and the rounding of values that are stored, column-major:
//   x m + c + y n = q 2^s + r - 2^(s-1);  RANGE(bits, q + 2^(bits-1)), RANGE(s, r);
// and f(q) = g where q is looked up. README.md has the interval and uniqueness arguments.
#pragma once

#include <memory>

#include "passes/lower_air/gadgets/gadget.h"

namespace lindero::passes {

std::unique_ptr<Gadget> makeAffine(Wiring& wiring);

}  // namespace lindero::passes
