// Error bounds of the integer dialect's functions of rows (error_bound.h).
#pragma once

#include <cstdint>
#include <vector>

#include "llvm/ADT/ArrayRef.h"

namespace lindero::passes {

// A row of scores, in nats, of which each may be off by its error. The integers' p is within
// [p_low, p_high], that of the reals within [q_low, q_high]:
//   p_j = t_j / S (1 +- ..) where t_j = e^(s_j), each score moved by at most half a key, times the
//   sum that the least normalizer leaves, in [e^-key (1 - n/2^(P+1)), 1 + n/2^(P+1)], and half a
//   place;  q_j = 1 / sum_k e^(s_k - s_j), each score moved by its error.
// The bound is the farther distance of the two, in units of 2^-P.
struct SoftmaxBound {
  double key = 0;  // of the table, in nats
  int probability_bits = 16;
  double hidden = 0;  // what masked keys may add to a probability

  void row(llvm::ArrayRef<double> scores, llvm::ArrayRef<double> errors,
           llvm::MutableArrayRef<double> bounds) const;
};

// A row x of a norm, each element off by its error, in units of x; z in units of 2^-exponent.
// With d = x - mean and s^2 = (sum d^2 + E) / n:
//   reals: d_i moves by its error and the mean's, s by at most the root mean square of the errors,
//   as (d, sqrt E) / sqrt n is a vector of that length; |z| <= sqrt n;
//   integers: the mean and the squares are rounded, epsilon too, a wide row loses its last bits,
//   the mantissa of the variance is that of an interval of 2^-15 of it, and the root and z are
//   rounded.
struct NormBound {
  int square_shift = 1;
  int64_t epsilon = 0;
  int exponent = 0;
  bool has_mean = true;
  int row_shift = 0;
  double least_root = 1;  // the least tabulated reciprocal root R

  void row(llvm::ArrayRef<double> x, llvm::ArrayRef<double> errors,
           llvm::MutableArrayRef<double> bounds) const;
};

}  // namespace lindero::passes
