#include "passes/import_cleanup/fuse_layernorm/fuse_layernorm.h"

#include <cmath>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;
using OpList = llvm::SmallVector<const Op*, 10>;

// Mean over the last axis, which is kept: its operand, or null.
Value* meanOf(const Value* value) {
  if (!isOp(value, "tensor.reduce_mean")) return nullptr;
  const Op* op = value->definingOp();
  const int64_t last = int64_t(op->operand(0)->type().shape.size()) - 1;
  const bool over_last = op->intsAttr("axes").size() == 1 && op->intsAttr("axes")[0] == last;
  return over_last && op->boolAttr("keepdims") ? op->operand(0) : nullptr;
}

// x * x or x^2: x, or null.
Value* squareRootOf(const Value* value) {
  if (isOp(value, "tensor.mul")) {
    const Op* op = value->definingOp();
    return op->operand(0) == op->operand(1) ? op->operand(0) : nullptr;
  }
  if (!isOp(value, "tensor.pow")) return nullptr;
  const Op* op = value->definingOp();
  return scalarOf(op->operand(1)) == 2.0 ? op->operand(0) : nullptr;
}

struct Normalization {
  Value* x;
  bool has_mean;
  double epsilon;
  OpList ops;
};

// `variance` = mean(d^2) + epsilon for the numerator d.
std::optional<Normalization> matchVariance(Value* numerator, const Value* variance) {
  if (!isOp(variance, "tensor.add")) return std::nullopt;
  const Op* sum = variance->definingOp();
  std::optional<WithConstant> parts = splitConstant(*sum);
  std::optional<double> epsilon = parts ? scalarOf(parts->constant) : std::nullopt;
  Value* square = epsilon && std::isfinite(*epsilon) ? meanOf(parts->value) : nullptr;
  if (!square || squareRootOf(square) != numerator) return std::nullopt;
  Normalization found{numerator, false, *epsilon, {}};
  if (isOp(numerator, "tensor.sub") &&
      meanOf(numerator->definingOp()->operand(1)) == numerator->definingOp()->operand(0)) {
    const Op* centered = numerator->definingOp();
    found.x = centered->operand(0);
    found.has_mean = true;
    found.ops = {centered->operand(1)->definingOp(), centered};
  }
  found.ops.append({square->definingOp(), parts->value->definingOp(), sum});
  return found;
}

// numerator / root, with root = sqrt(variance) or variance^(1/2).
std::optional<Normalization> matchQuotient(Value* numerator, const Value* root) {
  const Op* op = root->definingOp();
  const bool power = op && op->is("tensor.pow") && scalarOf(op->operand(1)) == 0.5;
  if (!power && !isOp(root, "tensor.sqrt")) return std::nullopt;
  std::optional<Normalization> found = matchVariance(numerator, op->operand(0));
  if (found) found->ops.push_back(op);
  return found;
}

// numerator * inverse, with inverse = 1/sqrt(variance) in one of its spellings.
std::optional<Normalization> matchProduct(Value* numerator, const Value* inverse) {
  const Op* op = inverse->definingOp();
  if (!op) return std::nullopt;
  std::optional<Normalization> found;
  if (op->is("tensor.reciprocal")) found = matchQuotient(numerator, op->operand(0));
  if (op->is("tensor.div") && scalarOf(op->operand(0)) == 1.0)
    found = matchQuotient(numerator, op->operand(1));
  if (op->is("tensor.pow") && scalarOf(op->operand(1)) == -0.5)
    found = matchVariance(numerator, op->operand(0));
  if (found) found->ops.push_back(op);
  return found;
}

std::optional<Normalization> match(const Op& op) {
  if (op.is("tensor.div")) return matchQuotient(op.operand(0), op.operand(1));
  if (!op.is("tensor.mul")) return std::nullopt;
  std::optional<Normalization> found = matchProduct(op.operand(0), op.operand(1));
  return found ? found : matchProduct(op.operand(1), op.operand(0));
}

absl::StatusOr<Value*> makeLayernorm(Op& before, Value* x, const Array& gamma, const Array& beta,
                                     double epsilon, bool has_mean, ir::Location location,
                                     llvm::StringRef gamma_name, llvm::StringRef beta_name) {
  ir::Builder builder = ir::Builder::before(&before);
  builder.setLocation(std::move(location));
  Value* gamma_value = makeConstant(builder, gamma, gamma_name);
  Value* beta_value = makeConstant(builder, beta, beta_name);
  if (has_mean)
    return ir::tensor::create(builder, "tensor.layernorm", {x, gamma_value, beta_value},
                              {{"epsilon", epsilon}});
  return ir::tensor::create(builder, "tensor.layernorm", {x, gamma_value, beta_value},
                            {{"epsilon", epsilon}, {"has_mean", false}});
}

absl::StatusOr<Value*> fuse(Op& root) {
  std::optional<Normalization> found = match(root);
  if (!found) return nullptr;
  const int64_t width = found->x->type().shape.back();
  Array gamma = Array::zeros(ir::Element::kFloat, {width}), beta = gamma;
  gamma.reals.assign(width, 1.0);
  found->ops.push_back(&root);
  return makeLayernorm(root, found->x, gamma, beta, found->epsilon, found->has_mean,
                       locationOf(found->ops), "gamma", "beta");
}

// The sum of magnitudes over the last axis that a row is divided by; `floor`: no less than a tiny
// constant.
struct SumOfMagnitudes {
  const Op* sum = nullptr;
  bool floor = false;
};

