#include "passes/quantize/tables.h"

#include <mpfr.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ir/core/field.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "passes/quantize/enclosure.h"

namespace lindero::passes {
namespace {

constexpr mpfr_prec_t kFirstPrecision = 128;
constexpr mpfr_prec_t kLastPrecision = 8192;

// Sets its argument to a value with a relative error below 2^(16 - precision), or an absolute one
// below that.
using Formula = llvm::function_ref<void(mpfr_ptr)>;

// floor(value + 1/2) for the exact value of the formula: the precision grows until both ends of the
// error interval agree.
int64_t roundHalfUp(Formula formula) {
  for (mpfr_prec_t precision = kFirstPrecision;; precision *= 2) {
    Real value(precision), error(precision), low(precision), high(precision);
    formula(value);
    mpfr_abs(error, value, MPFR_RNDU);
    mpfr_add_ui(error, error, 1, MPFR_RNDU);
    mpfr_mul_2si(error, error, 16 - precision, MPFR_RNDU);
    mpfr_add_d(value, value, 0.5, MPFR_RNDN);
    mpfr_sub(low, value, error, MPFR_RNDD);
    mpfr_add(high, value, error, MPFR_RNDU);
    const int64_t rounded = mpfr_get_si(high, MPFR_RNDD);
    // Undecided at the last precision: the value is a half.
    if (mpfr_get_si(low, MPFR_RNDD) == rounded || precision >= kLastPrecision) return rounded;
  }
}

// One key in nats, correctly to the precision of `unit`.
void setUnit(mpfr_ptr unit, int exponent, ScoreScale scale) {
  if (scale.head_width > 0) {
    mpfr_set_si(unit, scale.head_width, MPFR_RNDN);
    mpfr_rec_sqrt(unit, unit, MPFR_RNDN);
  } else {
    mpfr_set_d(unit, scale.value, MPFR_RNDN);
  }
  mpfr_mul_2si(unit, unit, exponent, MPFR_RNDN);
}

int64_t expEntry(int64_t k, int probability_bits, int unit_exponent, ScoreScale scale) {
  return roundHalfUp([&](mpfr_ptr value) {
    setUnit(value, unit_exponent, scale);
    mpfr_mul_si(value, value, -k, MPFR_RNDN);
    mpfr_exp(value, value, MPFR_RNDN);
    mpfr_mul_2si(value, value, probability_bits, MPFR_RNDN);
  });
}

// ceil(ln(base) * factor / u0)
int64_t keysPerLog(int64_t base, int64_t factor, int unit_exponent, ScoreScale scale) {
  Real value(kFirstPrecision), unit(kFirstPrecision);
  setUnit(unit, unit_exponent, scale);
  mpfr_set_si(value, base, MPFR_RNDN);
  mpfr_log(value, value, MPFR_RNDN);
  mpfr_mul_si(value, value, factor, MPFR_RNDN);
  mpfr_div(value, value, unit, MPFR_RNDN);
  return mpfr_get_si(value, MPFR_RNDU);
}

int bitLength(int64_t value) {
  int bits = 0;
  for (; value > 0; value >>= 1) ++bits;
  return bits;
}

int64_t ceilShift(int64_t value, int shift) { return -((-value) >> shift); }

// Fills the ranges of L and of the distances for rows of at most `keys` scores within the bound.
absl::Status planRanges(int64_t bound, int64_t keys, int64_t slack, int probability_bits,
                        ExponentialTable& table) {
  const int s = table.score_shift;
  const int64_t half = int64_t{1} << (s - 1), live_keys = static_cast<int64_t>(table.exp.size());
  table.normalizer_low = -((bound + half) >> s) - 2;
  table.normalizer_bits = bitLength(2 * std::abs(table.normalizer_low) + slack);
  const int64_t live = live_keys << s;
  const int64_t beyond = std::max<int64_t>(0, 2 * bound + ((slack + 2) << s) - live);
  table.dead_width = 0;
  while ((beyond >> (s + table.dead_width)) > 65535 - live_keys) {
    if (s + ++table.dead_width > 16) {
      return absl::InvalidArgumentError(absl::StrCat(
          "scores up to ", bound, " need more rows than the exponential table can have"));
    }
  }
  table.dead_rows = ceilShift(beyond, s + table.dead_width);
  const int64_t first = table.normalizer_low;
  const int64_t last = first + (int64_t{1} << table.normalizer_bits) - 1;
  const int64_t distances = live + (table.dead_rows << (s + table.dead_width));
  const int64_t lowest = (first << s) + half - bound, highest = (last << s) + half + bound;
  if (std::max(highest, distances - 1 - lowest) >= ir::kFieldModulus) {
    return absl::InvalidArgumentError(absl::StrCat(
        "scores up to ", bound,
        " leave the interval in which the normalizer is unique; use fewer bits for Q and K"));
  }
  if (keys * table.exp_at_minus_one >= int64_t{1} << 30) {
    return absl::InvalidArgumentError(absl::StrCat(keys, " keys at ", probability_bits,
                                                   " probability bits sum up to 2^30 or more"));
  }
  return absl::OkStatus();
}

// The largest e with 4^e <= numerator / denominator (both positive).
int floorLog4(unsigned __int128 numerator, unsigned __int128 denominator) {
  int e = 0;
  while (numerator >= 4 * denominator) {
    denominator *= 4;
    ++e;
  }
  while (numerator < denominator) {
    numerator *= 4;
    --e;
  }
  return e;
}

uint64_t integerRoot(unsigned __int128 value) {
  uint64_t low = 0, high = uint64_t{1} << 40;  // root of 2^80: far above any R
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (static_cast<unsigned __int128>(middle) * middle <= value ? low : high) = middle;
  }
  return low;
}

// c^2 = 2^(2 * output_exponent - square_shift) * width / k as a fraction.
struct SquaredRoot {
  unsigned __int128 numerator, denominator;

