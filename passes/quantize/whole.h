// Which values are whole numbers that the model computes as integers or truth values, and so have
// to be exact: what is looked up as such (tensor.embedding, `exact`), and sums, products, choices
// and copies of it. A value at exponent 0 or above holds them; at a lower one, quantization refuses
// the model.
#pragma once

#include "ir/core/ir.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/double_interval.h"

namespace lindero::passes {

llvm::DenseSet<const ir::Value*> wholeValues(const ir::Function& function);

// One part of a whole number that is too large for tables and products (lower_logic).
bool isLimb(const ir::Op& op);

// What each of them may be, whatever the inputs are, by the tables that they come from. Calibration
// need not have seen it.
llvm::DenseMap<const ir::Value*, DoubleInterval> wholeRanges(const ir::Function& function);

// Whole numbers from here on have no exact form: sums have up to kMostWholeBits.
inline constexpr int kMostWholeBits = 29;
inline constexpr double kMostExact = 1 << (kMostWholeBits - 1);

// The bits of those that calibration does not choose: they are held at exponent 0, whatever it saw,
// since they may get large, and all that is computed of them is whole, too.
llvm::DenseMap<const ir::Value*, int> exactBits(const ir::Function& function);

// The calibration with the ranges of whole numbers as far as they may get, seen or not: where 12
// bits hold them exactly, with a margin, it costs nothing. Not what shares a table with values that
// are not whole.
Calibration withWholeRanges(const ir::Function& function, Calibration calibration);

}  // namespace lindero::passes
