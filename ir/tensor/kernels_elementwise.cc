// Elementwise ops, with ONNX broadcasting.

#include <cmath>
#include <limits>

#include "ir/tensor/expression.h"
#include "ir/tensor/kernels.h"
#include "ir/tensor/scalar_functions.h"

namespace lindero::ir::tensor {
namespace {

using namespace scalar;

template <double (*kFunction)(double)>
absl::Status realMap(const Call& call) {
  const std::vector<double>& x = call.in(0).reals;
  for (size_t i = 0; i < x.size(); ++i) call.result.reals[i] = kFunction(x[i]);
  return absl::OkStatus();
}

template <double (*kReal)(double), int64_t (*kInteger)(int64_t)>
absl::Status map(const Call& call) {
  if (call.in(0).isReal()) return realMap<kReal>(call);
  const std::vector<int64_t>& x = call.in(0).integers;
  for (size_t i = 0; i < x.size(); ++i) call.result.integers[i] = kInteger(x[i]);
  return absl::OkStatus();
}

template <bool kHigh>
absl::Status limb(const Call& call) {
  const auto shift = static_cast<int>(call.op.intAttr("shift"));
  const std::vector<double>& x = call.in(0).reals;
  for (size_t i = 0; i < x.size(); ++i) {
    const double high = std::floor(std::ldexp(x[i], -shift) + 0.5);
    call.result.reals[i] = kHigh ? high : x[i] - std::ldexp(high, shift);
  }
  return absl::OkStatus();
}

template <typename In, typename Out, Out (*kFunction)(In, In)>
void zip(const Call& call, const std::vector<In>& a, const std::vector<In>& b,
         std::vector<Out>& result) {
  auto visit = [&](int64_t out, auto in, auto step, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      result[out + i] = kFunction(a[in[0] + i * step[0]], b[in[1] + i * step[1]]);
    }
  };
  forEachRow<2>(call.result.shape, {&call.in(0), &call.in(1)}, visit);
}

template <double (*kReal)(double, double), int64_t (*kInteger)(int64_t, int64_t)>
absl::Status arithmetic(const Call& call) {
  if (call.in(0).isReal()) {
    zip<double, double, kReal>(call, call.in(0).reals, call.in(1).reals, call.result.reals);
  } else {
    zip<int64_t, int64_t, kInteger>(call, call.in(0).integers, call.in(1).integers,
                                    call.result.integers);
  }
  return absl::OkStatus();
}

template <int64_t (*kReal)(double, double), int64_t (*kInteger)(int64_t, int64_t)>
absl::Status comparison(const Call& call) {
  if (call.in(0).isReal()) {
    zip<double, int64_t, kReal>(call, call.in(0).reals, call.in(1).reals, call.result.integers);
  } else {
    zip<int64_t, int64_t, kInteger>(call, call.in(0).integers, call.in(1).integers,
                                    call.result.integers);
  }
  return absl::OkStatus();
}

// Integers wrap, as they do in every ONNX runtime; signed overflow would be undefined here.
int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }
int64_t addInteger(int64_t a, int64_t b) { return wrap(uint64_t(a) + uint64_t(b)); }
int64_t subInteger(int64_t a, int64_t b) { return wrap(uint64_t(a) - uint64_t(b)); }
int64_t mulInteger(int64_t a, int64_t b) { return wrap(uint64_t(a) * uint64_t(b)); }
int64_t negInteger(int64_t a) { return wrap(-uint64_t(a)); }
int64_t absInteger(int64_t a) { return a < 0 ? negInteger(a) : a; }
int64_t signInteger(int64_t a) { return (a > 0) - (a < 0); }
int64_t reluInteger(int64_t a) { return a > 0 ? a : 0; }
int64_t greatestInteger(int64_t a, int64_t b) { return a > b ? a : b; }
int64_t leastInteger(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t divInteger(int64_t a, int64_t b) { return b == -1 ? negInteger(a) : a / b; }

double wholeQuotient(double a, double b) { return std::floor(a / b); }
int64_t floorInteger(int64_t a, int64_t b) {
  if (b == 0) return 0;
  const int64_t quotient = divInteger(a, b);
  return quotient - ((a % (b == -1 ? 1 : b) != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

int64_t powInteger(int64_t base, int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
  int64_t result = 1;
  for (; exponent > 0; exponent /= 2, base = mulInteger(base, base)) {
    if (exponent % 2) result = mulInteger(result, base);
  }
  return result;
}

template <typename T>
int64_t equal(T a, T b) {
  return a == b;
}
template <typename T>
int64_t less(T a, T b) {
  return a < b;
}
template <typename T>
int64_t lessEqual(T a, T b) {
  return a <= b;
}
template <typename T>
int64_t greater(T a, T b) {
  return a > b;
}
template <typename T>
int64_t greaterEqual(T a, T b) {
  return a >= b;
}
int64_t logicalAnd(int64_t a, int64_t b) { return a & b; }
int64_t logicalOr(int64_t a, int64_t b) { return a | b; }

absl::Status wrapBits(const Call& call) {
  const std::vector<int64_t>& x = call.in(0).integers;
  const int64_t bits = call.op.intAttr("bits");
  if (bits == 64) {  // in two's complement, with or without a sign
    call.result.integers = x;
    return absl::OkStatus();
  }
  const uint64_t range = uint64_t{1} << bits;
  const uint64_t half = call.op.boolAttr("signed") ? range / 2 : 0;
  for (size_t i = 0; i < x.size(); ++i)
    call.result.integers[i] = wrap(((uint64_t(x[i]) + half) & (range - 1)) - half);
  return absl::OkStatus();
}

// Binary numbers with so many bits after the first, and exponents from `least` on, up to `most`.
struct Narrow {
  int bits, least;
  double most;
};
constexpr Narrow kHalf = {10, -14, 65504}, kBrain = {7, -126, 0x1.fep127};

double narrowed(double x, const Narrow& type) {
  if (!std::isfinite(x) || x == 0) return x;
  const double unit = std::ldexp(1, std::max(std::ilogb(x), type.least) - type.bits);
  const double nearest = std::nearbyint(x / unit) * unit;
  if (std::abs(nearest) > type.most)
    return std::copysign(std::numeric_limits<double>::infinity(), x);
  return x == std::floor(x) ? nearest : x;
}

absl::Status narrow(const Call& call) {
  const Narrow& type = call.op.stringAttr("type") == "f16" ? kHalf : kBrain;
  const std::vector<double>& x = call.in(0).reals;
  for (size_t i = 0; i < x.size(); ++i) call.result.reals[i] = narrowed(x[i], type);
  return absl::OkStatus();
}

double maskOne(double x, double open) {
  if (std::isnan(open)) return open;
  return open != 0 ? x : -std::numeric_limits<double>::infinity();
}

double same(double x) { return x; }

template <int64_t (*kFunction)(int64_t, int64_t)>
absl::Status logical(const Call& call) {
  zip<int64_t, int64_t, kFunction>(call, call.in(0).integers, call.in(1).integers,
                                   call.result.integers);
  return absl::OkStatus();
}

absl::Status logicalNot(const Call& call) {
  const std::vector<int64_t>& x = call.in(0).integers;
  for (size_t i = 0; i < x.size(); ++i) call.result.integers[i] = !x[i];
  return absl::OkStatus();
}

absl::Status divide(const Call& call) {
  if (!call.in(0).isReal() && llvm::is_contained(call.in(1).integers, 0)) {
    return absl::InvalidArgumentError("integer division by zero");
  }
  return arithmetic<div, divInteger>(call);
}

absl::Status isNan(const Call& call) {
  const std::vector<double>& x = call.in(0).reals;
  for (size_t i = 0; i < x.size(); ++i) call.result.integers[i] = std::isnan(x[i]);
  return absl::OkStatus();
}

absl::Status cast(const Call& call) {
  const Array& x = call.in(0);
  Array& y = call.result;
  for (int64_t i = 0, n = x.elements(); i < n; ++i) {
    if (y.isReal()) {
      y.reals[i] = x.isReal() ? x.reals[i] : static_cast<double>(x.integers[i]);
    } else if (y.element == Element::kBool) {
      y.integers[i] = x.isReal() ? x.reals[i] != 0 : x.integers[i] != 0;
    } else {
      y.integers[i] = x.isReal() ? toInteger(x.reals[i]) : x.integers[i];
    }
  }
  return absl::OkStatus();
}

template <typename T>
void select(const Call& call, const std::vector<T>& yes, const std::vector<T>& no,
            std::vector<T>& result) {
  const std::vector<int64_t>& condition = call.in(0).integers;
  auto visit = [&](int64_t out, auto in, auto step, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      result[out + i] =
          condition[in[0] + i * step[0]] ? yes[in[1] + i * step[1]] : no[in[2] + i * step[2]];
    }
  };
  forEachRow<3>(call.result.shape, {&call.in(0), &call.in(1), &call.in(2)}, visit);
}

absl::Status where(const Call& call) {
  if (call.result.isReal()) {
    select(call, call.in(1).reals, call.in(2).reals, call.result.reals);
  } else {
    select(call, call.in(1).integers, call.in(2).integers, call.result.integers);
  }
  return absl::OkStatus();
}

absl::Status mask(const Call& call) {
  zip<double, double, maskOne>(call, call.in(0).reals, call.in(1).reals, call.result.reals);
  if (!call.op.has("added") || !call.op.boolAttr("added")) return absl::OkStatus();
  const double masked = call.op.floatAttr("masked");
  for (auto [y, x] : llvm::zip(call.result.reals, call.in(0).reals))
    if (std::isinf(y)) y = x + masked;
  return absl::OkStatus();
}

absl::Status activation(const Call& call) {
  auto function = Expression::parse(call.op.stringAttr("function"));
  if (!function.ok()) return function.status();
  function->evaluate(call.in(0).reals, call.result.reals);
  return absl::OkStatus();
}

constexpr NamedKernel kKernels[] = {
    {"tensor.abs", map<absolute, absInteger>},
    {"tensor.activation", activation},
    {"tensor.add", arithmetic<add, addInteger>},
    {"tensor.and", logical<logicalAnd>},
    {"tensor.bit_and", logical<logicalAnd>},
    {"tensor.cast", cast},
    {"tensor.ceil", realMap<ceilOf>},
    {"tensor.cos", realMap<cosine>},
    {"tensor.div", divide},
    {"tensor.equal", comparison<equal<double>, equal<int64_t>>},
    {"tensor.erf", realMap<errorFunction>},
    {"tensor.exp", realMap<exponential>},
    {"tensor.floor", realMap<floorOf>},
    {"tensor.greater", comparison<greater<double>, greater<int64_t>>},
    {"tensor.greater_or_equal", comparison<greaterEqual<double>, greaterEqual<int64_t>>},
    {"tensor.high_limb", limb<true>},
    {"tensor.is_nan", isNan},
    {"tensor.less", comparison<less<double>, less<int64_t>>},
    {"tensor.less_or_equal", comparison<lessEqual<double>, lessEqual<int64_t>>},
    {"tensor.log", realMap<logarithm>},
    {"tensor.low_limb", limb<false>},
    {"tensor.mask", mask},
    {"tensor.max", arithmetic<greatest, greatestInteger>},
    {"tensor.min", arithmetic<least, leastInteger>},
    {"tensor.mul", arithmetic<mul, mulInteger>},
    {"tensor.narrow", narrow},
    {"tensor.neg", map<negate, negInteger>},
    {"tensor.not", logicalNot},
    {"tensor.or", logical<logicalOr>},
    {"tensor.pow", arithmetic<power, powInteger>},
    {"tensor.reciprocal", realMap<reciprocal>},
    {"tensor.relu", map<relu, reluInteger>},
    {"tensor.round", realMap<roundOf>},
    {"tensor.sigmoid", realMap<sigmoid>},
    {"tensor.sign", map<sign, signInteger>},
    {"tensor.sin", realMap<sine>},
    {"tensor.sqrt", realMap<squareRoot>},
    {"tensor.sub", arithmetic<sub, subInteger>},
    {"tensor.tanh", realMap<tanhOf>},
    {"tensor.where", where},
    {"tensor.whole_quotient", arithmetic<wholeQuotient, floorInteger>},
    {"tensor.within", realMap<same>},
    {"tensor.wrap", wrapBits},
};

}  // namespace

llvm::ArrayRef<NamedKernel> elementwiseKernels() { return kKernels; }

}  // namespace lindero::ir::tensor
