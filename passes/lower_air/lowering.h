// The whole way from the integer program to a circuit that is checked: lower-to-air,
// verify-intervals, lower-sums, verify-air.
#pragma once

#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/pass_manager.h"

namespace lindero::passes {

void addLowering(PassManager& manager, const LowerToAirOptions& options, LinkEnds links = {});

}  // namespace lindero::passes
