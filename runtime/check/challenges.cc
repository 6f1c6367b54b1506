#include "runtime/check/challenges.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

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

std::vector<std::vector<QM31>> drawChallenges(absl::Span<const Circuit* const> circuits,
                                              uint64_t seed) {
  std::vector<std::vector<QM31>> challenges;
  for (const Circuit* circuit : circuits) {
    challenges.push_back(drawChallenges(seed + challenges.size(), circuit->challenges_size()));
  }
  shareChallenges(circuits, challenges);
  return challenges;
}

void shareChallenges(absl::Span<const Circuit* const> circuits,
                     std::vector<std::vector<QM31>>& challenges) {
  std::map<std::string, QM31> shared;
  for (size_t m = 0; m < circuits.size(); ++m) {
    const size_t count =
        std::min(challenges[m].size(), static_cast<size_t>(circuits[m]->challenges_size()));
    for (size_t i = 0; i < count; ++i) {
      const Challenge& challenge = circuits[m]->challenges(static_cast<int>(i));
      QM31& value = challenges[m][i];
      if (challenge.phase() == 1) value = shared.try_emplace(challenge.name(), value).first->second;
    }
  }
}

}  // namespace lindero::runtime
