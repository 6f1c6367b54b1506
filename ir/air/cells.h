// The cells that an air.fill writes.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::ir::air {

// Calls `cell` for every cell of the fill, lanes innermost, so that a constant is read in order.
// Cells whose index lies outside the source are left out. The error names the fill's source.
absl::Status forEachCell(const ConstantPool& constants, const Op& fill,
                         absl::FunctionRef<void(size_t lane, int64_t row, int64_t value)> cell);

}  // namespace lindero::ir::air
