// The import cleanup phase: from the ops of an ONNX file to the canonical form that quantization
// starts from.
//
// Canonical form (checked by verify-canonical): @main holds ops of idioms, namely embedding,
// layernorm, linear [in, out] (one per x, with slices), slice of columns, attention, activation,
// add, argmax and select_rows, and otherwise ops that have integers of their own (general.h). What
// is computed is real: integers and truth values that depend on inputs are spelled as reals
// (lower-logic), and masks that do as tensor.mask (close-scores, close-choices). A batch of one is
// dropped. Models that differ in how an exporter spelled them become the same text, but for
// locations and the names of constants.
#pragma once

#include "absl/status/status.h"
#include "llvm/ADT/StringRef.h"

namespace lindero::passes {

// The pipeline, as text for PassManager::addPipeline and `lindero-opt --passes`.
llvm::StringRef importCleanupPipeline();

absl::Status registerImportCleanup();

}  // namespace lindero::passes
