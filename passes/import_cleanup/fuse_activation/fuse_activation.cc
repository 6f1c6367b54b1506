#include "passes/import_cleanup/fuse_activation/fuse_activation.h"

#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/expression.h"
#include "ir/tensor/infer.h"
#include "ir/tensor/of_integers.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "passes/import_cleanup/support/cone.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/quantize/whole.h"

namespace lindero::passes {
namespace {

using ir::Element;
using ir::Op;
using ir::Value;
using ir::tensor::Expression;
using ir::tensor::ExpressionBuilder;

constexpr size_t kMostOps = 64;
constexpr int kEntryBits = 16;

// The one number that the constant holds.
std::optional<double> uniformValue(const Value* constant) {
  std::optional<ir::tensor::Array> array = arrayOf(constant);
  if (!array || array->elements() == 0) return std::nullopt;
  if (!array->isReal()) {
    if (!llvm::all_equal(array->integers)) return std::nullopt;
    return static_cast<double>(array->integers[0]);
  }
  if (!llvm::all_equal(array->reals) || std::isnan(array->reals[0])) return std::nullopt;
  return array->reals[0];
}

// The function of tensor.<name> in expressions; empty if the op is none on reals and booleans.
llvm::StringRef functionOf(const Op& op) {
  auto isElement = [](const Value* value, Element element) {
    return value->type().element == element;
  };
  if (op.numResults() != 1) return {};
  if (op.is("tensor.cast")) {
    const bool to_bool = isElement(op.result(), Element::kBool);
    if (to_bool && isElement(op.operand(0), Element::kFloat)) return "bool";
    const bool to_real = isElement(op.result(), Element::kFloat);
    return to_real && isElement(op.operand(0), Element::kBool) ? "float" : "";
  }
  const ir::tensor::ScalarFunction* function =
      ir::tensor::findScalarFunction(op.name().drop_front(strlen("tensor.")));
  if (function == nullptr || function->operands.size() != op.numOperands()) return {};
  auto kindOf = [](char kind) { return kind == 'b' ? Element::kBool : Element::kFloat; };
  bool fits = isElement(op.result(), kindOf(function->result));
  for (unsigned i = 0; fits && i < op.numOperands(); ++i)
    fits = isElement(op.operand(i), kindOf(function->operands[i]));
  return fits ? function->name : "";
}

bool isElementwise(const Op& op) {
  return op.is("tensor.activation") || (op.numResults() == 1 && !functionOf(op).empty());
}

// May the op be part of a group whose tensor has that shape?
bool belongs(const Op& op, llvm::ArrayRef<int64_t> shape) {
  return isElementwise(op) && llvm::ArrayRef<int64_t>(op.result()->type().shape) == shape;
}

// An op that a linear before it can absorb.
bool isAffineStep(const Op& op) {
  if (!op.is("tensor.add") && !op.is("tensor.sub") && !op.is("tensor.mul") && !op.is("tensor.div"))
    return false;
  std::optional<WithConstant> parts = splitConstant(op);
  return parts && !(parts->constant_first && (op.is("tensor.sub") || op.is("tensor.div")));
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
    if (op && belongs(*op, root.result()->type().shape)) add(*op);
  }
  return values;
}

bool isLinearBehindReshape(const Value* value) {
  if (!value->hasOneUse()) return false;
  if (isOp(value, "tensor.reshape")) value = value->definingOp()->operand(0);
  return isOp(value, "tensor.linear") && value->hasOneUse();
}

// Leaves affine ops right after a linear to it.
void dropAffinePrefix(Cone& cone) {
  if (!isLinearBehindReshape(cone.input)) return;
  while (cone.ops.size() > 1 && cone.input->hasOneUse() && isAffineStep(*cone.ops[0])) {
    cone.input = cone.ops[0]->result();
    cone.ops.erase(cone.ops.begin());
  }
}

// The expression of a cone; nothing if it is affine, or too large, or a constant is not one number.
absl::StatusOr<std::optional<Expression>> expressionOf(const Cone& cone) {
  ExpressionBuilder builder;
  struct Part {
    int node;
    int degree;  // 0: constant, 1: affine in x, 2: neither
  };
  llvm::DenseMap<const Value*, Part> parts;
  parts[cone.input] = {builder.variable(), 1};
  for (const Op* op : cone.ops) {
    llvm::SmallVector<int, 3> nodes;
    int degree = 0;
    for (const Value* operand : op->operands()) {
      auto [it, fresh] = parts.try_emplace(operand, Part{0, 0});
      if (fresh) {
        std::optional<double> number = uniformValue(operand);
        if (!number) return std::nullopt;
        it->second.node = builder.number(*number);
        if (operand->type().element == Element::kBool) {
          IR_ASSIGN_OR_RETURN(it->second.node, builder.apply("bool", {it->second.node}));
        }
      }
      nodes.push_back(it->second.node);
      // A sum of affine parts is affine, and so is a product with a constant; all else is not.
      const bool first = nodes.size() == 1;
      const int other = it->second.degree;
      if (op->is("tensor.mul") || op->is("tensor.div")) {
        const bool by_x = !first && op->is("tensor.div") && other > 0;
        degree = by_x ? 2 : std::min(2, degree + other);
      } else if (op->is("tensor.add") || op->is("tensor.sub") || op->is("tensor.neg")) {
        degree = std::max(degree, other);
      } else if (other > 0) {
        degree = 2;
      }
    }
    absl::StatusOr<int> node;
    if (op->is("tensor.activation")) {
      IR_ASSIGN_OR_RETURN(const Expression inner, Expression::parse(op->stringAttr("function")));
      node = builder.substitute(inner, nodes[0]);
      degree = 2;
    } else {
      node = builder.apply(functionOf(*op), nodes);
    }
    if (!node.ok()) return std::nullopt;
    parts[op->result()] = {*node, degree};
  }
  const Part& root = parts[cone.output];
  if (root.degree < 2) return std::nullopt;
  absl::StatusOr<Expression> expression = builder.finish(root.node);
  if (!expression.ok()) return std::nullopt;
  return *std::move(expression);
}

// Replaces the op by an activation; null if it is none.
absl::StatusOr<Op*> fuse(Op& root) {
  if (root.numResults() != 1 || !isElementwise(root)) return nullptr;
  const ir::Type& type = root.result()->type();
  if (type.element != Element::kFloat) return nullptr;
  const std::vector<Value*> inputs = candidates(root);
  // Every group starts above the last one that was possible: the farthest comes last.
  for (Value* input : llvm::reverse(inputs)) {
    if (!(input->type() == type)) continue;
    auto admit = [&](const Op& op) { return belongs(op, type.shape); };
    std::optional<Cone> cone = findCone(root.result(), input, admit, kMostOps);
    if (!cone) continue;
    dropAffinePrefix(*cone);
    if (cone->ops.size() == 1 && root.is("tensor.activation")) return nullptr;
    IR_ASSIGN_OR_RETURN(const std::optional<Expression> function, expressionOf(*cone));
    if (!function) continue;
    ir::Builder builder = ir::Builder::before(&root);
    builder.setLocation(locationOf(cone->ops));
    IR_ASSIGN_OR_RETURN(Value * fused,
                        ir::tensor::create(builder, "tensor.activation", {cone->input},
                                           {{"function", function->text()}}));
    root.result()->replaceAllUsesWith(fused);
    eraseDead(&root);
    return fused->definingOp();
  }
  return nullptr;
}

// Backwards, so that the tanh inside of a GELU is met after the GELU.
absl::StatusOr<bool> fuseAll(ir::Function& function, const FuseActivationOptions& options) {
  bool changed = false;
  // As they are before the first change: no group of theirs is fused then.
  llvm::DenseSet<const Op*> kept;
  if (!options.of_integers) {
    for (const Value* value : ir::tensor::realsOfIntegers(function))
      kept.insert(value->definingOp());
  }
  // Whole numbers that no table's entries have room for.
  for (const auto& [value, bits] : exactBits(function)) {
    if (bits >= kEntryBits) kept.insert(value->definingOp());
  }
  auto& ops = function.body().ops();
  for (auto it = ops.end(); it != ops.begin();) {
    if (kept.contains(&*--it)) continue;
    IR_ASSIGN_OR_RETURN(Op * fused, fuse(*it));
    if (!fused) continue;
    // The root and some ops before it are gone; the new op is not.
    it = fused->getIterator();
    changed = true;
  }
  return changed;
}

constexpr llvm::StringLiteral kName = "fuse-activation";
constexpr llvm::StringLiteral kSummary =
    "Makes elementwise ops of one tensor one op with their expression";

}  // namespace

std::unique_ptr<Pass> createFuseActivation(FuseActivationOptions options) {
  return makeFunctionPass(kName, kSummary,
                          [options](ir::Function& function) { return fuseAll(function, options); });
}

absl::Status registerFuseActivation() {
  return registerPass(kName, kSummary,
                      [](const PassOptions& given) -> absl::StatusOr<std::unique_ptr<Pass>> {
                        FuseActivationOptions options;
                        OptionReader reader(kName, given);
                        reader.read("of_integers", options.of_integers);
                        if (absl::Status status = reader.finish(); !status.ok()) return status;
                        return createFuseActivation(options);
                      });
}

}  // namespace lindero::passes
