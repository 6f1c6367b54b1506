#include "passes/quantize/real_interval.h"

#include <utility>

namespace lindero::passes {
namespace {

using ir::tensor::ScalarOp;
using State = RealInterval::State;

constexpr mpfr_rnd_t kDown = MPFR_RNDD, kUp = MPFR_RNDU;

void assign(End& to, const End& from) {
  mpfr_set(to.value, from.value, MPFR_RNDN);
  to.open = from.open;
}

void assign(RealInterval& to, const RealInterval& from) {
  to.state = from.state;
  assign(to.low, from.low);
  assign(to.high, from.high);
}

bool isZero(const RealInterval& x) {
  return x.isPoint() && mpfr_zero_p(static_cast<mpfr_srcptr>(x.low.value));
}

bool isOrdered(const RealInterval& x) { return x.isFinite() || x.state == State::kInfinite; }

// Of operands that no result can come from: undefined, if one is or an infinity is to be calculated
// with; else unknown.
State spoilt(llvm::ArrayRef<const RealInterval*> operands) {
  for (const RealInterval* x : operands) {
    if (x->state == State::kUndefined || x->state == State::kInfinite) return State::kUndefined;
  }
  return State::kUnknown;
}

bool strictlyBelow(const End& high, const End& low) {
  const int order = mpfr_cmp(high.value, low.value);
  return order < 0 || (order == 0 && (high.open || low.open));
}

// a < b
State less(const RealInterval& a, const RealInterval& b) {
  if (!isOrdered(a) || !isOrdered(b)) {
    const bool undefined = a.state == State::kUndefined || b.state == State::kUndefined;
    return undefined ? State::kUndefined : State::kUnknown;
  }
  if (&a == &b) return State::kFalse;  // one value, however wide its interval is
  if (strictlyBelow(a.high, b.low)) return State::kTrue;
  return mpfr_cmp(a.low.value, b.high.value) >= 0 ? State::kFalse : State::kUnknown;
}

State negated(State state) {
  if (state == State::kTrue) return State::kFalse;
  return state == State::kFalse ? State::kTrue : state;
}

State equal(const RealInterval& a, const RealInterval& b) {
  const State below = less(a, b), above = less(b, a);
  if (below == State::kTrue || above == State::kTrue) return State::kFalse;
  if (below == State::kFalse && above == State::kFalse) return State::kTrue;
  return below == State::kFalse ? above : below;
}

// Whatever `decisive` decides alone.
State combined(State a, State b, State decisive) {
  if (a == decisive || b == decisive) return decisive;
  if (a == State::kUndefined || b == State::kUndefined) return State::kUndefined;
  return a == State::kUnknown || b == State::kUnknown ? State::kUnknown : negated(decisive);
}

}  // namespace

bool RealInterval::isPoint() const {
  return isFinite() && !low.open && !high.open && mpfr_equal_p(low.value, high.value);
}

void setPoint(RealInterval& y, int64_t value) {
  y.state = State::kFinite;
  mpfr_set_si(y.low.value, value, MPFR_RNDN);
  mpfr_set_si(y.high.value, value, MPFR_RNDN);
  y.low.open = y.high.open = false;
}

int signOf(const End& end) { return mpfr_sgn(static_cast<mpfr_srcptr>(end.value)); }

class RealArithmetic::Operations {
 public:
  explicit Operations(mpfr_prec_t precision)
      : none_(precision),
        temporary_(precision),
        corner_(precision),
        other_(precision),
        third_(precision) {}

