// The op table of the tensor dialect: the float graph. Its ops are close to ONNX at import; import
// cleanup brings them into canonical form (import_cleanup.h). Types are tensor<...xf32>,
// tensor<...xi64>, tensor<...xi1> with static shapes.
#pragma once

#include <vector>

#include "ir/core/op_table.h"

namespace lindero::ir::tensor {

std::vector<OpDef> ops();

}  // namespace lindero::ir::tensor
