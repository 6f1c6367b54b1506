#include "passes/quantize/double_interval.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <numbers>
#include <vector>

namespace lindero::passes {
namespace {

using ir::tensor::Expression;
using ir::tensor::ScalarOp;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kPieces = 16;
constexpr double kLibraryError = 0x1p-48;  // of a function of the C library, relative

double below(double x) { return std::nextafter(x, -kInfinity); }
double above(double x) { return std::nextafter(x, kInfinity); }

// The hull of results that were rounded: `exact` says that they were not.
struct Rounded {
  double value;
  bool exact;
};
DoubleInterval hullOf(std::initializer_list<Rounded> results) {
  DoubleInterval y = {kInfinity, -kInfinity};
  for (const auto& [value, exact] : results) {
    if (std::isnan(value)) return {};
    y.low = std::min(y.low, exact ? value : below(value));
    y.high = std::max(y.high, exact ? value : above(value));
  }
  return y;
}

Rounded sum(double a, double b) {
  const double value = a + b, rest = value - a;
  return {value, !std::isfinite(value) || (a - (value - rest)) + (b - rest) == 0};
}

Rounded product(double a, double b) {
  if (a == 0 || b == 0) return {0, true};
  const double value = a * b;
  const bool tiny = std::abs(value) < 0x1p-900;  // where the rest may be lost
  return {value, std::isinf(a) || std::isinf(b) || (!tiny && std::fma(a, b, -value) == 0)};
}

Rounded quotient(double a, double b) {
  if (std::isinf(a) && std::isinf(b)) return {std::nan(""), false};
  if (a == 0 || std::isinf(b)) return {0, a == 0};
  const double value = a / b;
  const bool tiny = std::abs(a) < 0x1p-900;
  return {value, std::isinf(a) || (!tiny && std::fma(value, b, -a) == 0)};
}

DoubleInterval widened(DoubleInterval y) {
  if (std::isnan(y.low) || std::isnan(y.high)) return {};
  y.low = below(y.low - std::abs(y.low) * kLibraryError);
  y.high = above(y.high + std::abs(y.high) * kLibraryError);
  return y;
}

// Of a function that never decreases, within its bounds.
DoubleInterval rising(const DoubleInterval& x, double (*function)(double),
                      double least = -kInfinity, double most = kInfinity) {
  DoubleInterval y = widened({function(x.low), function(x.high)});
  return {std::clamp(y.low, least, most), std::clamp(y.high, least, most)};
}

// Of a function that doubles hold exactly.
DoubleInterval steps(const DoubleInterval& x, double (*function)(double)) {
  return {function(x.low), function(x.high)};
}

// cos(x - shift): its greatest value is at shift + 2 k pi.
DoubleInterval wave(const DoubleInterval& x, double (*function)(double), double shift) {
  constexpr double kTurn = 2 * std::numbers::pi;
  if (!(x.high - x.low < kTurn) || std::abs(x.low) > 0x1p30) return {-1, 1};
  auto meets = [&](double at) {  // at + 2 k pi, or nearly so
    return std::floor((x.high - at) / kTurn + 1e-9) >= std::ceil((x.low - at) / kTurn - 1e-9);
  };
  DoubleInterval y = hull(widened({function(x.low), function(x.low)}),
                          widened({function(x.high), function(x.high)}));
  if (meets(shift)) y.high = 1;
  if (meets(shift + std::numbers::pi)) y.low = -1;
  // A hundred turns of doubles are exact to far less than this.
  y.low = std::max(y.low - 1e-12 * (1 + std::abs(x.low)), -1.0);
  y.high = std::min(y.high + 1e-12 * (1 + std::abs(x.low)), 1.0);
  return y;
}

DoubleInterval power(const DoubleInterval& a, const DoubleInterval& b) {
  if (b.isPoint() && b.low == std::floor(b.low) && b.low > 0) {
    const bool even = std::fmod(b.low, 2) == 0;
    DoubleInterval y = {std::pow(a.low, b.low), std::pow(a.high, b.low)};
    if (even && a.low < 0) y = {a.high < 0 ? y.high : 0, std::max(y.low, y.high)};
    const DoubleInterval wide = widened(y);
    return {even ? std::max(wide.low, 0.0) : wide.low, wide.high};
  }
  if (!(a.low > 0)) return {};
  DoubleInterval y = {kInfinity, -kInfinity};
  for (double base : {a.low, a.high}) {
    for (double exponent : {b.low, b.high}) {
      const double value = std::pow(base, exponent);
      if (std::isnan(value)) return {};
      y = hull(y, {value, value});
    }
  }
  return widened(y);
}

DoubleInterval truth(bool certain, bool possible) {
  return {certain ? 1.0 : 0.0, possible ? 1.0 : 0.0};
}

DoubleInterval less(const DoubleInterval& a, const DoubleInterval& b) {
  return truth(a.high < b.low, a.low < b.high);
}

DoubleInterval negated(const DoubleInterval& a) { return {-a.high, -a.low}; }
DoubleInterval not_(const DoubleInterval& a) { return {1 - a.high, 1 - a.low}; }

DoubleInterval magnitude(const DoubleInterval& a) {
  if (a.low >= 0) return a;
  if (a.high <= 0) return negated(a);
  return {0, std::max(-a.low, a.high)};
}

DoubleInterval divided(const DoubleInterval& a, const DoubleInterval& b) {
  if (b.contains(0)) return {};
  return hullOf({quotient(a.low, b.low), quotient(a.low, b.high), quotient(a.high, b.low),
                 quotient(a.high, b.high)});
}

DoubleInterval compared(ScalarOp op, const DoubleInterval& a, const DoubleInterval& b) {
  switch (op) {
    case ScalarOp::kLess:
      return less(a, b);
    case ScalarOp::kGreater:
      return less(b, a);
    case ScalarOp::kLessOrEqual:
      return not_(less(b, a));
    case ScalarOp::kGreaterOrEqual:
      return not_(less(a, b));
    default:
      return truth(a.isPoint() && b.isPoint() && a.low == b.low,
                   a.low <= b.high && b.low <= a.high);
  }
}

DoubleInterval monotone(ScalarOp op, const DoubleInterval& a) {
  namespace scalar = ir::tensor::scalar;
  switch (op) {
    case ScalarOp::kCeil:
      return steps(a, scalar::ceilOf);
    case ScalarOp::kFloor:
      return steps(a, scalar::floorOf);
    case ScalarOp::kRound:
      return steps(a, scalar::roundOf);
    case ScalarOp::kSign:
      return steps(a, scalar::sign);
    case ScalarOp::kRelu:
      return steps(a, scalar::relu);
    case ScalarOp::kErf:
      return rising(a, scalar::errorFunction, -1, 1);
    case ScalarOp::kTanh:
      return rising(a, scalar::tanhOf, -1, 1);
    case ScalarOp::kSigmoid:
      return rising(a, scalar::sigmoid, 0, 1);
    case ScalarOp::kAtan:
      return rising(a, scalar::arcTangent);
    case ScalarOp::kAsin:
      return a.low < -1 || a.high > 1 ? DoubleInterval() : rising(a, scalar::arcSine);
    case ScalarOp::kAcos:
      return a.low < -1 || a.high > 1
                 ? DoubleInterval()
                 : widened({scalar::arcCosine(a.high), scalar::arcCosine(a.low)});
    case ScalarOp::kExp:
      return rising(a, scalar::exponential, 0);
    case ScalarOp::kLog:
      return a.low < 0 ? DoubleInterval() : rising(a, scalar::logarithm);
    default:  // kSqrt
      return a.low < 0 ? DoubleInterval() : rising(a, scalar::squareRoot, 0);
  }
}

DoubleInterval apply(ScalarOp op, const DoubleInterval& a, const DoubleInterval& b,
                     const DoubleInterval& c) {
  switch (op) {
    case ScalarOp::kAdd:
      return {hullOf({sum(a.low, b.low)}).low, hullOf({sum(a.high, b.high)}).high};
    case ScalarOp::kSub:
      return {hullOf({sum(a.low, -b.high)}).low, hullOf({sum(a.high, -b.low)}).high};
    case ScalarOp::kMul:
      return hullOf({product(a.low, b.low), product(a.low, b.high), product(a.high, b.low),
                     product(a.high, b.high)});
    case ScalarOp::kDiv:
      return divided(a, b);
    case ScalarOp::kReciprocal:
      return divided({1, 1}, a);
    case ScalarOp::kPow:
      return power(a, b);
    case ScalarOp::kNeg:
      return negated(a);
    case ScalarOp::kAbs:
      return magnitude(a);
    case ScalarOp::kMax:
      return {std::max(a.low, b.low), std::max(a.high, b.high)};
    case ScalarOp::kMin:
      return {std::min(a.low, b.low), std::min(a.high, b.high)};
    case ScalarOp::kSin:
      return wave(a, std::sin, std::numbers::pi / 2);
    case ScalarOp::kCos:
      return wave(a, std::cos, 0);
    case ScalarOp::kPi:
      return {std::numbers::pi, above(std::numbers::pi)};
    case ScalarOp::kAnd:
      return {std::min(a.low, b.low), std::min(a.high, b.high)};
    case ScalarOp::kOr:
      return {std::max(a.low, b.low), std::max(a.high, b.high)};
    case ScalarOp::kNot:
      return not_(a);
    case ScalarOp::kBool:
      return truth(!a.contains(0), a.low != 0 || a.high != 0);
    case ScalarOp::kFloat:
      return a;
    case ScalarOp::kWhere:
      return a.low == 1 ? b : a.high == 0 ? c : hull(b, c);
    case ScalarOp::kEqual:
    case ScalarOp::kGreater:
    case ScalarOp::kGreaterOrEqual:
    case ScalarOp::kLess:
    case ScalarOp::kLessOrEqual:
      return compared(op, a, b);
    default:
      return monotone(op, a);
  }
}

DoubleInterval valuesOnPiece(const Expression& expression, const DoubleInterval& x) {
  std::vector<DoubleInterval> values;
  for (const Expression::Node& node : expression.nodes()) {
    if (node.function == nullptr) {
      values.push_back(node.is_variable ? x : DoubleInterval{node.number, node.number});
      continue;
    }
    auto operand = [&](size_t i) {
      return i < node.operands.size() ? values[node.operands[i]] : DoubleInterval();
    };
    values.push_back(apply(node.function->op, operand(0), operand(1), operand(2)));
  }
  return values.back();
}

}  // namespace

DoubleInterval hull(const DoubleInterval& a, const DoubleInterval& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

DoubleInterval valuesOn(const Expression& expression, const DoubleInterval& x) {
  const double width = x.high - x.low;
  if (width == 0 || !std::isfinite(width)) return valuesOnPiece(expression, x);
  DoubleInterval all = {kInfinity, -kInfinity};
  double from = x.low;
  for (int i = 1; i <= kPieces; ++i) {
    const double to = i == kPieces ? x.high : x.low + width * i / kPieces;
    all = hull(all, valuesOnPiece(expression, {from, to}));
    from = to;
  }
  return all;
}

}  // namespace lindero::passes
