// Openings: the values of the digests of a claim (CLAIM.md, section 3).
#ifndef LINDERO_RUNTIME_CLAIM_OPENING_H_
#define LINDERO_RUNTIME_CLAIM_OPENING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/claim/claim.h"
#include "runtime/package/digest.h"

namespace lindero::runtime {

struct Opening {
  std::string name;
  Digest salt = {};
  std::vector<int64_t> values;
};

// What a claim holds in place of the values.
absl::StatusOr<Digest> openingDigest(const Opening& opening);

// A file of openings: canonical JSON `[{"name", "salt", "values"}, …]`.
absl::StatusOr<std::string> encodeOpenings(const std::vector<Opening>& openings);
absl::StatusOr<std::vector<Opening>> decodeOpenings(absl::string_view bytes);

// Each opening is of a tensor of the claim that is given by digest, hashes to it, and has its shape
// and range; none comes twice. Returns the claim with these values in place of their digests, which
// is not itself the claim that was proven.
absl::StatusOr<Claim> openClaim(const Claim& claim, const std::vector<Opening>& openings);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_OPENING_H_
