// The import cleanup phase: from the ops of an ONNX file to the canonical form that quantization
// starts from.
//
// Canonical form (checked by verify-canonical): a batch of one, dropped; @main holds embedding,
// layernorm, linear [in, out] (one per x, with slices), slice of columns, attention, activation,
// add, argmax, select_rows, constant and return. Models that differ in how an exporter spelled them
// become the same text, but for locations and the names of constants.
#pragma once

#include "absl/status/status.h"
#include "llvm/ADT/StringRef.h"

namespace lindero::passes {

// The pipeline, as text for PassManager::addPipeline and `lindero-opt --passes`.
llvm::StringRef importCleanupPipeline();

absl::Status registerImportCleanup();

}  // namespace lindero::passes
