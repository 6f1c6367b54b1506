// Key files.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/claim/key.h"

namespace lindero::runtime {

// Fails with kFile where there is none to read, with kPackage where it is no key file.
absl::StatusOr<KeySet> readKeys(const std::string& path);

}  // namespace lindero::runtime
