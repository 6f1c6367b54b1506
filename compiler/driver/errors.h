// The kinds (runtime/error) of what compiling reports, by the codes that its stages promise.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "runtime/error/error.h"

namespace lindero::compiler {

using runtime::Error;
using runtime::errorOf;
using runtime::failure;
using runtime::withError;

// Of import and clean-up: ImportOptions.
absl::Status withLoadError(absl::Status status);
// Of quantization and lowering: Compilation.
absl::Status withModelError(absl::Status status);
// The same, and the message names the file.
absl::Status withModelError(const absl::Status& status, const std::string& file);

}  // namespace lindero::compiler