  void apply(ScalarOp op, llvm::ArrayRef<const RealInterval*> operands, RealInterval& y) {
    const RealInterval& a = operands.empty() ? none_ : *operands[0];
    const RealInterval& b = operands.size() < 2 ? none_ : *operands[1];
    switch (op) {
      case ScalarOp::kAnd:
        y.state = combined(a.state, b.state, State::kFalse);
        return;
      case ScalarOp::kOr:
        y.state = combined(a.state, b.state, State::kTrue);
        return;
      case ScalarOp::kNot:
        y.state = negated(a.state);
        return;
      case ScalarOp::kEqual:
        y.state = equal(a, b);
        return;
      case ScalarOp::kLess:
        y.state = less(a, b);
        return;
      case ScalarOp::kGreater:
        y.state = less(b, a);
        return;
      case ScalarOp::kLessOrEqual:
        y.state = negated(less(b, a));
        return;
      case ScalarOp::kGreaterOrEqual:
        y.state = negated(less(a, b));
        return;
      case ScalarOp::kBool:
        setPoint(other_, 0);
        y.state = negated(equal(a, other_));
        return;
      case ScalarOp::kFloat:
        if (a.state == State::kTrue || a.state == State::kFalse)
          return setPoint(y, a.state == State::kTrue);
        y.state = a.state;
        return;
      case ScalarOp::kWhere:
        return where(a, b, *operands[2], y);
      case ScalarOp::kMin:
      case ScalarOp::kMax:
        return choose(a, b, op == ScalarOp::kMax, y);
      case ScalarOp::kRelu:
        setPoint(other_, 0);
        return choose(a, other_, true, y);
      case ScalarOp::kNeg:
        return negate(a, y);
      case ScalarOp::kAbs:
        return absolute(a, y);
      case ScalarOp::kSign:
        return sign(a, y);
      default:
        break;
    }
    for (const RealInterval* x : operands) {
      if (x->isFinite()) continue;
      y.state = spoilt(operands);
      return;
    }
    y.state = State::kFinite;
    calculate(op, a, b, y);
    // Beyond the exponents of MPFR.
    if (y.isFinite() && !(mpfr_number_p(static_cast<mpfr_srcptr>(y.low.value)) &&
                          mpfr_number_p(static_cast<mpfr_srcptr>(y.high.value)))) {
      y.state = State::kUnknown;
    }
  }

 private:
  using Unary = int (*)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);
  using Binary = int (*)(mpfr_ptr, mpfr_srcptr, mpfr_srcptr, mpfr_rnd_t);

  void calculate(ScalarOp op, const RealInterval& a, const RealInterval& b, RealInterval& y) {
    switch (op) {
      case ScalarOp::kPi:
        y.low.open = mpfr_const_pi(y.low.value, kDown) != 0;
        y.high.open = mpfr_const_pi(y.high.value, kUp) != 0;
        return;
      case ScalarOp::kAdd:
        y.low.open = mpfr_add(y.low.value, a.low.value, b.low.value, kDown) != 0;
        y.high.open = mpfr_add(y.high.value, a.high.value, b.high.value, kUp) != 0;
        y.low.open |= a.low.open || b.low.open;
        y.high.open |= a.high.open || b.high.open;
        return;
      case ScalarOp::kSub:
        y.low.open = mpfr_sub(y.low.value, a.low.value, b.high.value, kDown) != 0;
        y.high.open = mpfr_sub(y.high.value, a.high.value, b.low.value, kUp) != 0;
        y.low.open |= a.low.open || b.high.open;
        y.high.open |= a.high.open || b.low.open;
        return;
      case ScalarOp::kMul:
        return corners(mpfr_mul, a, b, y);
      case ScalarOp::kDiv:
        return divide(a, b, y);
      case ScalarOp::kReciprocal:
        setPoint(other_, 1);
        return divide(other_, a, y);
      case ScalarOp::kPow:
        return power(a, b, y);
      case ScalarOp::kExp:
        return increasing(mpfr_exp, a, y);
      case ScalarOp::kErf:
        return increasing(mpfr_erf, a, y);
      case ScalarOp::kTanh:
        return increasing(mpfr_tanh, a, y);
      case ScalarOp::kAtan:
        return increasing(mpfr_atan, a, y);
      case ScalarOp::kAsin:
        if (isWithinOne(a, y)) increasing(mpfr_asin, a, y);
        return;
      case ScalarOp::kAcos:
        if (isWithinOne(a, y)) decreasing(mpfr_acos, a, y);
        return;
      case ScalarOp::kLog:
        return logarithm(a, y);
      case ScalarOp::kSqrt:
        return root(a, y);
      case ScalarOp::kSigmoid:
        sigmoid(a.low, y.low, kDown);
        sigmoid(a.high, y.high, kUp);
        return;
      case ScalarOp::kSin:
        return wave(mpfr_sin, a, y);
      case ScalarOp::kCos:
        return wave(mpfr_cos, a, y);
      case ScalarOp::kFloor:
      case ScalarOp::kCeil:
      case ScalarOp::kRound:
        return step(op, a, y);
      default:
        y.state = State::kUndefined;  // apply() has dealt with the others
    }
  }

