// Which values are whole numbers that the model computes as integers or truth values, and so have
// to be exact: what is looked up as such (tensor.embedding, `exact`), and sums, products, choices
// and copies of it. A value at exponent 0 or above holds them; at a lower one, quantization refuses
// the model.
#pragma once

#include "ir/core/ir.h"
#include "llvm/ADT/DenseSet.h"

namespace lindero::passes {

llvm::DenseSet<const ir::Value*> wholeValues(const ir::Function& function);

}  // namespace lindero::passes
