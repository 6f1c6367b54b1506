// What the file of a proof says that it is about, before anybody verified it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/claim/claim.h"
#include "runtime/package/digest.h"

namespace lindero::runtime {

struct UnverifiedProof {
  Claim claim;
  std::string claim_bytes;  // canonical
  std::string key_digest;   // of the key that it names; hexadecimal
  int64_t blocks = 0;       // that it has a proof for
  int64_t bytes = 0;        // of the file
};

// Errors: kFile, and kInput for what is no proof.
absl::StatusOr<UnverifiedProof> readUnverifiedProof(const std::string& path);

// All tokens of the decode run that a proof is of, whether it proves them or not. Errors: the same,
// and kInput for a proof of something else.
absl::StatusOr<std::vector<int64_t>> tokensOfProof(const std::string& path);

}  // namespace lindero::runtime
