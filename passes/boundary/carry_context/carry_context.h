// carry-context: a causal decoder over T positions becomes one over a block of B steps, that is
// given the keys and values of the blocks before it and leaves them, with its own, to the next one.
//
// Requires: @main in the integer dialect with one input, T tokens, one output, an argmax per
// position, and causal attention only; B divides T, 2 B <= T.
// Guarantees: @main has the inputs
//   the tokens                   [B]
//   decode/position              [B], where the tokens stand in the run
//   decode/block                 [1], how many blocks were before
//   link/0, link/1, ...          [T - B, D], the rows of the blocks before, newest last: of every
//                                tensor that attention reads for keys or values
// and returns, besides the choices, under the names of the inputs, those rows and its own. Rows of
// blocks that were not are not read. Run on one block after the other, each given the last T - B
// rows of what the one before returned, it computes the integers of the function that it was.
#pragma once

#include <cstdint>
#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createCarryContext(int64_t block);
absl::Status registerCarryContext();

}  // namespace lindero::passes
