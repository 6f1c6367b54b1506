// The standard's ConvTranspose by Conv.
#pragma once

#include "absl/status/status.h"
#include "compiler/onnx_import/function_text.h"

namespace lindero::compiler {

// x with strides - 1 zeros between its elements, padded, convolved with the weights turned around.
absl::Status writeConvTranspose(FunctionText& b);

}  // namespace lindero::compiler
