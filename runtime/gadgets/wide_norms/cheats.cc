// Cheats of LayerNorm and RMSNorm of wide rows.
#include <algorithm>
#include <optional>
#include <vector>

#include "runtime/field/m31.h"
#include "runtime/gadgets/norms/shared_cheats.h"
#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

constexpr int64_t kLimit = int64_t{1} << 15;

// What a prover chooses otherwise than he should; all that follows in the row is computed from it.
struct WideNormCheat {
  std::optional<int64_t> mean = std::nullopt;
  int64_t mean_error = 0, row_shift_error = 0, row_power_error = 0, coarse_error = 0,
          epsilon_error = 0;
  // Of single elements.
  std::vector<std::pair<uint64_t, int64_t>> shifted_errors = {};
  bool remainders_make_up = false;  // for these
  int64_t remainder_error = 0;      // of element 0
  int64_t square_error = 0;         // of element 0
  bool calls_large = false;         // element 0
  bool wrap_variance = false;
  int64_t root_error = 0, exponent_error = 0, mantissa_error = 0, shift_error = 0, power_error = 0;
  // What row tiles are off by; of the first tiles.
  std::vector<int64_t> tile_means = {}, tile_powers = {}, tile_offsets = {}, tile_roots = {},
                       tile_divisors = {};
};

class ForgedRow {
 public:
  ForgedRow(const Scene& s, uint64_t row, const WideNormCheat& cheat)
      : s_(s), n_(s.step.wide_layer_norm()), row_(row), cheat_(cheat) {}

  // False: the cheat leaves what the tables hold.
  bool run() {
    mean_ = cheat_.mean.value_or(scalar(n_.mean())) + cheat_.mean_error;
    put(n_.mean(), mean_);
    const int64_t e = scalar(n_.row_shift()) + cheat_.row_shift_error;
    if (e < 0 || e > n_.row_shift_limit()) return false;
    power_ = (int64_t{1} << e) + cheat_.row_power_error;
    if (power_ < 1) return false;
    coarse_ = (e > 0 ? 1 : 0) + cheat_.coarse_error;
    const int64_t epsilon =
        ((n_.epsilon() + ((int64_t{1} << 2 * e) >> 1)) >> 2 * e) + cheat_.epsilon_error;
    put(n_.row_shift(), e), put(n_.row_power(), power_);
    put(n_.coarse(), coarse_), put(n_.row_epsilon(), epsilon);
    return normalize(shift() + epsilon);
  }

 private:
  int64_t scalar(uint32_t buffer) const { return s_.at(buffer, row_); }
  void put(uint32_t buffer, int64_t value) { s_.at(buffer, row_) = static_cast<int32_t>(value); }
  void put(uint32_t buffer, uint64_t c, int64_t value) {
    s_.at(buffer, row_ * n_.width() + c) = static_cast<int32_t>(value);
  }
  int64_t ofTile(const std::vector<int64_t>& errors, uint64_t c) const {
    const uint64_t tile = c / n_.lanes();
    return tile < errors.size() ? errors[tile] : 0;
  }

  int64_t shift() {
    const uint64_t row_tiles = n_.width() / n_.lanes();
    int64_t sums[4] = {};
    for (uint64_t c = 0; c < n_.width(); ++c) {
      const int64_t power = power_ + ofTile(cheat_.tile_powers, c);
      const int64_t d = s_.at(n_.x(), row_ * n_.width() + c) - mean_ - ofTile(cheat_.tile_means, c);
      int64_t u = floorDivide(d, power), q = d - u * power;
      for (const auto& [element, error] : cheat_.shifted_errors) {
        if (element != c) continue;
        u += error;
        if (cheat_.remainders_make_up) q -= error * power;
      }
      if (c == 0) q += cheat_.remainder_error;
      int64_t v = (u * u + (int64_t{1} << (n_.square_shift() - 1))) >> n_.square_shift();
      int64_t large = 2 * u < -kLimit || 2 * u >= kLimit ? 1 : 0;
      if (c == 0) v += cheat_.square_error, large = cheat_.calls_large ? 1 : large;
      put(n_.shifted(), c, u), put(n_.shifted_out(), c, q);
      put(n_.square(), c, v), put(n_.large(), c, large);
      const int64_t terms[] = {u, q, v, large};
      const uint32_t buffers[] = {n_.shifted_sums(), n_.shifted_out_sums(), n_.square_sums(),
                                  n_.large_counts()};
      for (int i = 0; i < 4; ++i) {
        sums[i] += terms[i];
        s_.at(buffers[i], row_ * row_tiles + c / n_.lanes()) = static_cast<int32_t>(sums[i]);
      }
    }
    return sums[2];
  }

