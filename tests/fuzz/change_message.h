// Changes of any field of a protobuf message, by reflection, and the values that tend to hurt.
#ifndef LINDERO_TESTS_FUZZ_CHANGE_MESSAGE_H_
#define LINDERO_TESTS_FUZZ_CHANGE_MESSAGE_H_

#include <cstdint>
#include <random>
#include <string>

#include "google/protobuf/message.h"

namespace lindero::fuzz {

using Random = std::mt19937_64;

// In [0, below); 0 if there is nothing to choose from.
int below(int64_t below, Random& random);
inline bool once(int of, Random& random) { return below(of, random) == 0; }

// Near `before`, small, or at a limit of a type.
int64_t anyInteger(int64_t before, Random& random);
// Also NaN, infinities, denormals, the largest.
double anyReal(Random& random);
// Control characters, bytes that are no UTF-8, paths, nothing at all, or a change of `before`.
std::string anyText(const std::string& before, Random& random);

// Sets, clears, adds, doubles, swaps or removes something in a message somewhere inside of this
// one.
void changeAnywhere(google::protobuf::Message& message, Random& random);

}  // namespace lindero::fuzz

#endif  // LINDERO_TESTS_FUZZ_CHANGE_MESSAGE_H_
