#include "runtime/package/digest.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>

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

absl::StatusOr<Digest> randomDigest() {
  Digest digest;
  if (RAND_bytes(digest.data(), static_cast<int>(digest.size())) == 1) return digest;
  return absl::InternalError("the system gives no random bytes");
}

std::string toHex(const Digest& digest) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

absl::StatusOr<Digest> fromHex(absl::string_view text) {
  auto isDigit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  Digest digest;
  if (text.size() != 2 * digest.size() || !std::all_of(text.begin(), text.end(), isDigit)) {
    return absl::InvalidArgumentError("not 64 lower-case hexadecimal digits");
  }
  std::string bytes = absl::HexStringToBytes(text);
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

}  // namespace lindero::runtime
