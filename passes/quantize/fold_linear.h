// The integer weights of a linear: every multiplier folded in, as wide as the static bound allows.
//
// A column j of the real product y_j = sum_c x_c factor_c W_cj + b_j, where the integer x_c stands
// for x_c / 2^e_c and factor_c is LayerNorm's gamma, becomes
//   acc_j = sum_c x_c w_cj + b'_j,  which stands for y_j 2^E_j,  with
//   w_cj = round(W_cj factor_c 2^(E_j - e_c)),   b'_j = round((b_j + sum_c beta_c W_cj) 2^E_j).
// The static bound of acc_j is that of its column for all x in the range of x's type, extremes
// included. Cost: the weights are read once to measure them, and once per exponent that may fit; in
// parallel over columns.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/tensor/array.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace lindero::passes {

struct IntegerLinear {
  llvm::SmallVector<int32_t, 0> weights;  // [in, out]
  std::vector<int32_t> bias;              // [out]; empty if the linear has none
  std::vector<double> reach;              // [out]: the static bound of each column, a whole number
  int64_t low = 0, high = 0;              // and over all columns
  int64_t weight_low = 0, weight_high = 0;
  int64_t bias_low = 0, bias_high = 0;
};

class FoldLinear {
 public:
  // `weight` is [in, out] and outlives this, `bias` [out] or null. `factors` and `beta` are per
  // input channel, beta empty for zero.
  FoldLinear(const ir::tensor::Array& weight, const ir::tensor::Array* bias,
             llvm::ArrayRef<double> factors, llvm::ArrayRef<double> beta, int64_t x_low,
             int64_t x_high);

  // With E_j = accumulator_exponents[j]. Nothing if a weight needs more than weight_bits, a bias
  // more than 31, or the bound is not below `limit`. The result is the same on every machine.
  std::optional<IntegerLinear> fold(llvm::ArrayRef<int> accumulator_exponents, int weight_bits,
                                    int64_t limit) const;

  // The exponents, one higher for each column whose bound stays below the limit at that.
  std::vector<int> refined(const IntegerLinear& folded, llvm::ArrayRef<int> accumulator_exponents,
                           int64_t limit) const;

  // What rounding took from the weights: W_cj factor_c 2^E_j - w_cj, [in, out].
  ir::tensor::Array rests(const IntegerLinear& folded,
                          llvm::ArrayRef<int> accumulator_exponents) const;

  // The bound that `fold` compares with the limit, as a real number, and the largest weight, for
  // messages.
  double bound(llvm::ArrayRef<int> accumulator_exponents) const;
  double largestWeight(llvm::ArrayRef<int> accumulator_exponents) const;
  int64_t xLow() const { return x_low_; }
  int64_t xHigh() const { return x_high_; }

 private:
  // Calls visit(c, columns [first, first + count) of row c as doubles) for every c, in order.
  template <typename Visit>
  void forEachRow(int64_t first, int64_t count, Visit visit) const;
  bool cannotFit(llvm::ArrayRef<double> powers, double weight_limit, double limit) const;

  const ir::tensor::Array& weight_;
  std::vector<double> bias_;  // with beta absorbed
  bool has_bias_;
  llvm::ArrayRef<double> factors_;  // factor_c / 2^e_c
  int64_t in_, out_;
  int64_t x_low_, x_high_;
  std::vector<double> sums_, largest_;  // per column, of |W_cj factor_c|
};

}  // namespace lindero::passes
