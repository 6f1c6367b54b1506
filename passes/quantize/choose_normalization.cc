#include "passes/quantize/choose_normalization.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "passes/quantize/magnitudes.h"
#include "passes/quantize/tables.h"

namespace lindero::passes {

Normalization chooseNormalization(const TensorRange& measured, const QuantizeOptions& options) {
  std::vector<double> sorted = measured.normalized;
  std::nth_element(sorted.begin(), sorted.begin() + sorted.size() / 2, sorted.end());
  const double median = sorted[sorted.size() / 2];
  const double most = std::sqrt(static_cast<double>(sorted.size()));  // |z| < sqrt(n), always
  // Where all rows are constant, nothing is known of others.
  const double seen = std::max(0.5, *std::max_element(sorted.begin(), sorted.end()));
  const double largest = std::min(most, seen * options.normalized_margin);
  const double wanted = std::ldexp(1.0, options.normalized_bits - 3);
  int bits = options.normalized_bits;
  while (bits < options.widest_normalized_bits && median > 0 &&
         median * std::ldexp(1.0, exponentFor(largest, bits, 1.0)) < wanted) {
    ++bits;
  }
  return {bits, largest};
}

double shiftedVariance(const TensorRange& measured, int64_t width, double margin) {
  const double crest =
      std::min(measured.largest_crest * (margin * margin), static_cast<double>(width));
  return crest * std::ldexp(1.0, 30 - squareShift(width)) + 0x1p29;
}

}  // namespace lindero::passes
