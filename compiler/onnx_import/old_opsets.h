// Models of old opsets, brought up to date by the ONNX library's version converter.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "compiler/onnx_import/model_file.h"
#include "llvm/ADT/StringRef.h"

namespace lindero::compiler {

// The nearest_mode of Resize before opset 11: floor where an axis grows, ceil where it shrinks.
inline constexpr llvm::StringLiteral kOldNearest = "simple";

// Writes what nodes of the opset mean by attributes that they do not have, and which mean something
// else by default in later ones.
void writeOldDefaults(onnx::GraphProto& graph, int64_t opset);

// Rewrites a graph of known shapes, without local functions, to the given opset. What the converter
// makes of a node has the node's name. Errors: what the library says, in one line.
absl::Status convertToOpset(ModelFile& file, int64_t opset);

}  // namespace lindero::compiler