  bool normalize(int64_t variance) {
    int64_t j = 0;
    while ((variance >> (2 * j)) >= 65536) ++j;
    j += cheat_.exponent_error;
    if (j < 0 || j > 15) return false;
    int64_t mantissa = (variance >> (2 * j)) + cheat_.mantissa_error;
    const absl::Span<const uint32_t> roots =
        s_.package.fixedColumn(n_.rsqrt_table(), n_.rsqrt_column());
    const absl::Span<const uint32_t> shifts =
        s_.package.fixedColumn(n_.rsqrt_table(), n_.rsqrt_column() + 1);
    const uint64_t at = n_.rsqrt_first_row() + static_cast<uint64_t>(mantissa);
    if (mantissa < 0 || at >= roots.size()) return false;
    const int64_t root = M31::fromCanonical(roots[at]).centered() + cheat_.root_error;
    const int64_t shift = M31::fromCanonical(shifts[at]).centered() + j + cheat_.shift_error;
    if (shift < 1 || shift > 30) return false;
    if (cheat_.wrap_variance) {
      j = n_.max_exponent();
      variance += kModulus;
      mantissa = variance >> (2 * j);
    }
    put(n_.mantissa(), mantissa), put(n_.exponent(), j);
    put(n_.exponent_power(), int64_t{1} << (2 * j));
    put(n_.variance_remainder(), variance - (mantissa << (2 * j)));
    put(n_.reciprocal(), root), put(n_.shift(), shift);
    put(n_.shift_power(), (int64_t{1} << shift) + cheat_.power_error);
    scale(root, (int64_t{1} << shift) + cheat_.power_error);
    return true;
  }

  void scale(int64_t root, int64_t divisor) {
    for (uint64_t c = 0; c < n_.width(); ++c) {
      const int64_t by = divisor + ofTile(cheat_.tile_divisors, c);
      const int64_t u = s_.at(n_.shifted(), row_ * n_.width() + c);
      const int64_t scaled = (2 * u + coarse_ + ofTile(cheat_.tile_offsets, c)) *
                                 (root + ofTile(cheat_.tile_roots, c)) +
                             by / 2;
      const int64_t z = floorDivide(scaled, by);
      put(n_.out(), c, z), put(n_.remainder(), c, scaled - z * by);
    }
  }

  const Scene& s_;
  const WideLayerNorm& n_;
  const uint64_t row_;
  const WideNormCheat& cheat_;
  int64_t mean_ = 0, power_ = 1, coarse_ = 0;
};

bool forge(const Scene& s, uint64_t row, const WideNormCheat& cheat) {
  return ForgedRow(s, row, cheat).run();
}
uint64_t anyRow(const Scene& s) { return s.draws.below(s.step.wide_layer_norm().rows()); }
bool forge(const Scene& s, const WideNormCheat& cheat) { return forge(s, anyRow(s), cheat); }
int64_t rowShift(const Scene& s, uint64_t row) {
  return s.at(s.step.wide_layer_norm().row_shift(), row);
}

