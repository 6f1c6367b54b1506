// Cheats of the elementwise product.
#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

bool remainderOutOfRange(const Scene& s) { return forgeRemainderOutOfRange(s, s.step.multiply()); }

bool otherQuotientModuloP(const Scene& s) { return forgeQuotientModuloP(s, s.step.multiply()); }

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
