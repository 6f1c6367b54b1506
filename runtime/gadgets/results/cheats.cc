// Cheats of requantization and of functions by table.
#include "runtime/field/m31.h"
#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

bool remainderOutOfRange(const Scene& s) {
  return forgeRemainderOutOfRange(s, s.step.requantize());
}

bool otherQuotientModuloP(const Scene& s) { return forgeQuotientModuloP(s, s.step.requantize()); }

// Both, for all that the next norm reads of a token: the norm's output stays.
bool shiftedStream(const Scene& s) {
  const Requantize& r = s.step.requantize();
  uint64_t width = 0;
  for (const Step& step : s.package.program().steps()) {
    if (step.layer_norm().x() == r.quotient() && step.has_layer_norm()) {
      width = step.layer_norm().width();
    }
  }
  if (width == 0) return false;
  const uint64_t first = s.any(r.quotient()) / width * width;
  const int64_t sign = s.draws.sign();
  for (uint64_t e = first; e < first + width; ++e) {
    const int64_t remainder = s.at(r.remainder(), e) - sign;
    if (remainder < 0 || remainder >= int64_t{1} << r.shift()) return false;
  }
  for (uint64_t e = first; e < first + width; ++e) {
    s.add(r.quotient(), e, sign * (int64_t{1} << (31 - r.shift())));
    s.add(r.remainder(), e, -sign);
  }
  return true;
}

bool valueOfAnotherKey(const Scene& s) {
  const TableLookup& l = s.step.table_lookup();
  const uint64_t e = s.any(l.out());
  const uint64_t row = l.first_row() + s.draws.below(l.rows());
  s.at(l.out(), e) = static_cast<int32_t>(
      M31::fromCanonical(s.package.fixedColumn(l.table(), l.column())[row]).centered());
  return true;
}

constexpr Cheat kCheats[] = {
    {Step::kRequantize,
     "remainder out of range",
     on<remainderOutOfRange>,
     {"lookup results.remainder", "lookup lookups.remainder", "lookup affine.remainder",
      "lookup affine_sum.remainder"}},
    {Step::kRequantize,
     "another quotient modulo p",
     on<otherQuotientModuloP>,
     {"lookup results.function", "lookup lookups.function", "lookup affine.quotient",
      "lookup affine_sum.quotient"}},
    {Step::kRequantize, "a token's stream modulo p", on<shiftedStream>},
    {Step::kTableLookup,
     "value of another key",
     on<valueOfAnotherKey>,
     {"lookup results.function", "lookup lookups.function"}},
};

}  // namespace

absl::Span<const Cheat> resultsCheats() { return kCheats; }

}  // namespace lindero::runtime
