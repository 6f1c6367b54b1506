// How far rows of integers are from rows of reals: by direction (the cosine) and by size (the error
// over the row's norm), which the cosine cannot see.
//
// A row is what lies along a tensor's last axis; a tensor with one element there, or without axes,
// is one row. A row that is zero has neither figure: its error is held against the largest row. So
// is one below a millionth of that, which single precision cannot tell from zero. (The largest that
// no mask closes altogether.) A row that is not
// finite in the float model has no figure at all, and is counted.
#pragma once

#include <cstdint>
#include <vector>

#include "llvm/ADT/ArrayRef.h"

namespace lindero::passes {

// Sums over one row.
struct RowFigures {
  double products = 0;
  double expected = 0, actual = 0, error = 0;  // squares
  bool finite = true;                          // is `expected`

  void add(double of_expected, double of_actual);
};

RowFigures measureRow(llvm::ArrayRef<double> expected, llvm::ArrayRef<double> actual);

// The magnitude from which on values are masks (-1e4, -1e9) or the like: a hundred times larger
// than all below, and over a hundred where three are below, over 5,000 (-1e4 and a score) where
// fewer are. Infinite if there are none. What is masked has no size that others could be held
// against.
double maskLevel(llvm::ArrayRef<double> values);
// The largest magnitude below that.
double largestBelowMasks(llvm::ArrayRef<double> values);

// The row's figures, or those of what is not masked, where there is such and it is further off.
RowFigures measureBelowMasks(llvm::ArrayRef<double> expected, llvm::ArrayRef<double> actual);

struct RowSummary {
  int64_t rows = 0;        // with both figures
  int64_t zero_rows = 0;   // with neither: measured by zero_error
  int64_t other_rows = 0;  // not finite: measured by nothing
  double mean_cosine = 1, least_cosine = 1;
  double largest_error = 0;  // of a row, over its norm
  double zero_error = 0;  // of a zero row, over the norm of the largest row; infinite without one
  // Indices of the rows of least cosine and of the largest error; -1: there is none.
  int64_t least_row = -1, worst_row = -1, worst_zero_row = -1, other_row = -1;
};

RowSummary summarize(llvm::ArrayRef<RowFigures> rows);

// Elements of a row.
int64_t rowWidth(llvm::ArrayRef<int64_t> shape);

}  // namespace lindero::passes
