// Cheats of quotients.
#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

// Leaves the equation true.
void moveQuotient(const Scene& s, uint64_t element, int64_t delta) {
  const Divide& d = s.step.divide();
  s.add(d.quotient(), element, delta);
  s.add(d.remainder(), element, -delta * s.at(d.b(), element));
}

// One more of the denominator in the quotient, and in the remainder one less: |b| > 2 r + |b|.
bool quotientTooLarge(const Scene& s) {
  const Divide& d = s.step.divide();
  const uint64_t e = s.any(d.quotient());
  moveQuotient(s, e, s.at(d.b(), e) < 0 ? -1 : 1);
  return true;
}

bool quotientTooSmall(const Scene& s) {
  const Divide& d = s.step.divide();
  const uint64_t e = s.any(d.quotient());
  moveQuotient(s, e, s.at(d.b(), e) < 0 ? 1 : -1);
  return true;
}

bool quotientOffByOne(const Scene& s) {
  const Divide& d = s.step.divide();
  s.add(d.quotient(), s.any(d.quotient()), s.draws.sign());
  return true;
}

bool otherSign(const Scene& s) {
  const Divide& d = s.step.divide();
  const uint64_t e = s.any(d.negative());
  s.at(d.negative(), e) = 1 - s.at(d.negative(), e);
  return true;
}

constexpr Cheat kCheats[] = {
    {Step::kDivide,
     "quotient too large",
     on<quotientTooLarge>,
     {"lookup divide.remainder low", "lookup divide.remainder high"}},
    {Step::kDivide,
     "quotient too small",
     on<quotientTooSmall>,
     {"lookup divide.remainder low", "lookup divide.remainder high"}},
    {Step::kDivide, "quotient off by one", on<quotientOffByOne>, {"constraint divide.divide"}},
    {Step::kDivide,
     "denominator of the other sign",
     on<otherSign>,
     {"lookup divide.remainder low", "lookup divide.remainder high"}},
};

}  // namespace

absl::Span<const Cheat> divideCheats() { return kCheats; }

}  // namespace lindero::runtime
