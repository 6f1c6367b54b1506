// How a LayerNorm's result is held, from what calibration saw of its rows: a row over its own
// deviation, which few channels may dominate.
#pragma once

#include <cstdint>

#include "passes/quantize/calibrate.h"
#include "passes/quantize/choose_exponents.h"

namespace lindero::passes {

struct Normalization {
  int bits = 0;
  double largest = 0;  // |z|, with the margin
};

// How large |z| gets, and the width that the median channel needs.
Normalization chooseNormalization(const TensorRange& measured, const QuantizeOptions& options);

// What squares sum up to in a row that a wide norm shifts: its largest element is below 2^15.
double shiftedVariance(const TensorRange& measured, int64_t width, double margin);

}  // namespace lindero::passes
