// Intervals of doubles, rounded outward, and an expression's values over one: what error bounds of
// tables are made from. Coarser than real_interval.h, and a thousand times faster.
//
// Sums, products and quotients that doubles hold stay exact, so that a step at a whole number is on
// one side of it. Where the function may be no number, or a denominator zero, the interval is all
// reals. The C library's functions are taken to be right to 2^-48, which all of them are by far.
#pragma once

#include <limits>

#include "ir/tensor/expression.h"

namespace lindero::passes {

struct DoubleInterval {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();

  bool isPoint() const { return low == high; }
  bool contains(double x) const { return low <= x && x <= high; }
};

// The smallest interval that holds both.
DoubleInterval hull(const DoubleInterval& a, const DoubleInterval& b);

// Every value of the expression on the interval is in the result. The interval is cut into pieces,
// so that an operand that is there twice costs little.
DoubleInterval valuesOn(const ir::tensor::Expression& expression, const DoubleInterval& x);

}  // namespace lindero::passes
