// The op table of the proof dialect: the function that composes segments.
#pragma once

#include <vector>

#include "ir/core/op_table.h"

namespace lindero::ir::proof {

std::vector<OpDef> ops();

}  // namespace lindero::ir::proof
