// eliminate-dead-ops: drops ops whose results nobody reads.
//
// Requires: nothing. Guarantees: no pure op (OpDef::pure) is left without a reader; a region goes
// when all of its ops are pure and all of its results unread. Preserves: everything else, and the
// order of ops. One backward sweep.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createEliminateDeadOps();
absl::Status registerEliminateDeadOps();

}  // namespace lindero::passes
