// The op table of the tensor dialect: the float graph. Its ops are close to ONNX at import; after
// import cleanup only the canonical ones remain (embedding, layernorm, linear, slice, attention,
// activation, add, argmax, select_rows, constant, return). Types are tensor<...xf32>,
// tensor<...xi64>, tensor<...xi1> with static shapes.
#pragma once

#include <vector>

#include "ir/core/op_table.h"

namespace lindero::ir::tensor {

std::vector<OpDef> ops();

}  // namespace lindero::ir::tensor
