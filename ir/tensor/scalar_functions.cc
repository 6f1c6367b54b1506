#include "ir/tensor/scalar_functions.h"

#include <numbers>

#include "llvm/ADT/STLExtras.h"

namespace lindero::ir::tensor {
namespace {

template <double (*kFunction)(double)>
double unary(double a, double, double) {
  return kFunction(a);
}

template <double (*kFunction)(double, double)>
double binary(double a, double b, double) {
  return kFunction(a, b);
}

using enum ScalarOp;
using namespace scalar;

constexpr ScalarFunction kFunctions[] = {
    {"abs", kAbs, "r", 'r', unary<absolute>},
    {"acos", kAcos, "r", 'r', unary<arcCosine>},
    {"add", kAdd, "rr", 'r', binary<add>},
    {"and", kAnd, "bb", 'b', [](double a, double b, double) -> double { return a != 0 && b != 0; }},
    {"asin", kAsin, "r", 'r', unary<arcSine>},
    {"atan", kAtan, "r", 'r', unary<arcTangent>},
    {"bool", kBool, "r", 'b', [](double a, double, double) -> double { return a != 0; }},
    {"ceil", kCeil, "r", 'r', unary<ceilOf>},
    {"cos", kCos, "r", 'r', unary<cosine>},
    {"div", kDiv, "rr", 'r', binary<div>},
    {"equal", kEqual, "rr", 'b', [](double a, double b, double) -> double { return a == b; }},
    {"erf", kErf, "r", 'r', unary<errorFunction>},
    {"exp", kExp, "r", 'r', unary<exponential>},
    {"float", kFloat, "b", 'r', [](double a, double, double) { return a; }},
    {"floor", kFloor, "r", 'r', unary<floorOf>},
    {"greater", kGreater, "rr", 'b', [](double a, double b, double) -> double { return a > b; }},
    {"greater_or_equal", kGreaterOrEqual, "rr", 'b',
     [](double a, double b, double) -> double { return a >= b; }},
    {"less", kLess, "rr", 'b', [](double a, double b, double) -> double { return a < b; }},
    {"less_or_equal", kLessOrEqual, "rr", 'b',
     [](double a, double b, double) -> double { return a <= b; }},
    {"log", kLog, "r", 'r', unary<logarithm>},
    {"max", kMax, "rr", 'r', binary<greatest>},
    {"min", kMin, "rr", 'r', binary<least>},
    {"mul", kMul, "rr", 'r', binary<mul>},
    {"neg", kNeg, "r", 'r', unary<negate>},
    {"not", kNot, "b", 'b', [](double a, double, double) -> double { return a == 0; }},
    {"or", kOr, "bb", 'b', [](double a, double b, double) -> double { return a != 0 || b != 0; }},
    {"pi", kPi, "", 'r', [](double, double, double) { return std::numbers::pi; }},
    {"pow", kPow, "rr", 'r', binary<power>},
    {"reciprocal", kReciprocal, "r", 'r', unary<reciprocal>},
    {"relu", kRelu, "r", 'r', unary<relu>},
    {"round", kRound, "r", 'r', unary<roundOf>},
    {"sigmoid", kSigmoid, "r", 'r', unary<sigmoid>},
    {"sign", kSign, "r", 'r', unary<sign>},
    {"sin", kSin, "r", 'r', unary<sine>},
    {"sqrt", kSqrt, "r", 'r', unary<squareRoot>},
    {"sub", kSub, "rr", 'r', binary<sub>},
    {"tanh", kTanh, "r", 'r', unary<tanhOf>},
    {"where", kWhere, "brr", 'r', [](double a, double b, double c) { return a != 0 ? b : c; }},
};

}  // namespace

llvm::ArrayRef<ScalarFunction> scalarFunctions() { return kFunctions; }

const ScalarFunction* findScalarFunction(llvm::StringRef name) {
  const auto* found = llvm::lower_bound(
      kFunctions, name, [](const ScalarFunction& f, llvm::StringRef n) { return f.name < n; });
  return found != std::end(kFunctions) && found->name == name ? found : nullptr;
}

}  // namespace lindero::ir::tensor
