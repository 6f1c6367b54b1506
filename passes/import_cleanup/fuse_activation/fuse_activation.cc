#include "passes/import_cleanup/fuse_activation/fuse_activation.h"

#include <cmath>

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/activation.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/StringSwitch.h"
#include "passes/import_cleanup/support/cone.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

constexpr size_t kMostOps = 24;
constexpr double kTolerance = 2e-6;

// What makes a group more than a polynomial: one of these must be in it.
bool isTranscendental(const Op& op) {
  return llvm::StringSwitch<bool>(op.name())
      .Cases("tensor.erf", "tensor.tanh", "tensor.exp", "tensor.sigmoid", "tensor.relu", true)
      .Cases("tensor.max", "tensor.where", "tensor.abs", true)
      .Default(false);
}

// Elementwise on reals, with scalar constants only.
bool isScalarFunction(const Op& op) {
  const bool listed =
      llvm::StringSwitch<bool>(op.name())
          .Cases("tensor.add", "tensor.sub", "tensor.mul", "tensor.div", "tensor.pow", true)
          .Cases("tensor.neg", "tensor.reciprocal", "tensor.sqrt", "tensor.min", true)
          .Cases("tensor.greater", "tensor.greater_or_equal", "tensor.less", true)
          .Cases("tensor.less_or_equal", "tensor.cast", true)
          .Default(isTranscendental(op));
  return listed && llvm::all_of(op.operands(), [](const Value* v) {
           return !isConstant(v) || v->type().elements() == 1;
         });
}

const Array& samplePoints() {
  static const auto* points = [] {
    std::vector<double> values;
    for (int i = -192; i <= 192; ++i) values.push_back(i / 16.0);
    for (double far : {15.0, 20.0, 30.0, 40.0}) values.insert(values.end(), {far, -far});
    const int64_t count = values.size();
    return new Array(Array::real({count}, std::move(values)));
  }();
  return *points;
}

// The kind of activation that the cone computes; empty if none.
absl::StatusOr<llvm::StringRef> identify(const Cone& cone) {
  const Array& points = samplePoints();
  auto values = evaluateCone(cone, points);
  if (absl::IsFailedPrecondition(values.status())) return llvm::StringRef();
  IR_RETURN_IF_ERROR(values.status());
  if (values->reals.size() != points.reals.size()) return llvm::StringRef();
  for (const ir::tensor::Activation& activation : ir::tensor::activations()) {
    bool equal = true;
    for (size_t i = 0; equal && i < points.reals.size(); ++i) {
      const double x = points.reals[i];
      equal = std::abs(values->reals[i] - activation.function(x)) <=
              kTolerance * std::max(1.0, std::abs(x));
    }
    if (equal) return activation.kind;
  }
  return llvm::StringRef();
}

// Everything above the root that a group could start from, nearest first.
std::vector<Value*> candidates(const Op& root) {
  std::vector<Value*> values;
  auto add = [&](const Op& op) {
    for (Value* operand : op.operands()) {
      if (!isConstant(operand) && !llvm::is_contained(values, operand)) values.push_back(operand);
    }
  };
  add(root);
  for (size_t i = 0; i < values.size() && values.size() < kMostOps; ++i) {
    const Op* op = values[i]->definingOp();
    if (op && isScalarFunction(*op)) add(*op);
  }
  return values;
}

// Replaces the op by an activation; null if it is none.
absl::StatusOr<Op*> fuse(Op& root) {
  if (!isScalarFunction(root) || root.result()->type().element != ir::Element::kFloat)
    return nullptr;
  for (Value* input : candidates(root)) {
    if (!(input->type() == root.result()->type())) continue;
    std::optional<Cone> cone = findCone(root.result(), input, isScalarFunction, kMostOps);
    if (!cone || llvm::none_of(cone->ops, [](const Op* op) { return isTranscendental(*op); }))
      continue;
    IR_ASSIGN_OR_RETURN(llvm::StringRef kind, identify(*cone));
    if (kind.empty()) continue;
    ir::Builder builder = ir::Builder::before(&root);
    builder.setLocation(locationOf(cone->ops));
    IR_ASSIGN_OR_RETURN(Value * fused, ir::tensor::create(builder, "tensor.activation", {input},
                                                          {{"kind", kind.str()}}));
    root.result()->replaceAllUsesWith(fused);
    eraseDead(&root);
    return fused->definingOp();
  }
  return nullptr;
}

// Backwards, so that the tanh inside of a GELU is met after the GELU.
absl::StatusOr<bool> fuseAll(ir::Function& function) {
  bool changed = false;
  auto& ops = function.body().ops();
  for (auto it = ops.end(); it != ops.begin();) {
    IR_ASSIGN_OR_RETURN(Op * fused, fuse(*--it));
    if (!fused) continue;
    // The root and some ops before it are gone; the new op is not.
    it = fused->getIterator();
    changed = true;
  }
  return changed;
}

}  // namespace

std::unique_ptr<Pass> createFuseActivation() {
  return makeFunctionPass("fuse-activation",
                          "Recognizes GELU, SiLU and other activations by their values", fuseAll);
}
absl::Status registerFuseActivation() { return registerPass(createFuseActivation); }

}  // namespace lindero::passes
