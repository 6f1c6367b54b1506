// A model's graph as it is given inputs: as it is in the file, but for inputs of reals that can
// only be masks, which are integers (recognize-masks).
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "compiler/onnx_import/import.h"
#include "ir/core/ir.h"

namespace lindero::compiler {

absl::StatusOr<std::unique_ptr<ir::Module>> importModel(const std::string& path,
                                                        const ImportOptions& options);

}  // namespace lindero::compiler
