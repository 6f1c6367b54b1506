// Cheats of the elementwise product.
#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

bool remainderOutOfRange(const Scene& s) {
  const Multiply& m = s.step.multiply();
  const uint64_t e = s.any(m.quotient());
  const int64_t sign = s.draws.sign();
  s.add(m.quotient(), e, -sign);
  s.add(m.remainder(), e, sign * (int64_t{1} << m.shift()));
  return true;
}

// q 2^s + r = a b + 2^(s-1) + p has the solution q + 2^(31-s), r - 1.
bool otherQuotientModuloP(const Scene& s) {
  const Multiply& m = s.step.multiply();
  const uint64_t e = s.any(m.quotient());
  const int64_t sign = s.draws.sign(), remainder = s.at(m.remainder(), e) - sign;
  if (remainder < 0 || remainder >= int64_t{1} << m.shift()) return false;
  s.add(m.quotient(), e, sign * (int64_t{1} << (31 - m.shift())));
  s.at(m.remainder(), e) = static_cast<int32_t>(remainder);
  return true;
}

bool quotientOffByOne(const Scene& s) {
  const Multiply& m = s.step.multiply();
  s.add(m.quotient(), s.any(m.quotient()), s.draws.sign());
  return true;
}

constexpr Cheat kCheats[] = {
    {Step::kMultiply,
     "remainder of a product out of range",
     on<remainderOutOfRange>,
     {"lookup multiply.remainder"}},
    {Step::kMultiply,
     "another product modulo p",
     on<otherQuotientModuloP>,
     {"lookup multiply.quotient"}},
    {Step::kMultiply, "product off by one", on<quotientOffByOne>, {"constraint multiply.multiply"}},
};

}  // namespace

absl::Span<const Cheat> multiplyCheats() { return kCheats; }

}  // namespace lindero::runtime
