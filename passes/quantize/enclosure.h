// Enclosures of an expression's value by intervals of MPFR numbers, and entries of tables by them:
// each node of the expression gets an interval that contains its exact value at one argument.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/tensor/expression.h"
#include "passes/quantize/real_interval.h"

namespace lindero::passes {

class Enclosure {
 public:
  Enclosure(const ir::tensor::Expression& expression, mpfr_prec_t precision);
  // At x = u / 2^exponent, which must be representable: the expression's value. It lives until the
  // next call.
  const RealInterval& at(int64_t u, int exponent);

 private:
  const ir::tensor::Expression& expression_;
  std::vector<std::unique_ptr<RealInterval>> values_;
  RealArithmetic arithmetic_;
};

// floor(2^output_exponent f(u / 2^key_exponent) + 1/2), saturated at the ends of int64_t. The
// precision grows until both ends of the enclosure agree. If the last one (8192 bits) does not tell
// the value from a half, to within 2^-4096, it is taken to be that half, and rounded up. Fails
// where the function is not a number or stays undecided.
class Rounder {
 public:
  explicit Rounder(const ir::tensor::Expression& expression) : expression_(expression) {}
  absl::StatusOr<int64_t> round(int64_t u, int key_exponent, int output_exponent);

 private:
  const ir::tensor::Expression& expression_;
  std::vector<std::unique_ptr<Enclosure>> enclosures_;  // by precision: 64, 128, ...
};

}  // namespace lindero::passes