  SquaredRoot(int64_t width, int exponent, int64_t m) {
    const bool interval = m >= 16384;
    numerator = static_cast<unsigned __int128>(width) * (interval ? 2 : 1);
    denominator = interval ? 2 * m + 1 : std::max<int64_t>(m, 1);
    (exponent >= 0 ? numerator : denominator) <<= std::abs(exponent);
  }
  int floorLog2() const { return floorLog4(numerator, denominator); }
  // round(c * 2^t), halves up: floor((floor(sqrt(4 c^2 4^t)) + 1) / 2).
  int64_t scaled(int t) const {
    return static_cast<int64_t>((integerRoot((numerator << (2 * t + 2)) / denominator) + 1) / 2);
  }
};

}  // namespace

ScoreScale ScoreScale::fromModel(double scale, int64_t head_width) {
  const double root = 1.0 / std::sqrt(static_cast<double>(head_width));
  if (scale == root) return {root, head_width};
  return {scale, 0};
}

absl::StatusOr<FunctionTable> functionTable(const ir::tensor::Expression& function, int key_bits,
                                            int key_exponent, int output_bits,
                                            int output_exponent) {
  constexpr size_t kLeastKeys = 16;
  if (key_bits < 2 || key_bits > 16 || output_bits < 2 || output_bits > 16) {
    return absl::InvalidArgumentError(absl::StrCat("a table of ", key_bits, "-bit keys and ",
                                                   output_bits,
                                                   "-bit values; 2 to 16 are possible"));
  }
  const int64_t limit = (int64_t{1} << (output_bits - 1)) - 1, end = int64_t{1} << (key_bits - 1);
  absl::Status missing =
      absl::InvalidArgumentError(absl::StrCat("its values do not fit ", output_bits, " bits"));
  FunctionTable best, run;
  Rounder rounder(function);
  for (int64_t u = -end; u <= end; ++u) {
    absl::StatusOr<int64_t> entry = limit + 2;  // of no key: ends a run
    if (u < end) entry = rounder.round(u, key_exponent, output_exponent);
    if (!entry.ok() && !absl::IsUnimplemented(entry.status())) return entry.status();
    if (!entry.ok()) missing = entry.status();
    // One beyond the limit is a rounding.
    if (entry.ok() && -limit - 1 <= *entry && *entry <= limit + 1) {
      if (run.entries.empty()) run.low = u;
      run.entries.push_back(static_cast<int32_t>(std::clamp(*entry, -limit, limit)));
      continue;
    }
    if (run.entries.size() + 1 >= best.entries.size()) best = std::move(run);
    run = {};
  }
  if (best.entries.size() < std::min(kLeastKeys, static_cast<size_t>(2 * end))) return missing;
  return best;
}

int scoreShift(int score_exponent, ScoreScale scale) {
  int root;  // scale <= 2^-root, the largest
  if (scale.head_width > 0) {
    root = floorLog4(static_cast<unsigned __int128>(scale.head_width), 1);
  } else {
    int exponent = 0;
    const double fraction = std::frexp(scale.value, &exponent);
    root = fraction == 0.5 ? 1 - exponent : -exponent;
  }
  return std::max(1, score_exponent - 11 + root);
}

