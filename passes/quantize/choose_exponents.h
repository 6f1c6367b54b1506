// Turns the ranges that calibration measured into exponents: powers of two, one per tensor, with
// headroom.
//
// A tensor of b bits whose largest magnitude was m gets the largest exponent f with m * margin *
// 2^f < 2^(b-1). A value outside of that at proving time is an error, so margins buy robustness
// with precision. The rest follows from the gadgets: one key of a softmax is 2^-12 .. 2^-11 nats,
// attention outputs are at most P bits finer than V, tables can be shared by layers.
#pragma once

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/exponents.h"

namespace lindero::passes {

struct QuantizeOptions {
  // Widths in bits, signed.
  int residual_bits = 16;    // at most 16
  int normalized_bits = 12;  // LayerNorm's result, at least
  // Massive activations: one channel far above the others leaves the others few bits of a
  // LayerNorm's result (|z| is at most sqrt(n) for all). Its width then grows, up to this, until
  // the median channel has normalized_bits less two.
  int widest_normalized_bits = 16;
  int activation_bits = 12;  // any other input of a linear
  int query_key_bits = 12;
  int value_bits = 12;
  int probability_bits = 16;
  int key_bits = 14;     // of activation tables: 2^key_bits rows each
  int weight_bits = 16;  // at most; the static bound may leave fewer
  // Where the bound leaves fewer than this, what rounding takes from weights is a product of its
  // own, if nothing else than a residual stream of 16 bits is added; 0: nowhere.
  int least_weight_bits = 0;
  // A row of a stream that a norm reads has a deviation of so many units at least; where 16 bits do
  // not hold that, the stream is wider (widen_streams.h). A rounding has an error of 0.3 units.
  int least_row_units = 128;

  // How far beyond the calibrated range a value may go before it is an error.
  double residual_margin = 1.5;
  double normalized_margin = 1.25;
  double activation_margin = 1.5;
  double query_key_margin = 1.5;
  double key_margin = 1.5;

  // One activation table per function and one reciprocal root table for all layers, with the
  // exponents of the layer that needs the widest range: fewer rows to prove, up to a few bits less
  // for the other layers.
  bool share_tables = true;
};

// For models whose results are compared with one another, as embeddings are: what rounding costs
// them is about a tenth of what it is by default, at up to twice the cells.
QuantizeOptions preciseOptions();

absl::StatusOr<Exponents> chooseExponents(const ir::Function& function,
                                          const Calibration& calibration,
                                          const QuantizeOptions& options);

}  // namespace lindero::passes
