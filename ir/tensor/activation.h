// The scalar functions that tensor.activation {kind} can name, in double precision.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace lindero::ir::tensor {

using ScalarFunction = double (*)(double);

struct Activation {
  llvm::StringRef kind;
  ScalarFunction function;
};

// gelu, gelu_tanh, relu, sigmoid, silu, tanh.
llvm::ArrayRef<Activation> activations();

// Null for an unknown kind.
ScalarFunction findActivation(llvm::StringRef kind);

}  // namespace lindero::ir::tensor
