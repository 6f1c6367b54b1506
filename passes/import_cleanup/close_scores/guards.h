// Rows of probabilities that a model sets to zero where a mask closes all of their scores. The
// standard's Attention does so: where(max(mask) == -inf, 0, p).
#pragma once

#include "absl/status/statusor.h"
#include "ir/core/ir.h"

namespace lindero::passes {

// Of such a choice, the mask, whose last axis is that of p (or of one element); null of any other
// op.
ir::Value* maskOfGuard(const ir::Op& choice);

// Has each row of the mask, along its last axis, an element that is finite in every run?
absl::StatusOr<bool> hasFiniteRows(const ir::Value& mask);

}  // namespace lindero::passes
