// The constraints of the integer dialect's ops, as the op table numbers them.
//
// Those on weights and tables read the constants: one pass over the bytes, whatever the number of
// verifications (Constant::integerFacts). A constant of which only type and digest are known (text
// without its files) is taken to obey them.
#pragma once

#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::ir::integer {

// OpDef::verify of the op with this name.
using Verifier = absl::Status (*)(const Op&);
Verifier verifierOf(llvm::StringRef name);

}  // namespace lindero::ir::integer
