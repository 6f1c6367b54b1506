// Which reals of a function are computed from integers and truth values alone, element by element:
// casts of them, elementwise functions, copies, and products of a column and a row.
//
// They are evaluated as ONNX does, op by op in single precision, since their inputs are exact and a
// step may hang on the last bit: floor(0.7 x) is 7 at x = 10 in single precision, and 6 where the
// float32 nearest to 0.7 is multiplied exactly. Wider reals of a model are imported as singles.
#pragma once

#include "ir/core/ir.h"
#include "llvm/ADT/DenseSet.h"

namespace lindero::ir::tensor {

llvm::DenseSet<const Value*> realsOfIntegers(const Function& function);

// To single precision, each element.
void roundToSingle(std::vector<double>& reals);

}  // namespace lindero::ir::tensor
