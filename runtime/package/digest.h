// SHA-256, the one hash of the project outside the provers.
#ifndef LINDERO_RUNTIME_PACKAGE_DIGEST_H_
#define LINDERO_RUNTIME_PACKAGE_DIGEST_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lindero::runtime {

using Digest = std::array<uint8_t, 32>;

Digest sha256(absl::string_view bytes);

// Of a file of any size.
absl::StatusOr<Digest> sha256File(const std::string& path);

// 32 bytes from the system's randomness.
absl::StatusOr<Digest> randomDigest();

// 64 lower-case hexadecimal digits.
std::string toHex(const Digest& digest);
// Refuses other text.
absl::StatusOr<Digest> fromHex(absl::string_view text);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_DIGEST_H_
