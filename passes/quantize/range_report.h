// What each tensor of the integer program holds: exponent, width, what calibration saw of it, what
// it can hold, and how far these are apart. For people who tune margins and widths.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/core/ir.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/raw_ostream.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/quantize.h"

namespace lindero::passes {

struct RangeRow {
  std::string role, node;
  int exponent = 0;           // of the first column
  int bits = 0;               // signed, that the range takes
  int64_t low = 0, high = 0;  // what the program enforces, or the static bound of an accumulator
  int weight_bits = 0;        // accumulators: of the weights
  std::optional<double>
      seen;  // max |x| in calibration, of the real value; of a normalized one before gamma and beta
  // log2 of (what fits) / (what was seen); for an accumulator, bits from its bound to 2^30.
  std::optional<double> headroom;
};

// `records` are those of quantize(source, ...); the calibration may be null (exponents from a
// file).
std::vector<RangeRow> rangeReport(const ir::Function& source, llvm::ArrayRef<TensorRecord> records,
                                  const Calibration* calibration);

void print(llvm::ArrayRef<RangeRow> rows, llvm::raw_ostream& os);

}  // namespace lindero::passes
