// Constants of doubles become those of single precision. Beside reals, which integers round anyway,
// the difference is none; what is computed of integer inputs is exact, and there it may decide.
#pragma once

#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::compiler {

// Before constants are rounded. Fails, naming the op, where a constant of doubles that single
// precision does not hold decides a comparison, or what is rounded to a whole number, together with
// integer inputs alone. Cost: linear in the ops and in the constants of doubles.
absl::Status checkDoubleConstants(const ir::Function& function);

}  // namespace lindero::compiler
