#include "passes/quantize/choices.h"

#include <gtest/gtest.h>

namespace lindero::passes {
namespace {

using ir::tensor::Array;

TEST(Choices, AreCloseBesideTheirRow) {
  // 0.005 is small in the first row, and not in the second.
  const Array differences = Array::real({2, 2}, {1, 0.005, 0.01, 0.005});
  EXPECT_FALSE(isClose(differences, 0));
  EXPECT_TRUE(isClose(differences, 1));
  EXPECT_FALSE(isClose(differences, 3));
  // Rows of one element have nothing beside it: all of them are one row.
  EXPECT_TRUE(isClose(Array::real({2, 1}, {1, 0.005}), 1));
  EXPECT_FALSE(isClose(differences, 4));
}

TEST(Choices, AreAsGoodBesideTheLargestOfTheirRow) {
  const Array scores = Array::real({2, 3}, {1, 0.996, 0.5, 0.01, 0.0095, -1e9});
  EXPECT_TRUE(asGood(scores, 0, 1));
  EXPECT_FALSE(asGood(scores, 0, 2));
  EXPECT_FALSE(asGood(scores, 1, 1));
  EXPECT_FALSE(asGood(scores, 0, 3));
}

// However far from zero all of them are, or what is closed.
TEST(Choices, AreAsGoodByWhatIsApart) {
  const Array shifted = Array::real({1, 4}, {-9999, -9999.5, -9999.002, -10001});
  EXPECT_FALSE(asGood(shifted, 0, 1));
  EXPECT_TRUE(asGood(shifted, 0, 2));
  const Array beside = Array::real({1, 6}, {1000, 700, 500, 300, -65504, -65504});
  EXPECT_FALSE(asGood(beside, 0, 1));
  const Array closed = Array::real({1, 4}, {-65504, -65000, -65504, -65504});
  EXPECT_FALSE(asGood(closed, 0, 0));
}

}  // namespace
}  // namespace lindero::passes
