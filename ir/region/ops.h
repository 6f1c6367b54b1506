// The op table of the region dialect: integer ops grouped by the kind of work they do and by the
// proof they belong to.
#pragma once

#include <vector>

#include "ir/core/op_table.h"

namespace lindero::ir::region {

std::vector<OpDef> ops();

}  // namespace lindero::ir::region
