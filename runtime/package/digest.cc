#include "runtime/package/digest.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/package/files.h"

namespace lindero::runtime {

Digest sha256(absl::string_view bytes) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

// Read, not mapped: mapped pages would count as the caller's memory.
absl::StatusOr<Digest> sha256File(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return systemError(absl::StrCat("cannot open ", path), errno);
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool hashed = hash && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1;
  std::vector<char> block(1 << 20);
  while (hashed && file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    hashed = EVP_DigestUpdate(hash.get(), block.data(), static_cast<size_t>(file.gcount())) == 1;
  }
  if (file.bad() || !file.eof()) return systemError(absl::StrCat("cannot read ", path), errno);
  Digest digest;
  hashed = hashed && EVP_DigestFinal_ex(hash.get(), digest.data(), nullptr) == 1;
  if (!hashed) return absl::InternalError("SHA-256 failed");
  return digest;
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
