// flatten-rows: what is computed row by row is computed on matrices.
//
// Requires: nothing. Guarantees: a norm, a function of each element or a sum, of tensors [..., D]
// that a matrix [rows, D] was reshaped to or that are reshaped to one, is of matrices, and a
// product of two tensors that is reshaped to one, too: so linears read norms, functions and sums
// read linears, as quantization expects them, whatever the batch. Preserves: values. One forward
// sweep; simplify-views drops the reshapes that are left over.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createFlattenRows();
absl::Status registerFlattenRows();

}  // namespace lindero::passes
