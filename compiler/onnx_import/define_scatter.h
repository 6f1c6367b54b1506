// MaxUnpool and TensorScatter by ScatterElements; Det by minors.
#pragma once

#include "absl/status/status.h"
#include "compiler/onnx_import/function_text.h"

namespace lindero::compiler {

absl::Status writeMaxUnpool(FunctionText& b);
absl::Status writeTensorScatter(FunctionText& b);
absl::Status writeDet(FunctionText& b);

}  // namespace lindero::compiler
