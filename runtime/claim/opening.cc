#include "runtime/claim/opening.h"

#include <algorithm>

#include "runtime/claim/fields.h"

namespace lindero::runtime {

template <>
struct Fields<Opening> {
  static void visit(auto& each, auto& opening) {
    each("name", opening.name);
    each("salt", opening.salt);
    each("values", opening.values);
  }
};

absl::StatusOr<Digest> openingDigest(const Opening& opening) {
  LINDERO_ASSIGN_OR_RETURN(std::string bytes, encodeFields(opening, "opening"));
  return sha256(bytes);
}

absl::StatusOr<std::string> encodeOpenings(const std::vector<Opening>& openings) {
  return encodeFields(openings, "openings");
}

absl::StatusOr<std::vector<Opening>> decodeOpenings(absl::string_view bytes) {
  return decodeFields<std::vector<Opening>>(bytes, "openings");
}

absl::StatusOr<Claim> openClaim(const Claim& claim, const std::vector<Opening>& openings) {
  Claim opened = claim;
  for (const Opening& opening : openings) {
    auto fail = [&](absl::string_view why) {
      return absl::InvalidArgumentError(
          absl::StrCat("openings: \"", absl::Utf8SafeCEscape(opening.name), "\" ", why));
    };
    ClaimTensor* tensor = findTensor(opened, opening.name);
    if (tensor == nullptr) return fail("is no tensor of the claim");
    if (!tensor->digest) return fail("is opened twice, or given by its values");
    LINDERO_ASSIGN_OR_RETURN(Digest digest, openingDigest(opening));
    if (digest != *tensor->digest) return fail("does not hash to the digest in the claim");
    tensor->digest.reset();
    tensor->values = opening.values;
    std::erase(opened.policy.digests, opening.name);
  }
  // Shapes and ranges.
  LINDERO_RETURN_IF_ERROR(encodeClaim(opened).status());
  return opened;
}

}  // namespace lindero::runtime
