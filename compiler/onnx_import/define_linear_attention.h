// LinearAttention: a state that each token adds to and reads, token by token.
#pragma once

#include "absl/status/status.h"
#include "compiler/onnx_import/function_text.h"

namespace lindero::compiler {

absl::Status writeLinearAttention(FunctionText& b);

}  // namespace lindero::compiler
