// How large values get: the exponent at which a magnitude fits, and magnitudes that follow from the
// model alone, whatever calibration saw.
#pragma once

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/expression.h"

namespace lindero::passes {

// The largest exponent f with largest * margin * 2^f < 2^(bits-1), and at most 24: beyond, nothing
// gains from more precision (a tensor that is all zeros gets it).
int exponentFor(double largest, int bits, double margin);

// How large the function gets on the side of zero where it stays within what it reaches in the
// nearer half: all keys of such a side are in the table. A side on which it goes on growing is left
// to what calibration saw, and larger keys are refused; if it saw nothing but zeros, all keys
// count.
double functionBound(const ir::tensor::Expression& function, double reach, bool all);

// The largest |table[id, c]| + |addend[t, c]| over columns c: an embedding can reach it. Fails if
// one is no constant.
absl::StatusOr<double> embeddingBound(const ir::Op& op);

}  // namespace lindero::passes
