#include "ir/tensor/activation.h"

#include <cmath>

namespace lindero::ir::tensor {
namespace {

double relu(double x) { return x > 0 || std::isnan(x) ? x : 0; }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double silu(double x) { return x * sigmoid(x); }
double tanhOf(double x) { return std::tanh(x); }
double gelu(double x) { return 0.5 * x * (1 + std::erf(x * M_SQRT1_2)); }
// sqrt(2 / pi) = 2 / sqrt(pi) * sqrt(1 / 2).
double geluTanh(double x) {
  return 0.5 * x * (1 + std::tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x)));
}

constexpr Activation kActivations[] = {
    {"gelu", gelu},       {"gelu_tanh", geluTanh}, {"relu", relu},
    {"sigmoid", sigmoid}, {"silu", silu},          {"tanh", tanhOf},
};

}  // namespace

llvm::ArrayRef<Activation> activations() { return kActivations; }

ScalarFunction findActivation(llvm::StringRef kind) {
  for (const Activation& activation : kActivations) {
    if (activation.kind == kind) return activation.function;
  }
  return nullptr;
}

}  // namespace lindero::ir::tensor
