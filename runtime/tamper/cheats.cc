#include "runtime/tamper/cheats.h"

#include <algorithm>
#include <iterator>

#include "runtime/field/m31.h"
#include "runtime/package/placement.h"
#include "runtime/tamper/forged_rows.h"

namespace lindero::runtime {
namespace {

struct Scene : CheatScene {
  explicit Scene(const CheatScene& scene) : CheatScene(scene) {}

  // A random element, or row.
  uint64_t any(uint32_t buffer) const { return draws.below(buffers.at(buffer).size()); }
  int32_t& at(uint32_t buffer, uint64_t element) const { return buffers.at(buffer)[element]; }
  void add(uint32_t buffer, uint64_t element, int64_t delta) const {
    int64_t sum = at(buffer, element) + delta;
    at(buffer, element) = static_cast<int32_t>(sum);
  }
};

// What Cheat::apply points to.
template <bool (*kApply)(const Scene&)>
bool on(const CheatScene& scene) {
  return kApply(Scene(scene));
}

// The cells that repeat an element, one for each block of its row; empty: it is not repeated.
std::vector<CellChange> copiesOf(const Scene& s, uint32_t buffer, uint64_t element) {
  for (const Placement& placement : s.package.program().placements()) {
    if (placement.buffer() != buffer || placement.lanes() != 1) continue;
    std::vector<CellChange> copies;
    forEachRun(placement, 0, s.buffers.at(buffer).size(), [&](const PlacementRun& run) {
      for (uint64_t i = 0; i < run.count; ++i) {
        if (run.value + i * static_cast<uint64_t>(run.value_stride) != element) continue;
        copies.push_back({placement.table(), placement.column(),
                          run.row + i * static_cast<uint64_t>(run.row_stride), 0});
      }
    });
    if (copies.size() < 2) continue;
    std::sort(copies.begin(), copies.end(),
              [](const CellChange& a, const CellChange& b) { return a.row < b.row; });
    return copies;
  }
  return {};
}

// Changes the cell of one block: `delta` is added there.
bool changeCopy(const Scene& s, uint32_t buffer, uint64_t element, uint64_t block, int64_t delta) {
  std::vector<CellChange> copies = copiesOf(s, buffer, element);
  if (block >= copies.size()) return false;
  copies[block].value = M31::fromSigned(s.at(buffer, element) + delta).value();
  s.cells.push_back(copies[block]);
  return true;
}

// A random block, or -1 when all that the row's blocks share stands in one cell.
int64_t anyBlock(const Scene& s, uint32_t buffer, uint64_t element) {
  const size_t blocks = copiesOf(s, buffer, element).size();
  return blocks == 0 ? -1 : static_cast<int64_t>(s.draws.below(blocks));
}

// Requantization ----------------------------------------------------------------------------------

bool remainderOutOfRange(const Scene& s) {
  const Requantize& r = s.step.requantize();
  const uint64_t e = s.any(r.quotient());
  const int64_t sign = s.draws.sign();
  s.add(r.quotient(), e, -sign);
  s.add(r.remainder(), e, sign * (int64_t{1} << r.shift()));
  return true;
}

// q 2^s + r = acc + p has the solution q + 2^(31-s), r - 1.
bool otherQuotientModuloP(const Scene& s) {
  const Requantize& r = s.step.requantize();
  const uint64_t e = s.any(r.quotient());
  const int64_t sign = s.draws.sign(), remainder = s.at(r.remainder(), e) - sign;
  if (remainder < 0 || remainder >= int64_t{1} << r.shift()) return false;
  s.add(r.quotient(), e, sign * (int64_t{1} << (31 - r.shift())));
  s.at(r.remainder(), e) = static_cast<int32_t>(remainder);
  return true;
}

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

// Embedding ---------------------------------------------------------------------------------------

bool rowOfAnotherToken(const Scene& s) {
  const GatherRows& g = s.step.gather_rows();
  const uint64_t tokens = s.buffers.at(g.ids()).size();
  const uint64_t a = s.draws.below(tokens), b = s.draws.below(tokens);
  if (s.at(g.ids(), a) == s.at(g.ids(), b)) return false;
  for (uint64_t c = 0; c < g.width(); ++c) {
    int64_t row = s.at(g.out(), b * g.width() + c);
    if (g.has_addend()) {
      row += s.at(g.addend(), a * g.width() + c) - s.at(g.addend(), b * g.width() + c);
    }
    s.at(g.out(), a * g.width() + c) = static_cast<int32_t>(row);
  }
  return true;
}

// Tables ------------------------------------------------------------------------------------------

bool valueOfAnotherKey(const Scene& s) {
  const TableLookup& l = s.step.table_lookup();
  const uint64_t e = s.any(l.out());
  const uint64_t row = l.first_row() + s.draws.below(l.rows());
  s.at(l.out(), e) = static_cast<int32_t>(
      M31::fromCanonical(s.package.fixedColumn(l.table(), l.column())[row]).centered());
  return true;
}

// LayerNorm ---------------------------------------------------------------------------------------

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

bool normalizedOffByOne(const Scene& s) {
  const LayerNorm& n = s.step.layer_norm();
  s.add(n.out(), s.any(n.out()), s.draws.sign());
  return true;
}

bool normalizedRemainderOutOfRange(const Scene& s) {
  const LayerNorm& n = s.step.layer_norm();
  const uint64_t e = s.any(n.out());
  const int64_t sign = s.draws.sign();
  s.add(n.out(), e, sign);
  s.add(n.remainder(), e, -sign * s.at(n.shift_power(), e / n.width()));
  return true;
}

// z 2^t + r = d R + 2^(t-1) + p
bool normalizedModuloP(const Scene& s) {
  const LayerNorm& n = s.step.layer_norm();
  const uint64_t e = s.any(n.out());
  const int64_t power = s.at(n.shift_power(), e / n.width());
  const int64_t sum =
      s.at(n.out(), e) * power + s.at(n.remainder(), e) + s.draws.sign() * int64_t{kModulus};
  s.at(n.out(), e) = static_cast<int32_t>(sum >= 0 ? sum / power : -((power - 1 - sum) / power));
  s.at(n.remainder(), e) = static_cast<int32_t>(sum - s.at(n.out(), e) * power);
  return true;
}

bool otherPower(const Scene& s) { return forgeNorm(s, {.power_error = -2}); }

// One block of a token has another root, shift or power of the shift. A smaller power leaves the
// remainders in their range.
bool statisticsOfOneBlock(const Scene& s) {
  const LayerNorm& n = s.step.layer_norm();
  const uint64_t row = s.draws.below(n.rows()), which = s.draws.below(3);
  const uint32_t of[] = {n.reciprocal(), n.shift(), n.shift_power()};
  const int64_t error = which == 2 ? -2 : s.draws.sign();
  const int64_t block = anyBlock(s, of[which], row);
  if (block < 0 || (which == 2 && s.at(n.shift_power(), row) <= 2)) return false;
  changeCopy(s, of[which], row, static_cast<uint64_t>(block), error);
  const int64_t mean = s.at(n.mean(), row);
  const int64_t root = s.at(n.reciprocal(), row) + (which == 0 ? error : 0);
  const int64_t power = s.at(n.shift_power(), row) + (which == 2 ? error : 0);
  const uint64_t first = static_cast<uint64_t>(block) * n.lanes();
  for (uint64_t c = first; c < std::min<uint64_t>(first + n.lanes(), n.width()); ++c) {
    const uint64_t e = row * n.width() + c;
    const int64_t scaled = (s.at(n.x(), e) - mean) * root + power / 2;
    const int64_t z = scaled / power - (scaled % power < 0 ? 1 : 0);
    s.at(n.out(), e) = static_cast<int32_t>(z);
    s.at(n.remainder(), e) = static_cast<int32_t>(scaled - z * power);
  }
  return true;
}

// Two blocks of a token have means that are wrong by +1 and by -1: the deviations' sum is right.
bool meansOfTwoBlocks(const Scene& s) {
  const LayerNorm& n = s.step.layer_norm();
  const uint64_t row = s.draws.below(n.rows());
  const int64_t one = anyBlock(s, n.mean(), row), other = anyBlock(s, n.mean(), row);
  if (!n.has_mean() || one < 0 || one == other) return false;
  NormCheat cheat;
  cheat.block_means.resize(static_cast<size_t>(std::max(one, other)) + 1);
  cheat.block_means[one] = 1;
  cheat.block_means[other] = -1;
  changeCopy(s, n.mean(), row, static_cast<uint64_t>(one), 1);
  changeCopy(s, n.mean(), row, static_cast<uint64_t>(other), -1);
  return forgeNormRow(s.package, n, s.buffers, row, cheat);
}

// Softmax -----------------------------------------------------------------------------------------

uint64_t anyRow(const Scene& s, const Softmax& m) { return s.draws.below(m.heads() * m.queries()); }
// A score of the row that counts.
uint64_t anyScore(const Scene& s, const Softmax& m, uint64_t row) {
  const std::vector<uint64_t> open = elementsOf(m, s.buffers, row, Attended::kOpen);
  return open[s.draws.below(open.size())];
}

bool otherNormalizer(const Scene& s) {
  const Softmax& m = s.step.softmax();
  forgeSoftmaxRow(s.package, m, s.buffers, anyRow(s, m), s.draws.sign());
  return true;
}

// (L - k) 2^s - r = S + p has the solution L + 2^(31-s), r + 1, with the same keys.
bool normalizerModuloP(const Scene& s) {
  const Softmax& m = s.step.softmax();
  const uint64_t row = anyRow(s, m);
  const int64_t sign = s.draws.sign(), step = int64_t{1} << (31 - m.score_shift());
  if (step < 65536) {
    s.add(m.normalizer_low_limb(), row, sign * step);
  } else {
    s.add(m.normalizer_high_limb(), row, sign * (step >> 16));
  }
  for (uint64_t e : elementsOf(m, s.buffers, row, Attended::kOpen)) s.add(m.remainder(), e, sign);
  return true;
}

// L's limbs, with the same L.
bool normalizerLimbs(const Scene& s) {
  const Softmax& m = s.step.softmax();
  const uint64_t row = anyRow(s, m);
  const int64_t sign = s.draws.sign();
  s.add(m.normalizer_low_limb(), row, sign * 65536);
  s.add(m.normalizer_high_limb(), row, -sign);
  return true;
}

bool keyModuloP(const Scene& s) {
  const Softmax& m = s.step.softmax();
  const uint64_t e = anyScore(s, m, anyRow(s, m));
  const int64_t sign = s.draws.sign();
  s.add(m.key(), e, sign * (int64_t{1} << (31 - m.score_shift())));
  s.add(m.remainder(), e, -sign);
  return true;
}

// Another row of the table of exponentials, and the remainder or the probability that goes with it.
bool otherExponential(const Scene& s) {
  const Softmax& m = s.step.softmax();
  const uint64_t row = anyRow(s, m), e = anyScore(s, m, row);
  const int64_t key = s.at(m.key(), e) + s.draws.sign();
  if (key < 0 || key >= m.live_rows() || s.at(m.width(), e) != 0) return false;
  auto entry = [&](uint32_t column) {
    return static_cast<int32_t>(
        M31::fromCanonical(
            s.package.fixedColumn(m.exp_table(), m.exp_column() + column)[m.exp_first_row() + key])
            .centered());
  };
  const uint64_t which = s.draws.below(3);
  if (which != 1) s.at(m.probability(), e) = entry(2);
  if (which != 2) s.at(m.previous_probability(), e) = entry(3);
  if (which == 0) {
    s.add(m.remainder(), e, (s.at(m.key(), e) - key) * (int64_t{1} << m.score_shift()));
    s.at(m.key(), e) = static_cast<int32_t>(key);
  }
  sumSoftmaxRow(m, s.buffers, row);
  return true;
}

// What a masked score has no part in.
bool maskedScoreCounts(const Scene& s) {
  const Softmax& m = s.step.softmax();
  const uint64_t row = anyRow(s, m);
  const std::vector<uint64_t> masked = elementsOf(m, s.buffers, row, Attended::kMasked);
  if (masked.empty()) return false;
  const uint64_t e = masked[s.draws.below(masked.size())];
  const uint32_t of[] = {m.probability(), m.previous_probability(), m.width(), m.remainder()};
  s.add(of[s.draws.below(4)], e, s.draws.sign());
  sumSoftmaxRow(m, s.buffers, row);
  return true;
}

// What a key of a block that has not been has no part in.
bool closedScoreCounts(const Scene& s) {
  const Softmax& m = s.step.softmax();
  const std::vector<uint64_t> closed = elementsOf(m, s.buffers, anyRow(s, m), Attended::kClosed);
  if (closed.empty()) return false;
  const uint64_t e = closed[s.draws.below(closed.size())];
  if (s.draws.below(2) == 0) {
    s.add(m.remainder(), e, s.draws.sign());
  } else {
    attendClosedKey(s.package, m, s.buffers, e);
  }
  return true;
}

// One block of a row has another L.
bool normalizerOfOneBlock(const Scene& s) {
  const Softmax& m = s.step.softmax();
  const uint64_t row = anyRow(s, m);
  const bool high = s.draws.below(2) == 0;
  const uint32_t limb = high ? m.normalizer_high_limb() : m.normalizer_low_limb();
  const int64_t sign = s.draws.sign(), block = anyBlock(s, limb, row);
  if (block < 0) return false;
  changeCopy(s, limb, row, static_cast<uint64_t>(block), sign);
  const uint64_t first = static_cast<uint64_t>(block) * m.lanes();
  forgeSoftmaxScores(s.package, m, s.buffers, row, first, first + m.lanes(),
                     sign * (high ? 65536 : 1));
  return true;
}

// Argmax ------------------------------------------------------------------------------------------

bool chooseWith(const Scene& s, uint64_t row, int64_t chosen, int64_t maximum) {
  forgeArgmaxRow(s.step.argmax(), s.buffers, row, chosen, maximum);
  return true;
}

bool maximumNotAttained(const Scene& s) {
  const Argmax& a = s.step.argmax();
  const uint64_t row = s.draws.below(a.rows());
  return chooseWith(s, row, s.at(a.index(), row), s.at(a.maximum(), row) + 1);
}
bool maximumNotMaximal(const Scene& s) {
  const Argmax& a = s.step.argmax();
  const uint64_t row = s.draws.below(a.rows());
  const uint64_t chosen = s.draws.below(a.width());
  return chooseWith(s, row, static_cast<int64_t>(chosen),
                    s.at(a.values(), row * a.width() + chosen));
}
bool nothingChosen(const Scene& s) {
  const Argmax& a = s.step.argmax();
  const uint64_t row = s.draws.below(a.rows());
  const int64_t entries = (a.width() + a.lanes() - 1) / a.lanes() * a.lanes();
  return chooseWith(s, row, entries, s.at(a.maximum(), row) + 1);
}

// The gap in other limbs.
bool gapLimbs(const Scene& s) {
  const Argmax& a = s.step.argmax();
  const uint64_t e = s.any(a.low());
  const int64_t sign = s.draws.sign();
  s.add(a.low(), e, sign << 15);
  s.add(a.high(), e, -sign);
  return true;
}

// An entry counts, or does not, and its gap stays the same.
bool otherCount(const Scene& s) {
  const Argmax& a = s.step.argmax();
  const uint64_t e = s.any(a.before());
  const uint64_t width = a.lanes() * ((a.width() + a.lanes() - 1) / a.lanes());
  const uint64_t row = e / width, blocks = width / a.lanes();
  const int64_t error = s.at(a.before(), e) == 1 ? -1 : s.draws.sign();
  s.add(a.before(), e, error);
  s.add(a.low(), e, -error);
  for (uint64_t b = e % width / a.lanes(); b < blocks; ++b) {
    s.add(a.index_sums(), row * blocks + b, error);
  }
  return true;
}

// From the first maximum to the next one, entries count -1: the index is lower by that.
bool countOfMinusOne(const Scene& s) {
  const Argmax& a = s.step.argmax();
  const uint64_t row = s.draws.below(a.rows()), blocks = (a.width() + a.lanes() - 1) / a.lanes();
  const auto first = static_cast<uint64_t>(s.at(a.index(), row));
  uint64_t next = first + 1;
  while (next < a.width() && s.at(a.values(), row * a.width() + next) != s.at(a.maximum(), row)) {
    ++next;
  }
  if (next >= a.width() || 2 * first < next) return false;
  int64_t sum = s.at(a.index(), row);
  for (uint64_t c = first; c < blocks * a.lanes(); ++c) {
    const uint64_t e = row * blocks * a.lanes() + c;
    if (c < next) {
      const int64_t gap = (int64_t{s.at(a.high(), e)} << 15) + s.at(a.low(), e) + 1;
      s.at(a.before(), e) = -1;
      s.at(a.high(), e) = static_cast<int32_t>(gap >> 15);
      s.at(a.low(), e) = static_cast<int32_t>(gap & 0x7fff);
      --sum;
    }
    s.at(a.index_sums(), row * blocks + c / a.lanes()) = static_cast<int32_t>(sum);
  }
  s.at(a.index(), row) = static_cast<int32_t>(sum);
  return true;
}

bool otherIndex(const Scene& s) {
  const Argmax& a = s.step.argmax();
  const uint64_t row = s.draws.below(a.rows());
  const uint64_t blocks = (a.width() + a.lanes() - 1) / a.lanes();
  const int64_t error = s.at(a.index(), row) == 0 ? 1 : -1;
  s.add(a.index(), row, error);
  s.add(a.index_sums(), row * blocks + blocks - 1, error);
  return true;
}

// One block of a row compares with another maximum.
bool maximumOfOneBlock(const Scene& s) {
  const Argmax& a = s.step.argmax();
  const uint64_t row = s.draws.below(a.rows()), lanes = a.lanes();
  const int64_t block = anyBlock(s, a.maximum(), row);
  if (block < 0) return false;
  changeCopy(s, a.maximum(), row, static_cast<uint64_t>(block), 1);
  const uint64_t width = (a.width() + lanes - 1) / lanes * lanes;
  for (uint64_t i = 0; i < lanes; ++i) {
    const uint64_t e = row * width + static_cast<uint64_t>(block) * lanes + i;
    const int64_t gap = (int64_t{s.at(a.high(), e)} << 15) + s.at(a.low(), e) + 1;
    s.at(a.high(), e) = static_cast<int32_t>(gap >> 15);
    s.at(a.low(), e) = static_cast<int32_t>(gap & 0x7fff);
  }
  return true;
}

constexpr Cheat kCheats[] = {
    {Step::kRequantize,
     "remainder out of range",
     on<remainderOutOfRange>,
     {"lookup results.remainder"}},
    {Step::kRequantize,
     "another quotient modulo p",
     on<otherQuotientModuloP>,
     {"lookup results.function"}},
    {Step::kRequantize, "a token's stream modulo p", on<shiftedStream>},
    {Step::kGatherRows, "row of another token", on<rowOfAnotherToken>, {"lookup embeddings.row"}},
    {Step::kTableLookup,
     "value of another key",
     on<valueOfAnotherKey>,
     {"lookup results.function"}},
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
     "one block with other statistics",
     on<statisticsOfOneBlock>,
     {"constraint norms.one root per token", "constraint norms.one shift per token",
      "constraint norms.one power per token"}},
    {Step::kLayerNorm,
     "two blocks with other means",
     on<meansOfTwoBlocks>,
     {"constraint norms.one mean per token"}},
    {Step::kSoftmax,
     "another log-sum-exp",
     on<otherNormalizer>,
     {"lookup softmax.mass", "lookup softmax.mass one step before"}},
    {Step::kSoftmax,
     "another log-sum-exp modulo p",
     on<normalizerModuloP>,
     {"lookup softmax.normalizer low", "lookup softmax.normalizer high"}},
    {Step::kSoftmax,
     "other limbs of the log-sum-exp",
     on<normalizerLimbs>,
     {"lookup softmax.normalizer low"}},
    {Step::kSoftmax, "another key modulo p", on<keyModuloP>, {"lookup softmax.exponential"}},
    {Step::kSoftmax,
     "probability of another key",
     on<otherExponential>,
     {"lookup softmax.exponential", "lookup softmax.score remainder"}},
    {Step::kSoftmax,
     "a masked score that counts",
     on<maskedScoreCounts>,
     {"constraint softmax.masked probability", "constraint softmax.masked previous probability",
      "constraint softmax.masked width", "constraint softmax.masked remainder"}},
    // The rules of blocks are shown by name (tests/soundness/carry_test.cc).
    {Step::kSoftmax, "a closed score that counts", on<closedScoreCounts>},
    {Step::kSoftmax,
     "one block with another log-sum-exp",
     on<normalizerOfOneBlock>,
     {"constraint softmax.one normalizer per query, low",
      "constraint softmax.one normalizer per query, high"}},
    {Step::kArgmax,
     "a maximum that is not attained",
     on<maximumNotAttained>,
     {"constraint argmax.the maximum is attained"}},
    {Step::kArgmax, "a choice that is not maximal", on<maximumNotMaximal>, {"lookup argmax.high"}},
    {Step::kArgmax, "nothing chosen", on<nothingChosen>},
    {Step::kArgmax, "other limbs of the gap", on<gapLimbs>, {"lookup argmax.low"}},
    {Step::kArgmax,
     "an entry that counts otherwise",
     on<otherCount>,
     {"constraint argmax.before is a bit"}},
    {Step::kArgmax,
     "a count of minus one between two maxima",
     on<countOfMinusOne>,
     {"constraint argmax.before is a bit"}},
    {Step::kArgmax, "another index", on<otherIndex>, {"constraint argmax.index of the chosen"}},
    {Step::kArgmax,
     "one block with another maximum",
     on<maximumOfOneBlock>,
     {"constraint argmax.one maximum per token"}},
};

}  // namespace

bool Cheat::aimsAt(const std::string& family) const {
  return std::any_of(std::begin(aims), std::end(aims),
                     [&](const char* aim) { return aim != nullptr && family == aim; });
}

absl::Span<const Cheat> cheats() { return kCheats; }

std::string cheat(const CheatScene& scene) {
  std::vector<const Cheat*> fitting;
  for (const Cheat& cheat : kCheats) {
    if (cheat.kind == scene.step.kind_case()) fitting.push_back(&cheat);
  }
  if (fitting.empty()) return "";
  const Cheat& chosen = *fitting[scene.draws.below(fitting.size())];
  return chosen.apply(scene) ? chosen.name : "";
}

}  // namespace lindero::runtime
