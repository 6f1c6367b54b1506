// What a key's parameters are worth, as the backend computes it: per regime the bits of the whole
// and of every term; and what a verifier asks of a key.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/claim/key.h"
#include "runtime/prove/prover.h"

namespace lindero::runtime {

// Without --min-bits, a key of less is refused.
inline constexpr double kFloorBits = 80;
inline constexpr char kFloorRegime[] = "list-decoding";

struct SecurityDemand {
  std::optional<int64_t> min_bits;  // none: the floor
  std::string regime = kDefaultRegime;
  std::string key_digest;  // 64 hexadecimal digits; empty: any key
};

// A regime of a backend's report on a key's security.
struct RegimeBits {
  std::string name;  // "proven", "list-decoding", "best known attack"
  double bits = 0;   // of the whole protocol
  Report report;     // with its terms, as the backend prints it
};
// In the order of the report; what is malformed is left out.
std::vector<RegimeBits> regimesOf(const Report& security);

// Of a key that a proof names, with what the backend says of its security. `file` is the SHA-256 of
// the file that holds the key: no demand, but a likely mistake for one. Fails with kInvalidArgument
// and the reason, or with kDataLoss if the backend does not say it.
absl::Status checkDemand(const SecurityDemand& demand, const Key& key, const Digest& file,
                         const Report& security);

}  // namespace lindero::runtime