absl::StatusOr<ExponentialTable> exponentialTable(int score_exponent, ScoreScale scale,
                                                  int64_t bound, int64_t keys,
                                                  int probability_bits) {
  ExponentialTable table;
  table.score_shift = scoreShift(score_exponent, scale);
  if (!(scale.value > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("its scores are scaled by ", scale.value,
                     ", and there are softmaxes of positive scales only; multiply the weights of Q "
                     "by the sign"));
  }
  if (probability_bits < 4 || probability_bits > 16) {
    return absl::InvalidArgumentError(
        absl::StrCat("probabilities of ", probability_bits, " bits are not possible; 4 to 16 are"));
  }
  if (table.score_shift > 16) {
    return absl::InvalidArgumentError(
        absl::StrCat("scores at exponent ", score_exponent, ", scaled by ", scale.value,
                     ", need a score shift of ", table.score_shift,
                     " bits, and 1 to 16 are possible; use smaller exponents for Q and K"));
  }
  if (keys < 1) return absl::InvalidArgumentError("it has no keys");
  const int unit_exponent = table.score_shift - score_exponent;
  const int64_t live = keysPerLog(2, probability_bits + 1, unit_exponent, scale) + 2;
  // Beyond one key per 2^-6 nats the rounding of scores shows.
  if (live < int64_t{64} * probability_bits / 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("scores at exponent ", score_exponent,
                     " are too coarse for a softmax; make them smaller, or use more bits for Q and "
                     "K; what closes scores takes no range from -10000 on"));
  }
  if (live > 65535) {
    return absl::InvalidArgumentError("the exponential table would have more than 65535 live rows");
  }
  table.exp.reserve(live);
  for (int64_t k = 0; k < live; ++k) {
    table.exp.push_back(static_cast<int32_t>(expEntry(k, probability_bits, unit_exponent, scale)));
  }
  table.exp_at_minus_one = expEntry(-1, probability_bits, unit_exponent, scale);
  if (table.exp[live - 1] != 0 || table.exp_at_minus_one <= int64_t{1} << probability_bits) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the exponential table does not separate its keys at ", probability_bits, " bits"));
  }
  const int64_t slack = (keys > 1 ? keysPerLog(keys, 1, unit_exponent, scale) : 0) + 3;
  absl::Status status = planRanges(bound, keys, slack, probability_bits, table);
  if (!status.ok()) return status;
  return table;
}

absl::StatusOr<ReciprocalRootTable> reciprocalRootTable(int64_t width, int square_shift,
                                                        int output_exponent, int output_bits,
                                                        int max_exponent, bool halves) {
  constexpr int64_t kMantissas = 65536;
  const int exponent = 2 * (output_exponent - (halves ? 1 : 0)) - square_shift;
  const int last_shift = std::min(16, 31 - output_bits);
  if (width < 1 || width > 65536 || std::abs(exponent) > 40 || max_exponent < 0 ||
      max_exponent > 7) {
    return absl::InvalidArgumentError(absl::StrCat("no reciprocal root table for width ", width,
                                                   ", exponent ", output_exponent,
                                                   ", variance exponent ", max_exponent));
  }
  ReciprocalRootTable table;
  const int smallest = SquaredRoot(width, exponent, kMantissas - 1).floorLog2();
  table.bits = std::min(halves ? 13 : 14, last_shift - max_exponent + 1 + smallest);
  table.entries.reserve(2 * kMantissas);
  int64_t largest = 0, last_t = 0;
  for (int64_t m = 0; m < kMantissas; ++m) {
    const SquaredRoot root(width, exponent, m);
    const int t0 = std::max(1, table.bits - 1 - root.floorLog2());
    const int64_t reciprocal = m == 0 ? 0 : root.scaled(t0);
    largest = std::max(largest, reciprocal);
    last_t = std::max<int64_t>(last_t, t0 + max_exponent);
    table.entries.push_back(static_cast<int32_t>(reciprocal));
    table.entries.push_back(t0);
  }
  // |d R| <= 2^15 R, twice as much in halves, against z 2^t + r - 2^(t-1).
  const int64_t product = largest << (halves ? 16 : 15);
  if (table.bits < 4 || last_t > last_shift ||
      product + (int64_t{1} << (output_bits - 1 + last_t)) + (int64_t{1} << last_t) >=
          ir::kFieldModulus) {
    return absl::InvalidArgumentError(
        absl::StrCat("a normalization of ", output_bits, " bits at exponent ", output_exponent,
                     " with a variance of up to 2^", 16 + 2 * max_exponent, " leaves ", table.bits,
                     " bits for the reciprocal root (R up to ", largest, ", shift up to ", last_t,
                     "), which the interval rule does not allow"));
  }
  return table;
}

int squareShift(int64_t width) { return std::max(1, bitLength(width - 1)); }

}  // namespace lindero::passes
