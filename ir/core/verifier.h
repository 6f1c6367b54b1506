// Checks that a module is well formed. Linear in the number of ops; run after every pass by
// default.
//
// Structure: functions have distinct names; a value is defined before its uses, in the same block
// or in one that encloses it; a terminator stands at the end of its block only: what
// OpDef::block_terminator says for nested blocks, and
// `<dialect>.return` for functions of dialects that have one.
// Op tables: numbers of operands and results, attributes known, present where required and of their
// kind, constants in the pool. Then the constraints of each op (OpDef::verify).
#pragma once

#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::ir {

// The first violation, as "func @main: tensor.add (/h.0/Add): …".
absl::Status verify(const Module& module);
absl::Status verify(const Function& function);

}  // namespace lindero::ir