SumOfMagnitudes matchMagnitudes(const Op& quotient) {
  constexpr double kTiny = 1e-12;  // as exporters write it
  const Value* x = quotient.operand(0);
  const Value* divisor = quotient.operand(1);
  if (x->type().element != ir::Element::kFloat || !(quotient.result()->type() == x->type()))
    return {};
  SumOfMagnitudes found;
  if (isOp(divisor, "tensor.expand")) divisor = divisor->definingOp()->operand(0);
  if (isOp(divisor, "tensor.max")) {
    const std::optional<WithConstant> parts = splitConstant(*divisor->definingOp());
    const std::optional<double> least = parts ? scalarOf(parts->constant) : std::nullopt;
    if (!least || !(*least > 0 && *least <= kTiny)) return {};
    found.floor = true;
    divisor = parts->value;
  }
  if (!isOp(divisor, "tensor.reduce_sum")) return {};
  found.sum = divisor->definingOp();
  const int64_t last = static_cast<int64_t>(x->type().shape.size()) - 1;
  const Value* magnitudes = found.sum->operand(0);
  const bool matches = found.sum->boolAttr("keepdims") &&
                       found.sum->intsAttr("axes") == llvm::ArrayRef(last) &&
                       isOp(magnitudes, "tensor.abs") && magnitudes->definingOp()->operand(0) == x;
  return matches ? found : SumOfMagnitudes{};
}

// Scaling a row does not change x / sum(|x|); at length one, small rows keep their digits.
absl::StatusOr<Value*> scaleMagnitudes(Op& root) {
  if (!root.is("tensor.div") || isOp(root.operand(0), "tensor.layernorm") ||
      isConstant(root.operand(0)))
    return nullptr;
  const SumOfMagnitudes found = matchMagnitudes(root);
  if (found.sum == nullptr) return nullptr;
  Value* x = root.operand(0);
  const int64_t width = x->type().shape.back();
  Array gamma = Array::zeros(ir::Element::kFloat, {width}), beta = gamma;
  gamma.reals.assign(width, 1 / std::sqrt(static_cast<double>(width)));
  // Below every square but zero's, whose rows stay what they are.
  constexpr double kEpsilon = 1e-100;
  IR_ASSIGN_OR_RETURN(Value * unit,
                      makeLayernorm(root, x, gamma, beta, kEpsilon, /*has_mean=*/false,
                                    root.location(), "gamma", "beta"));
  ir::Builder builder = ir::Builder::before(&root);
  builder.setLocation(locationOf({found.sum->operand(0)->definingOp(), found.sum, &root}));
  IR_ASSIGN_OR_RETURN(Value * sum, ir::tensor::create(builder, "tensor.abs", {unit}));
  IR_ASSIGN_OR_RETURN(
      sum, ir::tensor::create(builder, "tensor.reduce_sum", {sum}, found.sum->attributes()));
  // The sum is at least one, or zero.
  if (found.floor) {
    Value* half = makeConstant(builder, Array::real({}, {0.5}), "floor");
    IR_ASSIGN_OR_RETURN(sum, ir::tensor::create(builder, "tensor.max", {sum, half}));
  }
  return ir::tensor::create(builder, "tensor.div", {unit, sum});
}

// A product with or a sum with a constant per column becomes part of the layernorm above it.
absl::StatusOr<Value*> absorb(Op& op) {
  const bool product = op.is("tensor.mul"), sum = op.is("tensor.add");
  std::optional<WithConstant> parts = product || sum ? splitConstant(op) : std::nullopt;
  if (!parts || !isOp(parts->value, "tensor.layernorm") || !parts->value->hasOneUse())
    return nullptr;
  Op* norm = parts->value->definingOp();
  if (!(norm->result()->type() == op.result()->type())) return nullptr;
  const int64_t width = norm->result()->type().shape.back();
  std::optional<Array> factor = columnVector(parts->constant, width);
  std::optional<Array> gamma = arrayOf(norm->operand(1)), beta = arrayOf(norm->operand(2));
  if (!factor || !gamma || !beta) return nullptr;
  for (int64_t i = 0; i < width; ++i) {
    if (product) gamma->reals[i] *= factor->reals[i];
    if (product) beta->reals[i] *= factor->reals[i];
    if (sum) beta->reals[i] += factor->reals[i];
  }
  if (!fitsSingle(*gamma) || !fitsSingle(*beta)) return nullptr;
  const std::string name = constantOf(parts->constant)->name;
  const bool has_mean = !norm->has("has_mean") || norm->boolAttr("has_mean");
  return makeLayernorm(op, norm->operand(0), *gamma, *beta, norm->floatAttr("epsilon"), has_mean,
                       locationOf({norm, &op}), product ? name : constantOf(norm->operand(1))->name,
                       sum ? name : constantOf(norm->operand(2))->name);
}

absl::StatusOr<Value*> rewrite(Op& op) {
  IR_ASSIGN_OR_RETURN(Value * fused, fuse(op));
  if (fused != nullptr) return fused;
  IR_ASSIGN_OR_RETURN(Value * scaled, scaleMagnitudes(op));
  return scaled ? scaled : absorb(op);
}

absl::StatusOr<bool> fuseAll(ir::Function& function) { return rewriteOps(function, rewrite); }

}  // namespace

std::unique_ptr<Pass> createFuseLayernorm() {
  return makeFunctionPass("fuse-layernorm",
                          "Recognizes LayerNorm and RMSNorm with their scale and shift", fuseAll);
}
absl::Status registerFuseLayernorm() { return registerPass(createFuseLayernorm); }

}  // namespace lindero::passes
