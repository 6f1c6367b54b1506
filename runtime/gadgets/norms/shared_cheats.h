// Cheats that norms of narrow and of wide rows share, of the message of either's step: at the
// division with remainder by which a normalized value is rounded, and at the row tiles' means.
#ifndef LINDERO_RUNTIME_GADGETS_NORMS_SHARED_CHEATS_H_
#define LINDERO_RUNTIME_GADGETS_NORMS_SHARED_CHEATS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "runtime/field/m31.h"
#include "runtime/tamper/scene.h"

namespace lindero::runtime {

inline int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

template <typename Norm>
bool forgeNormalized(const Scene& s, const Norm& n) {
  s.add(n.out(), s.any(n.out()), s.draws.sign());
  return true;
}

template <typename Norm>
bool forgeNormalizedRemainderOutOfRange(const Scene& s, const Norm& n) {
  const uint64_t e = s.any(n.out());
  const int64_t sign = s.draws.sign();
  s.add(n.out(), e, sign);
  s.add(n.remainder(), e, -sign * s.at(n.shift_power(), e / n.width()));
  return true;
}

// z 2^t + r is the product, plus p.
template <typename Norm>
bool forgeNormalizedModuloP(const Scene& s, const Norm& n) {
  const uint64_t e = s.any(n.out());
  const int64_t power = s.at(n.shift_power(), e / n.width());
  const int64_t sum =
      s.at(n.out(), e) * power + s.at(n.remainder(), e) + s.draws.sign() * int64_t{kModulus};
  const int64_t z = floorDivide(sum, power);
  s.at(n.out(), e) = static_cast<int32_t>(z);
  s.at(n.remainder(), e) = static_cast<int32_t>(sum - z * power);
  return true;
}

// Two tiles of a row get means that are wrong by +1 and by -1: the deviations' sum is right. What
// the first tiles are off by; empty: the row has no two means.
template <typename Norm>
std::vector<int64_t> changeMeansOfTwoTiles(const Scene& s, const Norm& n, uint64_t row) {
  const int64_t one = anyTile(s, n.mean(), row), other = anyTile(s, n.mean(), row);
  if (!n.has_mean() || one < 0 || one == other) return {};
  std::vector<int64_t> errors(static_cast<size_t>(std::max(one, other)) + 1);
  errors[one] = 1;
  errors[other] = -1;
  changeCopy(s, n.mean(), row, static_cast<uint64_t>(one), 1);
  changeCopy(s, n.mean(), row, static_cast<uint64_t>(other), -1);
  return errors;
}

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_GADGETS_NORMS_SHARED_CHEATS_H_
