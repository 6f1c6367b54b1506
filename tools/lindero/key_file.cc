#include "tools/lindero/key_file.h"

#include "absl/strings/str_cat.h"
#include "runtime/package/files.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {

absl::StatusOr<runtime::KeySet> readKeys(const std::string& path) {
  absl::StatusOr<std::string> bytes = runtime::readFile(path, runtime::kMaxKeyBytes);
  if (!bytes.ok()) return withExit(bytes.status(), Exit::kFile);
  absl::StatusOr<runtime::KeySet> keys = runtime::decodeKeySet(*bytes);
  if (keys.ok()) return keys;
  return failure(Exit::kPackage, absl::StrCat(path, ": ", keys.status().message()));
}

}  // namespace lindero::cli
