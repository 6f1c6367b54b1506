// Normalization over the last axes of a tensor, for the ops that are made of it.
#pragma once

#include "absl/status/statusor.h"
#include "compiler/onnx_import/node_emitter.h"

namespace lindero::compiler {

struct Norm {
  int64_t axis = -1;  // the first of those that are normalized over
  double epsilon = 1e-5;
  bool has_mean = true;  // false: RMS normalization
};

// (x - mean) / sqrt(variance + epsilon) * gamma + beta. gamma and beta may be of any shape that
// broadcasts to x, or null for ones and zeros.
absl::StatusOr<ir::Value*> normalize(NodeEmitter& e, ir::Value* x, ir::Value* gamma,
                                     ir::Value* beta, const Norm& norm);

}  // namespace lindero::compiler
