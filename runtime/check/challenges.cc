#include "runtime/check/challenges.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/package/digest.h"

namespace lindero::runtime {

std::vector<QM31> drawChallenges(uint64_t seed, size_t count) {
  std::vector<QM31> challenges;
  for (uint64_t attempt = 0; challenges.size() < count; ++attempt) {
    Digest digest = sha256(absl::StrCat("lindero test challenges ", seed, " ", attempt));
    std::array<uint32_t, 4> limbs;
    std::memcpy(limbs.data(), digest.data(), sizeof(limbs));
    bool canonical = true;
    for (uint32_t& limb : limbs) {
      limb &= kModulus;
      canonical &= limb != kModulus;
    }
    if (canonical) challenges.push_back(QM31::fromLimbs(limbs));
  }
  return challenges;
}

}  // namespace lindero::runtime