  // Strictly increasing functions of one variable.
  void increasing(Unary function, const RealInterval& a, RealInterval& y) {
    const bool point = a.isPoint();
    y.low.open = function(y.low.value, a.low.value, kDown) != 0 || a.low.open;
    if (point) {
      // One evaluation is enough: the next number up.
      mpfr_set(y.high.value, y.low.value, MPFR_RNDN);
      y.high.open = y.low.open;
      if (y.low.open) mpfr_nextabove(y.high.value);
      return;
    }
    y.high.open = function(y.high.value, a.high.value, kUp) != 0 || a.high.open;
  }

  // Strictly decreasing functions of one variable.
  static void decreasing(Unary function, const RealInterval& a, RealInterval& y) {
    y.low.open = function(y.low.value, a.high.value, kDown) != 0 || a.high.open;
    y.high.open = function(y.high.value, a.low.value, kUp) != 0 || a.low.open;
  }

  // Is a in [-1, 1]? Else says what y is.
  static bool isWithinOne(const RealInterval& a, RealInterval& y) {
    const auto order = [](const End& end, int limit) { return mpfr_cmp_si(end.value, limit); };
    if (order(a.low, -1) >= 0 && order(a.high, 1) <= 0) return true;
    const bool outside = order(a.low, 1) > 0 || order(a.high, -1) < 0;
    y.state = outside ? State::kUndefined : State::kUnknown;
    return false;
  }

  // Functions that are monotone in each variable have their extremes at corners. A corner of value
  // zero may be one of many points with it; any other is the only one on its edges.
  void corners(Binary function, const RealInterval& a, const RealInterval& b, RealInterval& y,
               bool strict = true) {
    bool first = true;
    const bool points = a.isPoint() && b.isPoint();
    for (const End* p : {&a.low, &a.high}) {
      for (const End* q : {&b.low, &b.high}) {
        for (const bool up : {false, true}) {
          End& end = up ? y.high : y.low;
          Real& value = first ? end.value : corner_;
          const bool rounded = function(value, p->value, q->value, up ? kUp : kDown) != 0;
          const bool zero = mpfr_zero_p(static_cast<mpfr_srcptr>(value)) != 0;
          const bool open = rounded || (strict && !zero && (p->open || q->open));
          if (first) {
            end.open = open;
            continue;
          }
          const int order = mpfr_cmp(corner_, end.value) * (up ? 1 : -1);
          if (order == 0) end.open &= open;
          if (order <= 0) continue;
          mpfr_set(end.value, corner_, MPFR_RNDN);
          end.open = open;
        }
        if (points) return;
        first = false;
      }
    }
  }

  void divide(const RealInterval& a, const RealInterval& b, RealInterval& y) {
    if (signOf(b.low) > 0 || signOf(b.high) < 0) return corners(mpfr_div, a, b, y);
    y.state = isZero(b) ? State::kUndefined : State::kUnknown;
  }

  void logarithm(const RealInterval& a, RealInterval& y) {
    if (signOf(a.low) > 0) return increasing(mpfr_log, a, y);
    y.state = State::kUnknown;
    if (signOf(a.high) < 0) y.state = State::kUndefined;
    if (!isZero(a)) return;
    y.state = State::kInfinite;
    mpfr_set_inf(y.low.value, -1);
    mpfr_set_inf(y.high.value, -1);
    y.low.open = y.high.open = false;
  }

  void root(const RealInterval& a, RealInterval& y) {
    if (signOf(a.low) >= 0) return increasing(mpfr_sqrt, a, y);
    y.state = signOf(a.high) < 0 ? State::kUndefined : State::kUnknown;
  }

