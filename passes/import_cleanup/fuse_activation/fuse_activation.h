// fuse-activation: elementwise ops of one tensor become one op that carries their expression.
//
// Requires: constants at hand; softmax, LayerNorm and attention recognized (their parts are
// elementwise, too). Guarantees: a group of elementwise ops that depends on one tensor and on
// constants with one value each (scalars, or the same number everywhere), and is no affine map, is
// one tensor.activation of that tensor; its `function` is the ops' expression, with the constants
// as the model has them. A group is as large as it can be, but for affine ops between it and a
// linear that nothing else reads: those are the linear's (fuse-linear). Nothing is identified:
// GELU is what computes it, and a ReLU with a cap is a ReLU with a cap. Preserves: values;
// in floating point, up to the order of sums and products. Cost: per elementwise op at most 64
// groups of at most 64 ops.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

struct FuseActivationOptions {
  // Also what is computed from integers alone (ir/tensor/of_integers.h)? lower-logic tabulates that
  // op by op, in single precision, and so it has to come first.
  bool of_integers = true;
};

std::unique_ptr<Pass> createFuseActivation(FuseActivationOptions options = {});
absl::Status registerFuseActivation();

}  // namespace lindero::passes
