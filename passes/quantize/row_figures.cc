#include "passes/quantize/row_figures.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "llvm/ADT/STLExtras.h"

namespace lindero::passes {
namespace {

constexpr double kZero = 1e-6;  // of the largest row's norm
constexpr double kLeastMask = 5e3, kGap = 100;

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

double maskLevel(llvm::ArrayRef<double> values) {
  std::vector<double> magnitudes;
  for (double x : values) {
    if (std::isfinite(x)) magnitudes.push_back(std::abs(x));
  }
  // Most rows have none.
  if (magnitudes.empty() || *llvm::max_element(magnitudes) <= kGap)
    return std::numeric_limits<double>::infinity();
  llvm::sort(magnitudes);
  for (size_t i = 1; i < magnitudes.size(); ++i) {
    const double own = magnitudes[i], below = magnitudes[i - 1];
    if (below > 0 && own > kGap * below && own >= (i < 3 ? kLeastMask : kGap)) return own;
  }
  return std::numeric_limits<double>::infinity();
}

double largestBelowMasks(llvm::ArrayRef<double> values) {
  const double level = maskLevel(values);
  double largest = 0;
  for (double x : values) {
    if (std::abs(x) < level) largest = std::max(largest, std::abs(x));
  }
  return largest;
}

// The norm stays that of what is not masked, which rows that are about zero are known by.
RowFigures measureBelowMasks(llvm::ArrayRef<double> expected, llvm::ArrayRef<double> actual) {
  const RowFigures row = measureRow(expected, actual);
  const double level = maskLevel(expected);
  if (!std::isfinite(level) || !row.finite) return row;
  RowFigures open;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::abs(expected[i]) < level) open.add(expected[i], actual[i]);
  }
  if (open.expected == 0 && open.error == 0) return row;
  open.error = std::max(open.error, row.error / row.expected * open.expected);
  return open;
}

RowSummary summarize(llvm::ArrayRef<RowFigures> rows) {
  // Rows that a mask closes altogether have no size that others could be held against, either.
  std::vector<double> norms;
  for (const RowFigures& row : rows)
    if (row.finite) norms.push_back(std::sqrt(row.expected));
  const double largest_norm = largestBelowMasks(norms), largest = largest_norm * largest_norm;
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
