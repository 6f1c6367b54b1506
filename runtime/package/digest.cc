#include "runtime/package/digest.h"

#include <openssl/sha.h>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "runtime/package/mapped_file.h"

namespace lindero::runtime {

Digest sha256(absl::string_view bytes) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

absl::StatusOr<Digest> sha256File(const std::string& path) {
  absl::StatusOr<MappedFile> file = MappedFile::openReadOnly(path);
  if (!file.ok()) return file.status();
  return sha256({reinterpret_cast<const char*>(file->words().data()), file->size()});
}

std::string toHex(const Digest& digest) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace lindero::runtime
