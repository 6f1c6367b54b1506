// What a linear's accumulator is rounded to, and which accumulators fit: the one place that decides
// whether a product is exact modulo p = 2^31 - 1. What a circuit proves of it is checked
// independently of this (verify-intervals), with the ranges of the types and of `addend_bound`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "passes/quantize/fold_linear.h"

namespace lindero::passes {

struct Rounding {
  std::vector<int> exponents;  // per column
  int bits = 0;                // 0: none, the accumulator is published or compared as it is
  bool is_key = false;         // of an activation, which rounds it
  bool by_column = false;  // the result's columns may be coarser than that, down to the coarsest
  // Of the residual addend, if there is one: its exponent is the result's minus `addend_gap`, the
  // largest magnitude that its circuit lets it have `addend_bound`.
  bool has_addend = false;
  int addend_gap = 0;
  int64_t addend_bound = 0;

  bool isRaw() const { return bits == 0; }
  // The largest shift that a requantization to these bits allows.
  int largestShift() const;
};

std::vector<int> raised(llvm::ArrayRef<int> exponents, int by);

// What |x w + b| must stay below with this shift. The error says why nothing fits.
absl::StatusOr<int64_t> accumulatorLimit(const Rounding& rounding, int shift);

// Why no weights of at most `weight_bits` fit with these exponents of the accumulator, whose limit
// this is.
std::string describeOverflow(const FoldLinear& fold, const Rounding& rounding,
                             llvm::ArrayRef<int> exponents, int64_t limit, int weight_bits);

// Why weights that fit are refused: they have so few bits, at the largest shift that fits.
// `overflow`: a larger one is possible, but the product does not fit.
std::string describeNarrow(const Rounding& rounding, bool overflow, int bits, int weight_bits);

// Weights of fewer bits than this are hardly the model's.
inline constexpr int kLeastWeightBits = 4;

}  // namespace lindero::passes
