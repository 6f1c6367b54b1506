// The constraints of the air dialect's ops, as the op table numbers them.
#pragma once

#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::ir::air {

// OpDef::verify of the op with this name.
using Verifier = absl::Status (*)(const Op&);
Verifier verifierOf(llvm::StringRef name);

}  // namespace lindero::ir::air
