// Cheats of LayerNorm and RMSNorm.
#include <algorithm>
#include <vector>

#include "runtime/gadgets/norms/shared_cheats.h"
#include "runtime/tamper/forged_rows.h"
#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

bool forgeNorm(const Scene& s, const NormCheat& cheat) {
  const LayerNorm& n = s.step.layer_norm();
  return forgeNormRow(s.package, n, s.buffers, s.draws.below(n.rows()), cheat);
}

bool otherMean(const Scene& s) {
  if (!s.step.layer_norm().has_mean()) return false;
  return forgeNorm(s, {.mean_error = s.draws.sign()});
}
bool meanInRmsNorm(const Scene& s) {
  if (s.step.layer_norm().has_mean()) return false;
  return forgeNorm(s, {.mean = s.draws.sign()});
}
bool otherRoot(const Scene& s) { return forgeNorm(s, {.root_error = s.draws.sign()}); }
bool otherSquare(const Scene& s) {
  return forgeNorm(s, {.square_error = s.draws.sign(),
                       .square_element = s.draws.below(s.step.layer_norm().width())});
}
bool wrappedVariance(const Scene& s) { return forgeNorm(s, {.wrap_variance = true}); }
bool otherExponent(const Scene& s) { return forgeNorm(s, {.exponent_error = s.draws.sign()}); }
bool otherShift(const Scene& s) { return forgeNorm(s, {.shift_error = s.draws.sign()}); }
bool varianceRemainderOutOfRange(const Scene& s) {
  return forgeNorm(s, {.mantissa_error = s.draws.sign()});
}

bool normalizedOffByOne(const Scene& s) { return forgeNormalized(s, s.step.layer_norm()); }
bool normalizedRemainderOutOfRange(const Scene& s) {
  return forgeNormalizedRemainderOutOfRange(s, s.step.layer_norm());
}
bool normalizedModuloP(const Scene& s) { return forgeNormalizedModuloP(s, s.step.layer_norm()); }

bool otherPower(const Scene& s) { return forgeNorm(s, {.power_error = -2}); }

// One tile of a token has another root, shift or power of the shift. A smaller power leaves the
// remainders in their range.
bool statisticsOfOneTile(const Scene& s) {
  const LayerNorm& n = s.step.layer_norm();
  const uint64_t row = s.draws.below(n.rows()), which = s.draws.below(3);
  const uint32_t of[] = {n.reciprocal(), n.shift(), n.shift_power()};
  const int64_t error = which == 2 ? -2 : s.draws.sign();
  const int64_t tile = anyTile(s, of[which], row);
  if (tile < 0 || (which == 2 && s.at(n.shift_power(), row) <= 2)) return false;
  changeCopy(s, of[which], row, static_cast<uint64_t>(tile), error);
  const int64_t mean = s.at(n.mean(), row);
  const int64_t root = s.at(n.reciprocal(), row) + (which == 0 ? error : 0);
  const int64_t power = s.at(n.shift_power(), row) + (which == 2 ? error : 0);
  const uint64_t first = static_cast<uint64_t>(tile) * n.lanes();
  for (uint64_t c = first; c < std::min<uint64_t>(first + n.lanes(), n.width()); ++c) {
    const uint64_t e = row * n.width() + c;
    const int64_t scaled = (s.at(n.x(), e) - mean) * root + power / 2;
    const int64_t z = floorDivide(scaled, power);
    s.at(n.out(), e) = static_cast<int32_t>(z);
    s.at(n.remainder(), e) = static_cast<int32_t>(scaled - z * power);
  }
  return true;
}

bool meansOfTwoTiles(const Scene& s) {
  const LayerNorm& n = s.step.layer_norm();
  const uint64_t row = s.draws.below(n.rows());
  const std::vector<int64_t> means = changeMeansOfTwoTiles(s, n, row);
  return !means.empty() && forgeNormRow(s.package, n, s.buffers, row, {.tile_means = means});
}

constexpr Cheat kCheats[] = {
    {Step::kLayerNorm,
     "another mean",
     on<otherMean>,
     {"lookup norm_statistics.mean low", "lookup norm_statistics.mean high"}},
    {Step::kLayerNorm, "a mean in RMSNorm", on<meanInRmsNorm>, {"constraint norms.no mean"}},
    {Step::kLayerNorm, "another root", on<otherRoot>, {"lookup norm_statistics.root"}},
    {Step::kLayerNorm, "another square", on<otherSquare>, {"lookup norms.square"}},
    {Step::kLayerNorm,
     "a variance beyond p",
     on<wrappedVariance>,
     {"lookup norm_statistics.root", "lookup norm_statistics.mantissa"}},
    {Step::kLayerNorm,
     "another exponent",
     on<otherExponent>,
     {"lookup norm_statistics.mantissa", "lookup norm_statistics.power of four"}},
    {Step::kLayerNorm, "another shift", on<otherShift>, {"lookup norm_statistics.root"}},
    {Step::kLayerNorm,
     "another power of the shift",
     on<otherPower>,
     {"lookup norm_statistics.power of two"}},
    {Step::kLayerNorm,
     "variance's remainder out of range",
     on<varianceRemainderOutOfRange>,
     {"lookup norm_statistics.variance remainder"}},
    {Step::kLayerNorm,
     "normalized value off by one",
     on<normalizedOffByOne>,
     {"constraint norms.normalize"}},
    {Step::kLayerNorm,
     "normalized value's remainder out of range",
     on<normalizedRemainderOutOfRange>,
     {"lookup norms.remainder"}},
    {Step::kLayerNorm,
     "another normalized value modulo p",
     on<normalizedModuloP>,
     {"lookup norms.output"}},
    {Step::kLayerNorm,
     "one row tile with other statistics",
     on<statisticsOfOneTile>,
     {"constraint norms.one root per token", "constraint norms.one shift per token",
      "constraint norms.one power per token"}},
    {Step::kLayerNorm,
     "two row tiles with other means",
     on<meansOfTwoTiles>,
     {"constraint norms.one mean per token"}},
};

}  // namespace

absl::Span<const Cheat> normsCheats() { return kCheats; }

}  // namespace lindero::runtime
