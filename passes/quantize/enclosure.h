// Enclosures of an expression's value by intervals of MPFR numbers, rounded outward.
//
// Each node of the expression gets an interval that contains its exact value at one argument. An
// end is open where the value is known to differ from it (the end was rounded, or an open end went
// through a strictly monotone function): erf(x) < 1 holds at every precision, so that x (1 + erf x)
// / 2 at x = 40 is below x, without the thousands of bits that would separate the two. Booleans are
// true, false or unknown; a choice between unequal branches by an unknown one is unknown itself.
// MPFR rounds correctly, so the same precision gives the same intervals on every machine.
#pragma once

#include <mpfr.h>

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/tensor/expression.h"

namespace lindero::passes {

// An mpfr_t that clears itself.
class Real {
 public:
  explicit Real(mpfr_prec_t precision) { mpfr_init2(value_, precision); }
  ~Real() { mpfr_clear(value_); }
  Real(const Real&) = delete;
  Real& operator=(const Real&) = delete;
  operator mpfr_ptr() { return value_; }
  operator mpfr_srcptr() const { return value_; }

 private:
  mpfr_t value_;
};

struct End {
  explicit End(mpfr_prec_t precision) : value(precision) {}
  Real value;
  bool open = false;
};

struct RealInterval {
  enum class State {
    kFinite,     // low <= value <= high, both finite
    kInfinite,   // the value is low = high, an infinity
    kUnknown,    // the precision does not decide
    kUndefined,  // not a number for certain, or the value of an operation on an infinity
    kTrue,       // booleans
    kFalse,
  };
  explicit RealInterval(mpfr_prec_t precision) : low(precision), high(precision) {}
  bool isFinite() const { return state == State::kFinite; }
  bool isPoint() const;

  State state = State::kUnknown;
  End low, high;
};

class Enclosure {
 public:
  Enclosure(const ir::tensor::Expression& expression, mpfr_prec_t precision);
  ~Enclosure();
  // At x = u / 2^exponent, which must be representable: the expression's value. It lives until the
  // next call.
  const RealInterval& at(int64_t u, int exponent);

 private:
  class Arithmetic;
  const ir::tensor::Expression& expression_;
  std::vector<std::unique_ptr<RealInterval>> values_;
  std::unique_ptr<Arithmetic> arithmetic_;
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
