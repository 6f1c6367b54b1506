// Cheats of quotients.
#include <cstdlib>

#include "runtime/field/m31.h"
#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

// Leaves the equation true.
void moveQuotient(const Scene& s, uint64_t element, int64_t delta) {
  const Divide& d = s.step.divide();
  s.add(d.quotient(), element, delta);
  s.add(d.remainder(), element, -delta * s.at(d.b(), element));
}

// The remainder that fits is below the least one, whatever the denominator's sign is.
bool quotientTooLarge(const Scene& s) {
  moveQuotient(s, s.any(s.step.divide().quotient()), 1);
  return true;
}

// And here beyond the greatest.
bool quotientTooSmall(const Scene& s) {
  moveQuotient(s, s.any(s.step.divide().quotient()), -1);
  return true;
}

bool quotientOffByOne(const Scene& s) {
  const Divide& d = s.step.divide();
  s.add(d.quotient(), s.any(d.quotient()), s.draws.sign());
  return true;
}

// Any remainder has a quotient modulo p: the least one that is no honest one.
bool otherQuotientModuloP(const Scene& s) {
  constexpr int64_t kMost = int64_t{1} << 24;
  const Divide& d = s.step.divide();
  const uint64_t e = s.any(d.quotient());
  const int64_t b = s.at(d.b(), e), size = std::abs(b), sign = b < 0 ? -1 : 1;
  const int64_t honest = int64_t{1} << (d.bits() - 1);
  const M31 inverse = M31::fromSigned(b).inverse();
  const M31 scaled = M31::fromSigned(int64_t{s.at(d.a(), e)} << d.shift());
  int64_t least = kMost, remainder = 0;
  for (int64_t r = -(size / 2); 2 * r < size; ++r) {
    const int64_t q = ((scaled - M31::fromSigned(sign * r)) * inverse).centered();
    if (std::abs(q) <= honest || std::abs(q) >= std::abs(least)) continue;
    least = q, remainder = sign * r;
  }
  if (least == kMost) return false;
  s.at(d.quotient(), e) = static_cast<int32_t>(least);
  s.at(d.remainder(), e) = static_cast<int32_t>(remainder);
  return true;
}

// A factor g that is no sign brings both ends of another quotient's remainder, whose sum is beyond
// p / 2^16, into the ranges: g (b + 2 r) = low, g (b - 2 r) = high.
bool signThatIsNone(const Scene& s) {
  constexpr int64_t kEnd = int64_t{1} << 16, kTried = 64;
  const Divide& d = s.step.divide();
  const uint64_t e = s.any(d.quotient());
  const int64_t b = s.at(d.b(), e), first = 1 + (kEnd / 2) / std::abs(b);
  for (int64_t moved = first; moved < first + kTried; ++moved) {
    const int64_t r = s.at(d.remainder(), e) - moved * b;
    if (b + 2 * r == 0) continue;
    const M31 inverse = M31::fromSigned(b + 2 * r).inverse();
    const M31 ratio = M31::fromSigned(b - 2 * r) * inverse;
    for (int64_t low = 1; low < kEnd; ++low) {
      const int64_t high = (M31::fromSigned(low) * ratio).centered();
      if (high < 1 || high > kEnd) continue;
      const M31 twice = M31::fromSigned(1) - M31::fromSigned(low) * inverse;
      moveQuotient(s, e, moved);
      s.at(d.negative(), e) =
          static_cast<int32_t>((twice * M31::fromSigned(2).inverse()).centered());
      return true;
    }
  }
  return false;
}

bool otherSign(const Scene& s) {
  const Divide& d = s.step.divide();
  const uint64_t e = s.any(d.negative());
  s.at(d.negative(), e) = 1 - s.at(d.negative(), e);
  return true;
}

constexpr Cheat kCheats[] = {
    {Step::kDivide, "quotient too large", on<quotientTooLarge>, {"lookup divide.remainder low"}},
    {Step::kDivide, "quotient too small", on<quotientTooSmall>, {"lookup divide.remainder high"}},
    {Step::kDivide,
     "another quotient of two modulo p",
     on<otherQuotientModuloP>,
     {"lookup divide.quotient"}},
    {Step::kDivide,
     "sign that is none",
     on<signThatIsNone>,
     {"constraint divide.negative is a bit"}},
    {Step::kDivide, "quotient off by one", on<quotientOffByOne>, {"constraint divide.divide"}},
    {Step::kDivide,
     "denominator of the other sign",
     on<otherSign>,
     {"lookup divide.remainder low", "lookup divide.remainder high"}},
};

}  // namespace

absl::Span<const Cheat> divideCheats() { return kCheats; }

}  // namespace lindero::runtime
