// Test challenges: as a verifier would draw them, but from a seed.
#ifndef LINDERO_RUNTIME_CHECK_CHALLENGES_H_
#define LINDERO_RUNTIME_CHECK_CHALLENGES_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "runtime/field/qm31.h"
#include "runtime/package/circuit.pb.h"

namespace lindero::runtime {

// `count` uniform elements; the same for the same seed, everywhere.
std::vector<QM31> drawChallenges(uint64_t seed, size_t count);

// Those of each member of a bundle: `circuits` has that of each. What they draw after phase 1 is
// shared, by name.
std::vector<std::vector<QM31>> drawChallenges(absl::Span<const Circuit* const> circuits,
                                              uint64_t seed);
// Gives each member the first one's value of a challenge of phase 1 that both have.
void shareChallenges(absl::Span<const Circuit* const> circuits,
                     std::vector<std::vector<QM31>>& challenges);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_CHALLENGES_H_
