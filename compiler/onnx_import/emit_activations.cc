// ONNX ops that are one function of each element, as expressions: their formulas on the operator
// pages, with the attributes as numbers.

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "compiler/onnx_import/node_emitter.h"
#include "ir/core/status_macros.h"

namespace lindero::compiler {
namespace {

using ir::Value;

absl::Status function(NodeEmitter& e, const std::string& text) {
  return e.emitOutput("tensor.activation", {e.input(0)}, {{"function", text}});
}

// What has no attributes: the text stands in its table row.
absl::Status expression(NodeEmitter& e, llvm::StringRef text) { return function(e, text.str()); }

// All digits: the attribute and nothing else.
std::string number(NodeEmitter& e, llvm::StringRef name, float fallback) {
  return absl::StrFormat("%.17g", e.floatAttr(name, fallback));
}

// ln(1 + e^x), without large powers.
constexpr char kSoftplus[] = "add(max(0, x), log(add(1, exp(neg(abs(x))))))";

std::string hardSigmoid(const std::string& alpha, const std::string& beta) {
  return absl::StrCat("max(0, min(1, add(mul(", alpha, ", x), ", beta, ")))");
}

absl::Status celu(NodeEmitter& e, llvm::StringRef) {
  const std::string alpha = number(e, "alpha", 1);
  return function(e, absl::StrCat("add(max(0, x), min(0, mul(", alpha, ", sub(exp(div(x, ", alpha,
                                  ")), 1))))"));
}

absl::Status elu(NodeEmitter& e, llvm::StringRef) {
  return function(
      e, absl::StrCat("where(less(x, 0), mul(", number(e, "alpha", 1), ", sub(exp(x), 1)), x)"));
}

absl::Status gelu(NodeEmitter& e, llvm::StringRef) {
  const std::string approximate = e.stringAttr("approximate", "none");
  if (approximate == "none") return function(e, "gelu(x)");
  if (approximate == "tanh") return function(e, "gelu_tanh(x)");
  return absl::InvalidArgumentError(
      absl::StrCat("approximate is '", approximate, "', not 'none' or 'tanh'"));
}

absl::Status hardSigmoid(NodeEmitter& e, llvm::StringRef) {
  return function(e, hardSigmoid(number(e, "alpha", 0.2f), number(e, "beta", 0.5f)));
}

absl::Status hardSwish(NodeEmitter& e, llvm::StringRef) {
  return function(e, absl::StrCat("mul(x, ", hardSigmoid("div(1, 6)", "0.5"), ")"));
}

absl::Status leakyRelu(NodeEmitter& e, llvm::StringRef) {
  return function(e, absl::StrCat("where(less(x, 0), mul(", number(e, "alpha", 0.01f), ", x), x)"));
}

absl::Status mish(NodeEmitter& e, llvm::StringRef) {
  return function(e, absl::StrCat("mul(x, tanh(", kSoftplus, "))"));
}

absl::Status prelu(NodeEmitter& e, llvm::StringRef) {
  IR_RETURN_IF_ERROR(checkBroadcastsTo(e.input(0), e.input(1)));
  IR_ASSIGN_OR_RETURN(
      Value * negative,
      e.emit("tensor.less", {e.input(0), e.constant(ir::tensor::Array::real({}, {0}))}));
  IR_ASSIGN_OR_RETURN(Value * sloped, e.emit("tensor.mul", {e.input(1), e.input(0)}));
  return e.emitOutput("tensor.where", {negative, sloped, e.input(0)});
}

absl::Status selu(NodeEmitter& e, llvm::StringRef) {
  const std::string alpha = number(e, "alpha", 1.67326319217681884765625f),
                    gamma = number(e, "gamma", 1.05070102214813232421875f);
  return function(e, absl::StrCat("mul(", gamma, ", where(greater(x, 0), x, mul(", alpha,
                                  ", sub(exp(x), 1))))"));
}

absl::Status shrink(NodeEmitter& e, llvm::StringRef) {
  const std::string bias = number(e, "bias", 0), limit = number(e, "lambd", 0.5f);
  return function(e, absl::StrCat("where(less(x, sub(0, ", limit, ")), add(x, ", bias,
                                  "), where(greater(x, ", limit, "), sub(x, ", bias, "), 0))"));
}

absl::Status thresholdedRelu(NodeEmitter& e, llvm::StringRef) {
  return function(e, absl::StrCat("where(greater(x, ", number(e, "alpha", 1), "), x, 0)"));
}

constexpr NamedEmitter kEmitters[] = {
    {"Acos", expression, "acos(x)"},
    {"Acosh", expression, "log(add(x, sqrt(sub(mul(x, x), 1))))"},
    {"Asin", expression, "asin(x)"},
    {"Asinh", expression, "mul(sign(x), log(add(abs(x), sqrt(add(mul(x, x), 1)))))"},
    {"Atan", expression, "atan(x)"},
    {"Atanh", expression, "mul(0.5, log(div(add(1, x), sub(1, x))))"},
    {"Celu", celu},
    {"Cosh", expression, "mul(0.5, add(exp(x), exp(neg(x))))"},
    {"Elu", elu},
    {"Gelu", gelu},
    {"HardSigmoid", hardSigmoid},
    {"HardSwish", hardSwish},
    {"LeakyRelu", leakyRelu},
    {"Mish", mish},
    {"PRelu", prelu},
    {"Selu", selu},
    {"Shrink", shrink},
    {"Sinh", expression, "mul(0.5, sub(exp(x), exp(neg(x))))"},
    {"Softplus", expression, kSoftplus},
    {"Softsign", expression, "div(x, add(1, abs(x)))"},
    {"Tan", expression, "div(sin(x), cos(x))"},
    {"ThresholdedRelu", thresholdedRelu},
};

}  // namespace

llvm::ArrayRef<NamedEmitter> activationEmitters() { return kEmitters; }

}  // namespace lindero::compiler
