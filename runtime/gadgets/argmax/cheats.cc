// Cheats of argmax.
#include "runtime/tamper/forged_rows.h"
#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

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
  const uint64_t row = e / width, row_tiles = width / a.lanes();
  const int64_t error = s.at(a.before(), e) == 1 ? -1 : s.draws.sign();
  s.add(a.before(), e, error);
  s.add(a.low(), e, -error);
  for (uint64_t b = e % width / a.lanes(); b < row_tiles; ++b) {
    s.add(a.index_sums(), row * row_tiles + b, error);
  }
  return true;
}

// From the first maximum to the next one, entries count -1: the index is lower by that.
bool countOfMinusOne(const Scene& s) {
  const Argmax& a = s.step.argmax();
  const uint64_t row = s.draws.below(a.rows()), row_tiles = (a.width() + a.lanes() - 1) / a.lanes();
  const auto first = static_cast<uint64_t>(s.at(a.index(), row));
  uint64_t next = first + 1;
  while (next < a.width() && s.at(a.values(), row * a.width() + next) != s.at(a.maximum(), row)) {
    ++next;
  }
  if (next >= a.width() || 2 * first < next) return false;
  int64_t sum = s.at(a.index(), row);
  for (uint64_t c = first; c < row_tiles * a.lanes(); ++c) {
    const uint64_t e = row * row_tiles * a.lanes() + c;
    if (c < next) {
      const int64_t gap = (int64_t{s.at(a.high(), e)} << 15) + s.at(a.low(), e) + 1;
      s.at(a.before(), e) = -1;
      s.at(a.high(), e) = static_cast<int32_t>(gap >> 15);
      s.at(a.low(), e) = static_cast<int32_t>(gap & 0x7fff);
      --sum;
    }
    s.at(a.index_sums(), row * row_tiles + c / a.lanes()) = static_cast<int32_t>(sum);
  }
  s.at(a.index(), row) = static_cast<int32_t>(sum);
  return true;
}

bool otherIndex(const Scene& s) {
  const Argmax& a = s.step.argmax();
  const uint64_t row = s.draws.below(a.rows());
  const uint64_t row_tiles = (a.width() + a.lanes() - 1) / a.lanes();
  const int64_t error = s.at(a.index(), row) == 0 ? 1 : -1;
  s.add(a.index(), row, error);
  s.add(a.index_sums(), row * row_tiles + row_tiles - 1, error);
  return true;
}

// One tile of a row compares with another maximum.
bool maximumOfOneTile(const Scene& s) {
  const Argmax& a = s.step.argmax();
  const uint64_t row = s.draws.below(a.rows()), lanes = a.lanes();
  const int64_t tile = anyTile(s, a.maximum(), row);
  if (tile < 0) return false;
  changeCopy(s, a.maximum(), row, static_cast<uint64_t>(tile), 1);
  const uint64_t width = (a.width() + lanes - 1) / lanes * lanes;
  for (uint64_t i = 0; i < lanes; ++i) {
    const uint64_t e = row * width + static_cast<uint64_t>(tile) * lanes + i;
    const int64_t gap = (int64_t{s.at(a.high(), e)} << 15) + s.at(a.low(), e) + 1;
    s.at(a.high(), e) = static_cast<int32_t>(gap >> 15);
    s.at(a.low(), e) = static_cast<int32_t>(gap & 0x7fff);
  }
  return true;
}

constexpr Cheat kCheats[] = {
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
     "one row tile with another maximum",
     on<maximumOfOneTile>,
     {"constraint argmax.one maximum per token"}},
};

}  // namespace

absl::Span<const Cheat> argmaxCheats() { return kCheats; }

}  // namespace lindero::runtime
