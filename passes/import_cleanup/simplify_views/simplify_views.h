// simplify-views: chains of reshape, transpose, slice and gather in their shortest form.
//
// Requires: nothing. Guarantees: a chain that ends where it began is gone; one that keeps all
// elements in order is one reshape; one that takes columns of a matrix is one tensor.slice with
// axis 1; one that takes whole rows of a matrix, or gathers different rows by constant indices,
// is one tensor.select_rows; a concatenation of negated parts is one of the parts, times
// 1 and -1. Rows of a constant table under ids that are other elements of an input, or constants
// beside them, are looked up as the input has the ids, and then moved: a run whose other ids are
// out of range is refused, too. What the function returns loses reshapes that only add or remove
// axes of size 1 around a matrix or a list. Preserves: values, but for those shapes of results. One
// forward sweep.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createSimplifyViews();
absl::Status registerSimplifyViews();

}  // namespace lindero::passes
