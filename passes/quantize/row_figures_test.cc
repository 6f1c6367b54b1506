#include "passes/quantize/row_figures.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lindero::passes {
namespace {

TEST(RowFigures, SeeDirectionAndSize) {
  struct Case {
    const char* what;
    std::vector<double> expected, actual;
    double cosine, error;
  };
  const Case cases[] = {
      {"equal", {3, 4}, {3, 4}, 1, 0},
      {"twice as large", {3, 4}, {6, 8}, 1, 1},
      {"turned", {3, 4}, {4, -3}, 0, std::sqrt(2.0)},
      {"opposite", {3, 4}, {-3, -4}, -1, 2},
      {"lost", {3, 4}, {0, 0}, 0, 1},
      {"tiny, in a tensor of its own", {3e-9, 4e-9}, {3e-9, 4e-9}, 1, 0},
  };
  for (const Case& c : cases) {
    const RowSummary found = summarize({measureRow(c.expected, c.actual)});
    EXPECT_EQ(found.rows, 1) << c.what;
    EXPECT_NEAR(found.least_cosine, c.cosine, 1e-12) << c.what;
    EXPECT_NEAR(found.mean_cosine, c.cosine, 1e-12) << c.what;
    EXPECT_NEAR(found.largest_error, c.error, 1e-12) << c.what;
  }
}

TEST(RowFigures, MasksHideNothing) {
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(maskLevel({1, -2, 3, -1e9}), 1e9);
  EXPECT_EQ(maskLevel({1, -2, 20, -1e4, -1e9}), 1e4);
  EXPECT_EQ(maskLevel({1, 50, 700}), infinite);
  EXPECT_EQ(maskLevel({3.1, 2.9, 3 - 1e4}), 9997);
  EXPECT_EQ(maskLevel({0.001, 500, 700}), infinite) << "the smallest of three values";
  EXPECT_EQ(maskLevel({0, 0, 0, 500}), infinite);
  EXPECT_EQ(maskLevel({1e-9, 1e-5, 0.3, 0.7}), infinite) << "probabilities";
  EXPECT_EQ(largestBelowMasks({1, -2, 3, -1e9}), 3);
  EXPECT_EQ(largestBelowMasks({1, -2, 3}), 3);

  const std::vector<double> logits = {-6, 2, -1, -1e9};
  const RowSummary lost = summarize({measureBelowMasks(logits, {0, 0, 0, -1e9})});
  EXPECT_EQ(lost.largest_error, 1);
  EXPECT_EQ(lost.least_cosine, 0);
  const RowSummary kept = summarize({measureBelowMasks(logits, {-6, 2, -1, -1.1e9})});
  EXPECT_NEAR(kept.largest_error, 0.1, 1e-9) << "of the mask";
  EXPECT_EQ(kept.least_cosine, 1);
  // The mask of one row makes no zero row of another.
  const RowSummary both =
      summarize({measureBelowMasks(logits, logits), measureBelowMasks({1, 2, 3}, {0, 0, 0})});
  EXPECT_EQ(both.rows, 2);
  EXPECT_EQ(both.largest_error, 1);
}

TEST(RowFigures, CountRowsThatHaveNone) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const RowSummary found = summarize({
      measureRow({1, 0}, {1, 0}), measureRow({0, 0}, {0, 0.25}),
      measureRow({1e-8, 0}, {0, 0}),  // rounding of a zero in single precision
      measureRow({nan, 1}, {0, 1}), measureRow({-inf, 1}, {0, 1}),
      measureRow({1e-3, 0}, {0, 1e-3}),  // small, but a row
  });
  EXPECT_EQ(found.rows, 2);
  EXPECT_EQ(found.zero_rows, 2);
  EXPECT_EQ(found.other_rows, 2);
  EXPECT_EQ(found.other_row, 3);
  EXPECT_DOUBLE_EQ(found.zero_error, 0.25);
  EXPECT_EQ(found.worst_zero_row, 1);
  EXPECT_EQ(found.least_row, 5);
  EXPECT_DOUBLE_EQ(found.least_cosine, 0);
  EXPECT_DOUBLE_EQ(found.mean_cosine, 0.5);
}

TEST(RowFigures, OfZerosAloneAreAllOrNothing) {
  EXPECT_EQ(summarize({measureRow({0, 0}, {0, 0})}).zero_error, 0);
  EXPECT_TRUE(std::isinf(summarize({measureRow({0, 0}, {0, 1e-9})}).zero_error));
}

TEST(RowFigures, GoAlongTheLastAxis) {
  EXPECT_EQ(rowWidth({}), 1);
  EXPECT_EQ(rowWidth({7}), 7);
  EXPECT_EQ(rowWidth({2, 3, 4}), 4);
  EXPECT_EQ(rowWidth({2, 8, 1}), 16);
}

// Beside rows that a mask closes altogether, others are no zeros.
TEST(RowFigures, HoldsRowsAgainstThoseThatNoMaskCloses) {
  const std::vector<double> row = {1, -2, 0.5, 3}, lost = {0, 0, 0, 0}, closed(4, -1e9);
  const RowSummary summary = summarize({measureRow(row, lost), measureRow(closed, closed)});
  EXPECT_EQ(summary.zero_rows, 0);
  EXPECT_DOUBLE_EQ(summary.largest_error, 1);
}

}  // namespace
}  // namespace lindero::passes
