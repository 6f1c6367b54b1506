// The constraints of the trace dialect's ops, as the op table numbers them, checked against
// @circuit of the same module.
#pragma once

#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::ir::trace {

// OpDef::verify of the op with this name.
using Verifier = absl::Status (*)(const Op&);
Verifier verifierOf(llvm::StringRef name);

}  // namespace lindero::ir::trace
