// The op table of the air dialect: the circuit (function @circuit). Tables with columns in four
// phases, constraints, lookups, and the shared challenges, buses, groups and public tensors. Ops
// inside of a table denote one value per row.
#pragma once

#include <vector>

#include "ir/core/op_table.h"

namespace lindero::ir::air {

std::vector<OpDef> ops();

}  // namespace lindero::ir::air
