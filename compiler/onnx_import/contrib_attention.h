// The attention ops of com.microsoft, as functions of the standard's Attention. Part of
// contrib_ops.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "compiler/onnx_import/function_text.h"

namespace lindero::compiler {

inline absl::Status unsupported(const std::string& what) {
  return absl::UnimplementedError(absl::StrCat(what, " is not supported"));
}

absl::Status writeAttention(FunctionText& b);
absl::Status writeMultiHeadAttention(FunctionText& b);
absl::Status writeGroupQueryAttention(FunctionText& b);

}  // namespace lindero::compiler
