#include "runtime/claim/key_file.h"

#include "absl/strings/str_cat.h"
#include "runtime/package/files.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

constexpr uint64_t kMostBytes = uint64_t{1} << 31;

}  // namespace

absl::StatusOr<runtime::KeySet> readKeys(const std::string& path) {
  absl::StatusOr<std::string> bytes = runtime::readFile(path, kMostBytes);
  if (!bytes.ok()) return withExit(bytes.status(), Exit::kFile);
  absl::StatusOr<runtime::KeySet> keys = runtime::decodeKeySet(*bytes);
  if (keys.ok()) return keys;
  return failure(Exit::kPackage, absl::StrCat(path, ": ", keys.status().message()));
}

}  // namespace lindero::cli
