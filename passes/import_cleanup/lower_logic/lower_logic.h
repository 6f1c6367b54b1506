// lower-logic: integers, truth values and comparisons that are computed become arithmetic on reals.
//
// Requires: constants at hand; softmax, masks of scores, LayerNorm, attention and elementwise
// functions of one real tensor recognized (it spells anew what they consist of).
// Guarantees: what is left of integers is looked up in tables (gather, and embedding), or is an
// argmax. A function of one integer input alone is looked up, too: exactly, whatever it is. Other
// integers and truth values are whole reals, below 2^26; a comparison is a function of a
// difference, a choice y + c (x - y), a maximum a + relu(b - a), an element picked by a computed
// index a product with its one-hot row. Where tables and products have no room for the numbers,
// that is so limb by limb. What would take more stays for verify-canonical to refuse.
// Changes the types of @main's results that are no reals.
// Preserves: the values that the outputs have wherever none that is computed is NaN or infinite:
// all other runs are refused, so that is_nan is false.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createLowerLogic();
absl::Status registerLowerLogic();

}  // namespace lindero::passes
