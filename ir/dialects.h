// All dialects that Lindero ships.
#pragma once

namespace lindero::ir {

// Registers them. Every program and test calls this before it makes, reads or verifies IR; further
// calls do nothing.
void registerAllDialects();

}  // namespace lindero::ir