bool otherMean(const Scene& s) {
  return s.step.wide_layer_norm().has_mean() && forge(s, {.mean_error = s.draws.sign()});
}
bool meanInRmsNorm(const Scene& s) {
  return !s.step.wide_layer_norm().has_mean() && forge(s, {.mean = s.draws.sign()});
}
// n (mean + 2^k) - p for n = 2^(31-k) is n mean + 1: the sum of deviations is off by one, modulo p.
bool meanModuloP(const Scene& s) {
  const WideLayerNorm& n = s.step.wide_layer_norm();
  const uint64_t row = anyRow(s), width = n.width();
  if (!n.has_mean() || (width & (width - 1)) != 0) return false;
  const int64_t error = s.draws.sign() * ((int64_t{kModulus} + 1) / static_cast<int64_t>(width));
  WideNormCheat cheat{.mean_error = error};
  const int64_t mean = s.at(n.mean(), row) + error;
  int64_t e = 0;
  auto fits = [&](int64_t x) { return (x - mean) >> e >= -kLimit && (x - mean) >> e < kLimit; };
  for (uint64_t c = 0; c < width; ++c) {
    while (e <= n.row_shift_limit() && !fits(s.at(n.x(), row * width + c))) ++e;
  }
  cheat.row_shift_error = e - rowShift(s, row);
  return forge(s, row, cheat);
}
bool largerShift(const Scene& s) { return forge(s, {.row_shift_error = 1}); }
bool smallerShift(const Scene& s) { return forge(s, {.row_shift_error = -1}); }
bool elementCalledLarge(const Scene& s) {
  return forge(s, {.row_shift_error = 1, .calls_large = true});
}
bool otherRowPower(const Scene& s) {
  const uint64_t row = anyRow(s);
  return rowShift(s, row) > 0 && forge(s, row, {.row_power_error = -1});
}
bool otherOffset(const Scene& s) {
  const uint64_t row = anyRow(s);
  return rowShift(s, row) > 0 && forge(s, row, {.coarse_error = -1});
}
bool otherEpsilon(const Scene& s) { return forge(s, {.epsilon_error = s.draws.sign()}); }
bool shiftedOutOutOfRange(const Scene& s) {
  const uint64_t c = s.draws.below(s.step.wide_layer_norm().width());
  return forge(s, {.shifted_errors = {{c, s.draws.sign()}}, .remainders_make_up = true});
}
// The row's sum has room for an error of one.
bool shiftedOutOffByOne(const Scene& s) {
  const uint64_t row = anyRow(s);
  return rowShift(s, row) > 0 && forge(s, row, {.remainder_error = s.draws.sign()});
}
bool otherSquare(const Scene& s) { return forge(s, {.square_error = s.draws.sign()}); }
bool wrappedVariance(const Scene& s) { return forge(s, {.wrap_variance = true}); }
bool otherRoot(const Scene& s) { return forge(s, {.root_error = s.draws.sign()}); }
bool otherExponent(const Scene& s) { return forge(s, {.exponent_error = s.draws.sign()}); }
bool otherShift(const Scene& s) { return forge(s, {.shift_error = s.draws.sign()}); }
bool otherPower(const Scene& s) { return forge(s, {.power_error = -2}); }
bool varianceRemainderOutOfRange(const Scene& s) {
  return forge(s, {.mantissa_error = s.draws.sign()});
}

bool normalizedOffByOne(const Scene& s) { return forgeNormalized(s, s.step.wide_layer_norm()); }
bool normalizedRemainderOutOfRange(const Scene& s) {
  return forgeNormalizedRemainderOutOfRange(s, s.step.wide_layer_norm());
}
bool normalizedModuloP(const Scene& s) {
  return forgeNormalizedModuloP(s, s.step.wide_layer_norm());
}

// One tile of a token has another power of the row's shift, offset, root or divisor.
bool statisticsOfOneTile(const Scene& s) {
  const WideLayerNorm& n = s.step.wide_layer_norm();
  const uint64_t row = anyRow(s), which = s.draws.below(6);
  const uint32_t of[] = {n.row_power(),   n.coarse(), n.reciprocal(),
                         n.shift_power(), n.shift(),  n.row_shift()};
  const int64_t tile = anyTile(s, of[which], row);
  const int64_t errors[] = {-1, -1, s.draws.sign(), -2, 1, 1};
  if (tile < 0 || (which < 2 && rowShift(s, row) == 0)) return false;
  if (which == 3 && s.at(n.shift_power(), row) <= 2) return false;
  if (!changeCopy(s, of[which], row, static_cast<uint64_t>(tile), errors[which])) return false;
  // A larger shift alone widens the ranges of remainders, and nothing else follows.
  if (which > 3) return true;
  WideNormCheat cheat;
  std::vector<int64_t>* tiles[] = {&cheat.tile_powers, &cheat.tile_offsets, &cheat.tile_roots,
                                   &cheat.tile_divisors};
  tiles[which]->assign(static_cast<size_t>(tile) + 1, 0);
  tiles[which]->back() = errors[which];
  return forge(s, row, cheat);
}

