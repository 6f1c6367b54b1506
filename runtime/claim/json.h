// Canonical JSON (RFC 8785) for what gets hashed: objects with ASCII member names, arrays, strings,
// integers within +-(2^53 - 1), true, false and null.
#ifndef LINDERO_RUNTIME_CLAIM_JSON_H_
#define LINDERO_RUNTIME_CLAIM_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace lindero::runtime {

// Its objects are sorted by the bytes of their names, which is RFC 8785's order for ASCII.
using Json = nlohmann::json;

// The integers that every reader of JSON holds exactly: |v| <= kLargestInteger.
inline constexpr int64_t kLargestInteger = (int64_t{1} << 53) - 1;

// Fails on what has no canonical form here: reals, larger integers, names beyond ASCII, strings
// that are no UTF-8.
absl::StatusOr<std::string> canonicalJson(const Json& json);

// Parses text of any form; `name` labels the error. At most 64 MiB and 10 levels, so that memory
// stays within a small multiple of the text. Duplicate members are for the caller, who compares
// `bytes` with the canonical form of what it understood.
absl::StatusOr<Json> parseJson(absl::string_view bytes, absl::string_view name);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_JSON_H_
