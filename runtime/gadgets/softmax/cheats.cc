// Cheats of softmax.
#include "runtime/field/m31.h"
#include "runtime/tamper/forged_rows.h"
#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

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

// (L - k) 2^s - r = S + p has the solution L + 2^(31-s), r + 1, with the same bins.
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

bool binModuloP(const Scene& s) {
  const Softmax& m = s.step.softmax();
  const uint64_t e = anyScore(s, m, anyRow(s, m));
  const int64_t sign = s.draws.sign();
  s.add(m.bin(), e, sign * (int64_t{1} << (31 - m.score_shift())));
  s.add(m.remainder(), e, -sign);
  return true;
}

// Another row of the table of exponentials, and the remainder or the probability that goes with it.
bool otherExponential(const Scene& s) {
  const Softmax& m = s.step.softmax();
  const uint64_t row = anyRow(s, m), e = anyScore(s, m, row);
  const int64_t bin = s.at(m.bin(), e) + s.draws.sign();
  if (bin < 0 || bin >= m.live_rows() || s.at(m.width(), e) != 0) return false;
  auto entry = [&](uint32_t column) {
    return static_cast<int32_t>(
        M31::fromCanonical(
            s.package.fixedColumn(m.exp_table(), m.exp_column() + column)[m.exp_first_row() + bin])
            .centered());
  };
  const uint64_t which = s.draws.below(3);
  if (which != 1) s.at(m.probability(), e) = entry(2);
  if (which != 2) s.at(m.previous_probability(), e) = entry(3);
  if (which == 0) {
    s.add(m.remainder(), e, (s.at(m.bin(), e) - bin) * (int64_t{1} << m.score_shift()));
    s.at(m.bin(), e) = static_cast<int32_t>(bin);
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

// What a key of a window that has not been has no part in.
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

// One tile of a row has another L.
bool normalizerOfOneTile(const Scene& s) {
  const Softmax& m = s.step.softmax();
  const uint64_t row = anyRow(s, m);
  const bool high = s.draws.below(2) == 0;
  const uint32_t limb = high ? m.normalizer_high_limb() : m.normalizer_low_limb();
  const int64_t sign = s.draws.sign(), tile = anyTile(s, limb, row);
  if (tile < 0) return false;
  changeCopy(s, limb, row, static_cast<uint64_t>(tile), sign);
  const uint64_t first = static_cast<uint64_t>(tile) * m.lanes();
  forgeSoftmaxScores(s.package, m, s.buffers, row, first, first + m.lanes(),
                     sign * (high ? 65536 : 1));
  return true;
}

constexpr Cheat kCheats[] = {
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
    {Step::kSoftmax, "another bin modulo p", on<binModuloP>, {"lookup softmax.exponential"}},
    {Step::kSoftmax,
     "probability of another bin",
     on<otherExponential>,
     {"lookup softmax.exponential", "lookup softmax.score remainder"}},
    {Step::kSoftmax,
     "a masked score that counts",
     on<maskedScoreCounts>,
     {"constraint softmax.masked probability", "constraint softmax.masked previous probability",
      "constraint softmax.masked width", "constraint softmax.masked remainder"}},
    // The rules of windows are shown by name (tests/soundness/carry_test.cc).
    {Step::kSoftmax, "a closed score that counts", on<closedScoreCounts>},
    {Step::kSoftmax,
     "one row tile with another log-sum-exp",
     on<normalizerOfOneTile>,
     {"constraint softmax.one normalizer per query, low",
      "constraint softmax.one normalizer per query, high"}},
};

}  // namespace

absl::Span<const Cheat> softmaxCheats() { return kCheats; }

}  // namespace lindero::runtime
