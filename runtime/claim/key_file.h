// Key files, read with an error of the command line.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/claim/key.h"

namespace lindero::cli {

// Fails with kFile where there is none to read, with kPackage where it is no key file.
absl::StatusOr<runtime::KeySet> readKeys(const std::string& path);

}  // namespace lindero::cli
