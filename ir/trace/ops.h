// The op table of the trace dialect: the trace program (function @trace), step by step as in
// runtime/package/program.proto. Values are buffers: integers in row-major order, as tensor<Nxi64>.
#pragma once

#include <vector>

#include "ir/core/op_table.h"

namespace lindero::ir::trace {

std::vector<OpDef> ops();

}  // namespace lindero::ir::trace