bool meansOfTwoTiles(const Scene& s) {
  const WideLayerNorm& n = s.step.wide_layer_norm();
  const uint64_t row = anyRow(s);
  const std::vector<int64_t> means = changeMeansOfTwoTiles(s, n, row);
  return !means.empty() && forge(s, row, {.tile_means = means});
}

constexpr Step::KindCase kStep = Step::kWideLayerNorm;

constexpr Cheat kCheats[] = {
    {kStep,
     "another mean of a wide row",
     on<otherMean>,
     {"lookup wide_norm_statistics.mean low", "lookup wide_norm_statistics.mean high"}},
    {kStep, "a mean in wide RMSNorm", on<meanInRmsNorm>, {"constraint wide_norms.no mean"}},
    {kStep,
     "another mean modulo p",
     on<meanModuloP>,
     {"lookup wide_norm_statistics.sum of shifted"}},
    {kStep, "a larger row shift", on<largerShift>, {"lookup wide_norm_statistics.a large element"}},
    {kStep, "a smaller row shift", on<smallerShift>, {"lookup wide_norms.square"}},
    {kStep, "an element called large", on<elementCalledLarge>, {"lookup wide_norms.square"}},
    {kStep,
     "another power of the row shift",
     on<otherRowPower>,
     {"lookup wide_norm_statistics.row shift"}},
    {kStep, "no offset", on<otherOffset>, {"lookup wide_norm_statistics.row shift"}},
    {kStep, "another epsilon", on<otherEpsilon>, {"lookup wide_norm_statistics.row shift"}},
    {kStep, "shifted out of range", on<shiftedOutOutOfRange>, {"lookup wide_norms.shifted out"}},
    {kStep, "shifted out off by one", on<shiftedOutOffByOne>, {"constraint wide_norms.shift"}},
    {kStep, "another square of a wide row", on<otherSquare>, {"lookup wide_norms.square"}},
    {kStep,
     "a wide row's variance beyond p",
     on<wrappedVariance>,
     {"lookup wide_norm_statistics.root", "lookup wide_norm_statistics.mantissa"}},
    {kStep, "another root of a wide row", on<otherRoot>, {"lookup wide_norm_statistics.root"}},
    {kStep,
     "another exponent of a wide row",
     on<otherExponent>,
     {"lookup wide_norm_statistics.mantissa", "lookup wide_norm_statistics.power of four"}},
    {kStep, "another shift of a wide row", on<otherShift>, {"lookup wide_norm_statistics.root"}},
    {kStep,
     "another power of a wide row's shift",
     on<otherPower>,
     {"lookup wide_norm_statistics.power of two"}},
    {kStep,
     "remainder of a wide row's variance out of range",
     on<varianceRemainderOutOfRange>,
     {"lookup wide_norm_statistics.variance remainder"}},
    {kStep,
     "wide row's normalized value off by one",
     on<normalizedOffByOne>,
     {"constraint wide_norms.normalize"}},
    {kStep,
     "remainder of a wide row's normalized value out of range",
     on<normalizedRemainderOutOfRange>,
     {"lookup wide_norms.remainder"}},
    {kStep,
     "wide row's normalized value modulo p",
     on<normalizedModuloP>,
     {"lookup wide_norms.output"}},
    {kStep,
     "one tile of a wide row with other statistics",
     on<statisticsOfOneTile>,
     {"constraint wide_norms.one root per token", "constraint wide_norms.one power per token",
      "constraint wide_norms.one row power per token",
      "constraint wide_norms.one offset per token"}},
    {kStep,
     "two tiles of a wide row with other means",
     on<meansOfTwoTiles>,
     {"constraint wide_norms.one mean per token"}},
};

}  // namespace

absl::Span<const Cheat> wide_normsCheats() { return kCheats; }

}  // namespace lindero::runtime
