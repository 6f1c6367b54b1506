// Is a causal model with fewer tokens the beginning of the one with all of them? A model whose
// length is symbolic may compute with it: of fewer tokens it is another function then.
#pragma once

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "compiler/onnx_import/import.h"
#include "ir/core/ir.h"

namespace lindero::compiler {

// Outputs that are not, of the file at `path`, which is `imported` with `length` tokens: it is run
// with fewer ones, too, of several numbers, on random ones. All of them, if the model is there for
// some of these numbers and not for others. None if no dimension that `options` bind is the length,
// or the model is there for no other. `tokens` is the model after the clean-up, with the inputs of
// `imported`.
absl::StatusOr<std::set<std::string>> outputsThatKnowTheLength(const std::string& path,
                                                               const ImportOptions& options,
                                                               const ir::Function& imported,
                                                               const ir::Function& tokens,
                                                               int64_t length);

}  // namespace lindero::compiler
