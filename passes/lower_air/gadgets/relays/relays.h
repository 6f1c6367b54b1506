// Values that stand in a table of their own only to be given to their readers (Wiring's Relay),
// column-major. README.md has the arguments.
#pragma once

#include <memory>

#include "passes/lower_air/gadgets/gadget.h"

namespace lindero::passes {

std::unique_ptr<Gadget> makeRelays(Wiring& wiring);

}  // namespace lindero::passes
