// The op table of the integer dialect: exact integers with static power-of-two scales, fixed<shape,
// 2^-f, [lo, hi]>. Each op defines an integer function; its interpreter is the definition of what
// gets proven. A value outside of its range is an error that names node, value and range, never a
// wrap.
#pragma once

#include <vector>

#include "ir/core/op_table.h"

namespace lindero::ir::integer {

std::vector<OpDef> ops();

}  // namespace lindero::ir::integer
