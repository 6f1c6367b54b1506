#include "passes/quantize/row_figures.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace lindero::passes {
namespace {

constexpr double kZero = 1e-6;  // of the largest row's norm

void measureZero(const RowFigures& row, int64_t index, double largest, RowSummary& summary) {
  ++summary.zero_rows;
  const double error = row.error == 0 ? 0
                       : largest > 0  ? std::sqrt(row.error / largest)
                                      : std::numeric_limits<double>::infinity();
  if (error <= summary.zero_error) return;
  summary.zero_error = error;
  summary.worst_zero_row = index;
}

}  // namespace

void RowFigures::add(double of_expected, double of_actual) {
  finite &= std::isfinite(of_expected);
  products += of_expected * of_actual;
  expected += of_expected * of_expected;
  actual += of_actual * of_actual;
  error += (of_actual - of_expected) * (of_actual - of_expected);
}

RowFigures measureRow(llvm::ArrayRef<double> expected, llvm::ArrayRef<double> actual) {
  RowFigures row;
  for (size_t i = 0; i < expected.size(); ++i) row.add(expected[i], actual[i]);
  return row;
}

RowSummary summarize(llvm::ArrayRef<RowFigures> rows) {
  double largest = 0;
  for (const RowFigures& row : rows)
    if (row.finite) largest = std::max(largest, row.expected);
  RowSummary summary;
  double cosines = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const RowFigures& row = rows[i];
    const auto index = static_cast<int64_t>(i);
    if (!row.finite) {
      if (summary.other_rows++ == 0) summary.other_row = index;
      continue;
    }
    if (row.expected <= kZero * kZero * largest) {
      measureZero(row, index, largest, summary);
      continue;
    }
    ++summary.rows;
    const double cosine =
        row.actual > 0 ? row.products / std::sqrt(row.expected * row.actual) : 0.0;
    cosines += cosine;
    if (summary.least_row < 0 || cosine < summary.least_cosine) {
      summary.least_cosine = cosine;
      summary.least_row = index;
    }
    const double error = std::sqrt(row.error / row.expected);
    if (summary.worst_row < 0 || error > summary.largest_error) {
      summary.largest_error = error;
      summary.worst_row = index;
    }
  }
  if (summary.rows > 0) summary.mean_cosine = cosines / static_cast<double>(summary.rows);
  return summary;
}

int64_t rowWidth(llvm::ArrayRef<int64_t> shape) {
  if (!shape.empty() && shape.back() > 1) return shape.back();
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

}  // namespace lindero::passes
