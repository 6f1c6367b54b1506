// select-segment: the module of one segment alone, for passes and programs that work on @main.
//
// Requires: @main composes segments (apply-proof-boundaries).
// Guarantees: @main is the function that `function` names, "segment0", and there is no other
// function.
#pragma once

#include <memory>
#include <string>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createSelectSegment(std::string function);
absl::Status registerSelectSegment();

}  // namespace lindero::passes
