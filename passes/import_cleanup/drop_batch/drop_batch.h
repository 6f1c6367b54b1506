// drop-batch: removes the leading axis of size 1 from activations, arguments and outputs.
//
// Requires: a batch of one (another batch is left as it is, and verify-canonical will say so).
// Guarantees: no value but constants keeps a leading axis of size 1 where its rank is three or
// more, or two for integers and booleans: [1, T] token ids become [T], [1, T, D] activations [T,
// D], [1, H, T, d] heads [H, T, d]. Changes the types of @main's arguments and results accordingly.
// Preserves: the elements. One forward sweep; an op that mixes the axis into others keeps its shape
// between two reshapes.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createDropBatch();
absl::Status registerDropBatch();

}  // namespace lindero::passes