  // 1 / (1 + e^-x), every step rounded to the side that lets the result be.
  void sigmoid(const End& x, End& y, mpfr_rnd_t side) {
    const mpfr_rnd_t opposite = side == kDown ? kUp : kDown;
    mpfr_neg(temporary_, x.value, MPFR_RNDN);
    int rounded = mpfr_exp(temporary_, temporary_, opposite);
    rounded |= mpfr_add_ui(temporary_, temporary_, 1, opposite);
    rounded |= mpfr_ui_div(y.value, 1, temporary_, side);
    y.open = rounded != 0 || x.open;
  }

  // Neither grows faster than its argument.
  void wave(Unary function, const RealInterval& a, RealInterval& y) {
    mpfr_sub(temporary_, a.high.value, a.low.value, kUp);
    const bool wide = mpfr_sgn(static_cast<mpfr_srcptr>(temporary_)) > 0;
    y.low.open = function(y.low.value, a.low.value, kDown) != 0 && !wide;
    y.high.open = function(y.high.value, a.low.value, kUp) != 0 && !wide;
    mpfr_sub(y.low.value, y.low.value, temporary_, kDown);
    mpfr_add(y.high.value, y.high.value, temporary_, kUp);
  }

  void step(ScalarOp op, const RealInterval& a, RealInterval& y) {
    stepEnd(op, a.low, false, y.low);
    stepEnd(op, a.high, true, y.high);
  }

  // An open end on which the function jumps belongs to the other side of the jump.
  void stepEnd(ScalarOp op, const End& a, bool high, End& y) {
    y.open = false;
    mpfr_mul_2ui(temporary_, a.value, 1, MPFR_RNDN);
    const bool integer = mpfr_integer_p(static_cast<mpfr_srcptr>(a.value)) != 0;
    const bool half = !integer && mpfr_integer_p(static_cast<mpfr_srcptr>(temporary_)) != 0;
    if (op == ScalarOp::kFloor) {
      mpfr_rint_floor(y.value, a.value, MPFR_RNDN);
      if (high && a.open && integer) mpfr_sub_ui(y.value, y.value, 1, MPFR_RNDN);
    } else if (op == ScalarOp::kCeil) {
      mpfr_rint_ceil(y.value, a.value, MPFR_RNDN);
      if (!high && a.open && integer) mpfr_add_ui(y.value, y.value, 1, MPFR_RNDN);
    } else if (half && a.open) {
      (high ? mpfr_rint_floor : mpfr_rint_ceil)(y.value, a.value, MPFR_RNDN);
    } else {
      mpfr_rint(y.value, a.value, MPFR_RNDN);  // halves to even
    }
  }

  // a^b: of a constant integer b any a, else positive ones.
  void power(const RealInterval& a, const RealInterval& b, RealInterval& y) {
    const bool integer = b.isPoint() && mpfr_integer_p(static_cast<mpfr_srcptr>(b.low.value));
    if (integer && signOf(b.low) == 0) return setPoint(y, 1);
    if (integer && signOf(b.low) < 0) {
      assign(third_, b);
      negate(third_, third_);
      integerPower(a, third_, other_);
      assign(third_, other_);
      setPoint(other_, 1);
      return divide(other_, third_, y);
    }
    if (integer) return integerPower(a, b, y);
    if (signOf(a.low) > 0) return corners(mpfr_pow, a, b, y, /*strict=*/false);
    if (isZero(a) && signOf(b.low) > 0) return setPoint(y, 0);
    y.state = signOf(a.high) < 0 || (isZero(a) && signOf(b.high) < 0) ? State::kUndefined
                                                                      : State::kUnknown;
  }

  // b > 0, an integer.
  void integerPower(const RealInterval& a, const RealInterval& b, RealInterval& y) {
    mpfr_div_2ui(temporary_, b.low.value, 1, MPFR_RNDN);
    const bool even = mpfr_integer_p(static_cast<mpfr_srcptr>(temporary_)) != 0;
    y.state = State::kFinite;
    End low(mpfr_get_prec(a.low.value)), high(mpfr_get_prec(a.low.value));
    if (even) {
      RealInterval magnitude(mpfr_get_prec(a.low.value));
      absolute(a, magnitude);
      assign(low, magnitude.low);
      assign(high, magnitude.high);
    } else {
      assign(low, a.low);
      assign(high, a.high);
    }
    y.low.open = mpfr_pow(y.low.value, low.value, b.low.value, kDown) != 0 || low.open;
    y.high.open = mpfr_pow(y.high.value, high.value, b.low.value, kUp) != 0 || high.open;
  }

