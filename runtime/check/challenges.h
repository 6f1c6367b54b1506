// Test challenges: as a verifier would draw them, but from a seed.
#ifndef LINDERO_RUNTIME_CHECK_CHALLENGES_H_
#define LINDERO_RUNTIME_CHECK_CHALLENGES_H_

#include <cstdint>
#include <vector>

#include "runtime/field/qm31.h"

namespace lindero::runtime {

// `count` uniform elements; the same for the same seed, everywhere.
std::vector<QM31> drawChallenges(uint64_t seed, size_t count);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_CHALLENGES_H_
