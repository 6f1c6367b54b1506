#include "passes/lower_air/lowering.h"

#include "passes/lower_air/lower_sums/lower_sums.h"
#include "passes/lower_air/verify_air/verify_air.h"
#include "passes/lower_air/verify_intervals/verify_intervals.h"

namespace lindero::passes {

void addLowering(PassManager& manager, const LowerToAirOptions& options, LinkEnds links) {
  manager.add(createLowerToAir(options, std::move(links)));
  manager.add(createVerifyIntervals());
  manager.add(createLowerSums());
  manager.add(createVerifyAir());
}

}  // namespace lindero::passes
