// The elementwise functions of the tensor dialect on single numbers, in double precision: what the
// kernels of its ops and the expressions of tensor.activation share. Booleans are 0 and 1.
#pragma once

#include <cmath>

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace lindero::ir::tensor {

enum class ScalarOp {
  kAbs,
  kAcos,
  kAdd,
  kAnd,
  kAsin,
  kAtan,
  kBool,
  kCeil,
  kCos,
  kDiv,
  kEqual,
  kErf,
  kExp,
  kFloat,
  kFloor,
  kGreater,
  kGreaterOrEqual,
  kLess,
  kLessOrEqual,
  kLog,
  kMax,
  kMin,
  kMul,
  kNeg,
  kNot,
  kOr,
  kPi,
  kPow,
  kReciprocal,
  kRelu,
  kRound,
  kSigmoid,
  kSign,
  kSin,
  kSqrt,
  kSub,
  kTanh,
  kWhere,
};

// `operands` has a letter per operand: r, a real, or b, a boolean.
struct ScalarFunction {
  llvm::StringRef name;  // that of the op, without the dialect
  ScalarOp op;
  llvm::StringRef operands;
  char result;
  double (*apply)(double a, double b, double c);
};

// Sorted by name.
llvm::ArrayRef<ScalarFunction> scalarFunctions();
const ScalarFunction* findScalarFunction(llvm::StringRef name);  // null if there is none

namespace scalar {

inline double add(double a, double b) { return a + b; }
inline double sub(double a, double b) { return a - b; }
inline double mul(double a, double b) { return a * b; }
inline double div(double a, double b) { return a / b; }
inline double power(double a, double b) { return std::pow(a, b); }
// NaN in either operand gives NaN, as ONNX asks.
inline double greatest(double a, double b) { return a > b || std::isnan(a) ? a : b; }
inline double least(double a, double b) { return a < b || std::isnan(a) ? a : b; }
inline double absolute(double a) { return std::fabs(a); }
inline double negate(double a) { return -a; }
inline double sign(double a) { return (a > 0) - (a < 0); }
inline double reciprocal(double a) { return 1 / a; }
inline double squareRoot(double a) { return std::sqrt(a); }
inline double exponential(double a) { return std::exp(a); }
inline double logarithm(double a) { return std::log(a); }
inline double sine(double a) { return std::sin(a); }
inline double cosine(double a) { return std::cos(a); }
inline double floorOf(double a) { return std::floor(a); }
inline double ceilOf(double a) { return std::ceil(a); }
// Halves to even, whatever the rounding mode of the machine.
inline double roundOf(double a) {
  const double down = std::floor(a);
  if (a - down != 0.5) return std::round(a);
  return std::fmod(down, 2) == 0 ? down : down + 1;
}
inline double errorFunction(double a) { return std::erf(a); }
inline double arcSine(double a) { return std::asin(a); }
inline double arcCosine(double a) { return std::acos(a); }
inline double arcTangent(double a) { return std::atan(a); }
inline double tanhOf(double a) { return std::tanh(a); }
inline double relu(double a) { return a > 0 || std::isnan(a) ? a : 0; }
inline double sigmoid(double a) { return 1 / (1 + std::exp(-a)); }

}  // namespace scalar

}  // namespace lindero::ir::tensor
