#include "runtime/claim/key_file.h"

#include "absl/strings/str_cat.h"
#include "runtime/error/error.h"
#include "runtime/package/files.h"

namespace lindero::runtime {

absl::StatusOr<KeySet> readKeys(const std::string& path) {
  absl::StatusOr<std::string> bytes = readFile(path, kMaxKeyBytes);
  if (!bytes.ok()) return withError(bytes.status(), Error::kFile);
  absl::StatusOr<KeySet> keys = decodeKeySet(*bytes);
  if (keys.ok()) return keys;
  return failure(Error::kPackage, absl::StrCat(path, ": ", keys.status().message()));
}

}  // namespace lindero::runtime
