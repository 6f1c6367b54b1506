// The ops between two values, as a function of one argument that can be evaluated.
//
// Two values tell all of a cone that is affine in each element of its argument, however it is
// spelled; of others, samples prove nothing.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace lindero::passes {

struct Cone {
  ir::Value* input;  // the one value that is not constant
  ir::Value* output;
  std::vector<ir::Op*> ops;  // in order of evaluation; the last one defines `output`
};

// The cone above `output` that starts at `input`, if every op on the way is admitted, reads nothing
// else but constants, and there are at most `most` ops. Cost: `most`.
std::optional<Cone> findCone(ir::Value* output, ir::Value* input,
                             llvm::function_ref<bool(const ir::Op&)> admit, size_t most);

// The cone's output for another input, whose shape may differ from the input's as long as the
// constants broadcast with it.
absl::StatusOr<ir::tensor::Array> evaluateCone(const Cone& cone, const ir::tensor::Array& input);

}  // namespace lindero::passes
