// fuse-activation: GELU (erf and tanh form), SiLU, ReLU, sigmoid and tanh, however they are
// spelled.
//
// Requires: constants at hand. Guarantees: a group of elementwise ops with scalar constants that
// computes one of the functions of tensor.activation is that op. The group is recognized by its
// values: it is run on 400 points of [-40, 40] and must agree with the function to 2e-6 (times |x|
// where that is over 1), which tells the two forms of GELU apart (they differ by 5e-4) and forgives
// constants written in single precision. Preserves: values within that tolerance. Cost: per
// elementwise op at most 24 groups of at most 24 ops; the points are only run for groups with one
// input.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createFuseActivation();
absl::Status registerFuseActivation();

}  // namespace lindero::passes
