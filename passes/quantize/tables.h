// The lookup tables of the integer program, and the parameters that follow from them.
//
// Every entry is the correctly rounded value of its formula (nearest, halves up), computed with
// MPFR or with integers from integer exponents alone, so that the same exponents give the same
// bytes on any machine; libm is never asked. Each function refuses parameters for which the
// interval rule of its gadget does not hold: both sides of every equation over the integers must
// differ by less than p = 2^31 - 1 for all values that the lookups admit.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/tensor/expression.h"

namespace lindero::passes {

// The factor between q k^T and the softmax argument: 1 / sqrt(head_width) exactly if head_width is
// set, else `value`.
struct ScoreScale {
  double value = 1.0;
  int64_t head_width = 0;

  // The root is meant only where the scale is the double nearest to it: what an exporter rounded to
  // single precision is the number that the model holds.
  static ScoreScale fromModel(double scale, int64_t head_width);
};

// Entry i is round(2^output_exponent * f(u / 2^key_exponent)) for the key u = low + i. Keys are
// those of the longest run at which f is a number that `output_bits` hold, but for a rounding (the
// last of the runs that are as long but for one key): what is larger is no wrong entry, but none,
// and a run that gets there is refused as one that leaves a calibrated range. Fails where there is
// no run of 16 keys. Cost: about 10 us an entry for each transcendental op in the function.
struct FunctionTable {
  int64_t low = 0;
  std::vector<int32_t> entries;
};
absl::StatusOr<FunctionTable> functionTable(const ir::tensor::Expression& function, int key_bits,
                                            int key_exponent, int output_bits, int output_exponent);

// EXP(k) = round(2^probability_bits * e^(-k * u0)) for 0 <= k < U, zero at U - 1, and EXP(-1); u0
// is the value of one key in nats, 2^(score_shift - score_exponent) * scale, where a score is worth
// 2^-score_exponent * scale.
struct ExponentialTable {
  std::vector<int32_t> exp;
  int64_t exp_at_minus_one = 0;
  int score_shift = 1;
  // L of any row of at most `keys` scores within the bound is at least normalizer_low, and less
  // than normalizer_low + 2^normalizer_bits.
  int64_t normalizer_low = 0;
  int normalizer_bits = 0;
  // Keys beyond the live rows that such a row can have: dead_rows rows of 2^dead_width keys each.
  int64_t dead_rows = 0;
  int dead_width = 0;
};

// Picks the shift with u0 in (2^-12, 2^-11], or 1 if the scores are too coarse for that. `bound` is
// that of |score|.
absl::StatusOr<ExponentialTable> exponentialTable(int score_exponent, ScoreScale scale,
                                                  int64_t bound, int64_t keys,
                                                  int probability_bits);
// The shift that exponentialTable picks.
int scoreShift(int score_exponent, ScoreScale scale);

// RSQRT[m] = (R, t0): R / 2^t0 = 2^(output_exponent - square_shift / 2) * sqrt(width / k), with
// k = m + 1/2 where m stands for an interval (m >= 2^14) and m itself below; R has up to 14 bits,
// as many as t0 + max_exponent <= min(16, 31 - output_bits) leaves.
struct ReciprocalRootTable {
  std::vector<int32_t> entries;  // 65536 pairs (R, t0)
  int bits = 0;                  // of R where t0 is not at its minimum
};
// With `halves`, what R multiplies counts halves, and has 17 bits: R is half as large, of up to 13.
absl::StatusOr<ReciprocalRootTable> reciprocalRootTable(int64_t width, int square_shift,
                                                        int output_exponent, int output_bits,
                                                        int max_exponent, bool halves = false);

// The least shift q >= 1 for which the squares of a row of 16-bit deviations, each shifted by q,
// sum up to at most 2^30.
int squareShift(int64_t width);

}  // namespace lindero::passes
