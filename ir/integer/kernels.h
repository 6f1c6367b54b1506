// The functions of the integer dialect, one row or tensor at a time, over plain int64.
//
// These loops are the definition of what gets proven: no rounding mode, no table and no range is
// left to the caller. A value that leaves the range that a function gives it is an OutOfRange error
// which says the value, its place and the range; nothing wraps and nothing saturates. All inputs
// are below 2^31 in magnitude (the interpreter checks types), so int64 never overflows.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ir/core/constant_pool.h"
#include "ir/core/panel_product.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

namespace lindero::ir::integer {

// A row-major tensor of exact integers.
struct IntArray {
  llvm::SmallVector<int64_t, 4> shape;
  std::vector<int64_t> values;

  bool operator==(const IntArray&) const = default;
};

// How many rows it has along its last axis.
int64_t rowsOf(const IntArray& array);

// OK if all values are in [low, high]; else the error names the first one that is not and its
// index. `what` is its name.
absl::Status checkRange(const IntArray& array, int64_t low, int64_t high, llvm::StringRef what);

// A matrix that is read where it is, so that large constants need no copy as an IntArray.
struct Rows {
  Weights elements;
  int64_t magnitude = 0;  // that no element exceeds

  int64_t count() const { return elements.rows; }
  int64_t width() const { return elements.columns; }
};

// Of an array or constant that outlives them. A constant must hold integers.
Rows rowsOfMatrix(const IntArray& matrix);
Rows rowsOfMatrix(const Constant& matrix);

// x [..., inner] * w [inner, columns] + bias [columns] (or empty), exact: every partial sum must
// stay below 2^53, which any bound below 2^53 on sum |x||w| guarantees; larger operands are an
// InvalidArgument error.
absl::StatusOr<IntArray> linear(const IntArray& x, const Rows& w, llvm::ArrayRef<int64_t> bias);

// The same for each of several x; w is read once.
std::vector<absl::StatusOr<IntArray>> linearAll(llvm::ArrayRef<const IntArray*> x, const Rows& w,
                                                llvm::ArrayRef<int64_t> bias);

// These rows of a table, 0 <= row < count, in this order.
IntArray gatherRows(const Rows& table, llvm::ArrayRef<int64_t> rows);

// q = (acc + addend * 2^addend_shift + 2^(shift-1)) >> shift. `addend` is null or has acc's shape.
// 1 <= shift <= 30.
absl::StatusOr<IntArray> requantize(const IntArray& acc, const IntArray* addend, int addend_shift,
                                    int shift);

// q = (a b + 2^(shift-1)) >> shift. 1 <= shift <= 30.
absl::StatusOr<IntArray> multiply(const IntArray& a, const IntArray& b, int shift);

// floor(a 2^shift / b + 1/2), element by element. Fails at a zero of b.
absl::StatusOr<IntArray> divide(const IntArray& a, const IntArray& b, int shift);

// q = (x m + c + y n + 2^(shift-1)) >> shift, without 2^(shift-1) where shift = 0 <= shift <= 30.
// m, c and n have x's elements, those of its last axis or one for all; y and n may both be null.
// |x m|, |y n| < 2^62.
absl::StatusOr<IntArray> affine(const IntArray& x, const IntArray& m, const IntArray& c,
                                const IntArray* y, const IntArray* n, int shift);

// One row of x:
//   mu = floor((2 * sum x + n) / 2n), 0 without mean;
//   d = x - mu, |d| <= 32767;  v = (d^2 + 2^(q-1)) >> q;  V = sum v + epsilon < 2^30;
//   j = the least with V >> 2j < 65536, j <= max_exponent;  m = V >> 2j;
//   (R, t0) = rsqrt[m];  t = t0 + j;  z = (d * R + 2^(t-1)) >> t, which must fit output_bits.
// With a row_shift, d may have more bits:
//   e = the least with -2^15 <= d >> e < 2^15 for all d, e <= row_shift;  u = d >> e;
//   v = (u^2 + 2^(q-1)) >> q;  V = sum v + (epsilon + 2^(2e-1)) >> 2e, epsilon itself for e = 0;
//   z = (h * R + 2^(t-1)) >> t, where h = 2u + 1, the middle of what is shifted to u, in halves;
//   for e = 0 it is 2u. R is then of halves, too.
struct LayerNorm {
  int square_shift = 0;
  int64_t epsilon = 0;
  int output_bits = 12;
  int max_exponent = 0;
  bool has_mean = true;
  int row_shift = 0;              // 0: none
  llvm::ArrayRef<int64_t> rsqrt;  // 65536 pairs (R, t0)

  absl::Status row(llvm::ArrayRef<int64_t> x, llvm::MutableArrayRef<int64_t> z) const;

 private:
  int64_t meanOf(llvm::ArrayRef<int64_t> x) const;
  // z = (factor * R + 2^(t-1)) >> t, for the sum of squares that the factors have.
  absl::Status scale(int64_t variance, llvm::ArrayRef<int64_t> factors,
                     llvm::MutableArrayRef<int64_t> z) const;
};

// One row of scores. EXP(k) = exp[k] for 0 <= k < U, exp_at_minus_one for k < 0, and 0 from U on;
// it does not increase.
//   sigma_i = -((2^(s-1) - S_i) >> s);
//   L = the least integer with sum EXP(L - sigma_i) <= 2^P;  p_i = EXP(L - sigma_i).
// L must be in [normalizer_low, normalizer_low + 2^normalizer_bits), and the keys beyond U within
// the dead rows: L - sigma_i < U + dead_rows * 2^dead_width.
struct Softmax {
  llvm::ArrayRef<int64_t> exp;
  int64_t exp_at_minus_one = 0;
  int score_shift = 1;
  int probability_bits = 16;
  int64_t normalizer_low = 0;
  int normalizer_bits = 0;
  int64_t dead_rows = 0;
  int dead_width = 0;

  absl::Status row(llvm::ArrayRef<int64_t> scores, llvm::MutableArrayRef<int64_t> p) const;
  // The least L with sum EXP(L - sigma_i) <= 2^P, without its range check.
  int64_t normalizer(llvm::ArrayRef<int64_t> scores) const;

 private:
  int64_t key(int64_t score) const {
    return -((((int64_t{1} << score_shift) >> 1) - score) >> score_shift);
  }
  int64_t expAt(int64_t k) const {
    if (k < 0) return exp_at_minus_one;
    return k < static_cast<int64_t>(exp.size()) ? exp[k] : 0;
  }
};

// [heads, rows, keys]: per head, q k^T over its columns. q, k: [T, heads * width].
IntArray scores(const IntArray& q, const IntArray& k, int64_t heads);

// [T, heads * width]: per head, p v over its columns. p: [heads, T, keys], v: [keys, heads *
// width].
IntArray mix(const IntArray& p, const IntArray& v, int64_t heads);

// The lowest index of the maximum of each row along the last axis; |value| < 2^29.
absl::StatusOr<IntArray> argmax(const IntArray& values);

// Columns start .. start + size - 1, which are in range (the verifier's rule).
IntArray sliceColumns(const IntArray& x, int64_t start, int64_t size);
IntArray appendRows(const IntArray& x, const IntArray& y);

}  // namespace lindero::ir::integer
