// The op table of the trace dialect: the trace program (function @trace), an op per kind of step
// and one for placements, as runtime/program/program.proto defines them (steps.h). Values are
// buffers: integers in row-major order, as tensor<Nxi64>.
#pragma once

#include <vector>

#include "ir/core/op_table.h"

namespace lindero::ir::trace {

std::vector<OpDef> ops();

}  // namespace lindero::ir::trace
