// Cheats of maps with constants.
#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

bool remainderOutOfRange(const Scene& s) {
  const Affine& a = s.step.affine();
  // Without a remainder there is no column of them.
  if (a.shift() == 0) return false;
  const uint64_t e = s.any(a.quotient());
  const int64_t sign = s.draws.sign();
  s.add(a.quotient(), e, -sign);
  s.add(a.remainder(), e, sign * (int64_t{1} << a.shift()));
  return true;
}

// q 2^s + r = x m + c + y n + p has the solution q + 2^(31-s), r - 1.
bool otherQuotientModuloP(const Scene& s) {
  const Affine& a = s.step.affine();
  const uint64_t e = s.any(a.quotient());
  const int64_t sign = s.draws.sign(), remainder = s.at(a.remainder(), e) - sign;
  if (remainder < 0 || remainder >= int64_t{1} << a.shift()) return false;
  s.add(a.quotient(), e, sign * (int64_t{1} << (31 - a.shift())));
  s.at(a.remainder(), e) = static_cast<int32_t>(remainder);
  return true;
}

bool quotientOffByOne(const Scene& s) {
  const Affine& a = s.step.affine();
  s.add(a.quotient(), s.any(a.quotient()), s.draws.sign());
  return true;
}

constexpr Cheat kCheats[] = {
    {Step::kAffine,
     "remainder of a map out of range",
     on<remainderOutOfRange>,
     {"lookup affine.remainder", "lookup affine_sum.remainder", "lookup affine_by_row.remainder",
      "lookup affine_sum_by_row.remainder"}},
    {Step::kAffine,
     "another image modulo p",
     on<otherQuotientModuloP>,
     {"lookup affine.quotient", "lookup affine_sum.quotient", "lookup affine_by_row.quotient",
      "lookup affine_sum_by_row.quotient"}},
    {Step::kAffine,
     "image off by one",
     on<quotientOffByOne>,
     {"constraint affine.affine", "constraint affine_sum.affine", "constraint affine_by_row.affine",
      "constraint affine_sum_by_row.affine", "constraint wide_sums.affine"}},
};

}  // namespace

absl::Span<const Cheat> affineCheats() { return kCheats; }

}  // namespace lindero::runtime
