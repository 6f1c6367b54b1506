// Intervals of MPFR numbers, rounded outward, and the scalar operations on them.
//
// An end is open where the value is known to differ from it (the end was rounded, or an open end
// went through a strictly monotone function): erf(x) < 1 holds at every precision, so that x (1 +
// erf x) / 2 at x = 40 is below x, without the thousands of bits that would separate the two.
// Booleans are true, false or unknown; a choice between unequal branches by an unknown one is
// unknown itself. MPFR rounds correctly, so the same precision gives the same intervals on every
// machine.
#pragma once

#include <mpfr.h>

#include <cstdint>
#include <memory>

#include "ir/tensor/expression.h"
#include "llvm/ADT/ArrayRef.h"

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

// The interval of an integer alone.
void setPoint(RealInterval& y, int64_t value);
int signOf(const End& end);

// The operations at one precision, with room for what they need in between.
class RealArithmetic {
 public:
  explicit RealArithmetic(mpfr_prec_t precision);
  ~RealArithmetic();

  // y contains the operation's value for all values of the operands; y is none of them.
  void apply(ir::tensor::ScalarOp op, llvm::ArrayRef<const RealInterval*> operands,
             RealInterval& y);

 private:
  class Operations;
  std::unique_ptr<Operations> operations_;
};

}  // namespace lindero::passes
