// TfIdfVectorizer: how often each n-gram of a list occurs.
#pragma once

#include "absl/status/status.h"
#include "compiler/onnx_import/function_text.h"

namespace lindero::compiler {

absl::Status writeTfIdfVectorizer(FunctionText& b);

}  // namespace lindero::compiler
