// The ONNX types of a file's values: in the tensor dialect all reals are one type, and all integers
// another.
#pragma once

#include "absl/status/statusor.h"
#include "compiler/onnx_import/model_file.h"
#include "ir/core/ir.h"
#include "llvm/ADT/StringMap.h"

namespace lindero::compiler {

// By name, of what the file says it of.
llvm::StringMap<int> typesOf(const ModelFile& file);

// The input with a statement of what it may be: of integers of few bits, or without a sign.
absl::StatusOr<ir::Value*> withType(ir::Builder& builder, ir::Value* input, int onnx_type);

}  // namespace lindero::compiler
