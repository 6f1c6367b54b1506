// The modulus of the field in which circuits are proven: p = 2^31 - 1. Integers of the IR stand for
// their residues; what decides whether an equation can wrap compares with this number.
#pragma once

#include <cstdint>

namespace lindero::ir {

inline constexpr int64_t kFieldModulus = (int64_t{1} << 31) - 1;

// The canonical residue of any integer: 0 <= residue(v) < p.
inline uint32_t residue(int64_t v) {
  int64_t r = v % kFieldModulus;
  return static_cast<uint32_t>(r < 0 ? r + kFieldModulus : r);
}

}  // namespace lindero::ir
