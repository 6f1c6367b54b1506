// Programs of the integer dialect on tensors of any rank: no transformers, but what a general graph
// becomes. Ops read what earlier ones give, a value may have several readers, and types bound
// everything, so that no input ends in an error of range.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::test {

// The seed of a program of one norm of rows so wide and long that their sums can wrap.
inline constexpr uint32_t kLongRowsProgram = 1u << 31;

// That of seed 0 on tensors of which few numbers of lanes divide a length.
inline constexpr uint32_t kPaddedProgram = (1u << 31) + 1;

// That of wide sums of one value and of two, in one table.
inline constexpr uint32_t kWideSumsProgram = (1u << 31) + 2;

// @main with inputs "a", "b" and outputs "y0", "y1", ... Seed 0: each op at least once, in a fixed
// order; others: `ops` ops at random. An op that finds no operands is left out.
absl::Status makeGeneralProgram(ir::Module& module, uint32_t seed, int ops = 12);

}  // namespace lindero::test