  static void negate(const RealInterval& a, RealInterval& y) {
    y.state = a.state;
    if (!isOrdered(a)) return;
    if (&a == &y) {
      mpfr_swap(y.low.value, y.high.value);
      std::swap(y.low.open, y.high.open);
    } else {
      mpfr_set(y.low.value, a.high.value, MPFR_RNDN);
      mpfr_set(y.high.value, a.low.value, MPFR_RNDN);
      y.low.open = a.high.open;
      y.high.open = a.low.open;
    }
    mpfr_neg(y.low.value, y.low.value, MPFR_RNDN);
    mpfr_neg(y.high.value, y.high.value, MPFR_RNDN);
  }

  static void absolute(const RealInterval& a, RealInterval& y) {
    if (!isOrdered(a) || signOf(a.low) >= 0) return assign(y, a);
    if (signOf(a.high) <= 0) return negate(a, y);
    y.state = a.state;
    const int order = mpfr_cmpabs(a.low.value, a.high.value);
    const End& farther = order > 0 ? a.low : a.high;
    mpfr_abs(y.high.value, farther.value, MPFR_RNDN);
    y.high.open = order == 0 ? a.low.open && a.high.open : farther.open;
    mpfr_set_zero(y.low.value, 1);
    y.low.open = false;
  }

  static void sign(const RealInterval& a, RealInterval& y) {
    if (!isOrdered(a)) {
      y.state = a.state;
      return;
    }
    const bool positive = signOf(a.low) > 0 || (signOf(a.low) == 0 && a.low.open);
    const bool negative = signOf(a.high) < 0 || (signOf(a.high) == 0 && a.high.open);
    setPoint(y, positive - negative);
    if (!positive && !negative && !isZero(a)) y.state = State::kUnknown;
  }

  // The greater or the lesser one.
  static void choose(const RealInterval& a, const RealInterval& b, bool greater, RealInterval& y) {
    if (!isOrdered(a) || !isOrdered(b)) {
      const bool undefined = a.state == State::kUndefined || b.state == State::kUndefined;
      y.state = undefined ? State::kUndefined : State::kUnknown;
      return;
    }
    for (const bool high : {false, true}) {
      const End& p = high ? a.high : a.low;
      const End& q = high ? b.high : b.low;
      const int order = mpfr_cmp(p.value, q.value) * (greater ? 1 : -1);
      End& end = high ? y.high : y.low;
      // Where the ends agree, one value off the end is enough on the side of the choice.
      const bool open = high == greater ? p.open && q.open : p.open || q.open;
      assign(end, order >= 0 ? p : q);
      if (order == 0) end.open = open;
    }
    const bool finite = mpfr_number_p(static_cast<mpfr_srcptr>(y.low.value)) != 0 &&
                        mpfr_number_p(static_cast<mpfr_srcptr>(y.high.value)) != 0;
    y.state = finite ? State::kFinite : State::kInfinite;
  }

  static void where(const RealInterval& condition, const RealInterval& yes, const RealInterval& no,
                    RealInterval& y) {
    if (condition.state == State::kTrue || condition.state == State::kFalse)
      return assign(y, condition.state == State::kTrue ? yes : no);
    y.state = condition.state;
  }

  const RealInterval none_;  // stands for operands that there are not
  Real temporary_, corner_;
  RealInterval other_, third_;
};

RealArithmetic::RealArithmetic(mpfr_prec_t precision)
    : operations_(std::make_unique<Operations>(precision)) {}

RealArithmetic::~RealArithmetic() = default;

void RealArithmetic::apply(ScalarOp op, llvm::ArrayRef<const RealInterval*> operands,
                           RealInterval& y) {
  operations_->apply(op, operands, y);
}

}  // namespace lindero::passes
