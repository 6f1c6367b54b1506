#include "ir/air/analysis.h"

#include <algorithm>

#include "ir/air/walk.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::ir::air {
namespace {

// Degrees are not told apart from here on; repeated squares would overflow.
constexpr int kHighDegree = 1000;

ExpressionFacts factsOfLeaf(const Value* leaf) {
  const Op* op = leaf->definingOp();
  if (op && op->is("air.shift")) op = op->operand(0)->definingOp();
  if (!op) return {};  // an argument, which no circuit has
  if (isColumn(*op)) return {.degree = 1, .phase = static_cast<int>(op->intAttr("phase"))};
  if (op->is("air.challenge")) {
    return {.latest_challenge = static_cast<int>(op->intAttr("after"))};
  }
  return {.degree = op->is("air.first") || op->is("air.last") ? 1 : 0};
}

}  // namespace

bool isColumn(const Op& op) {
  return op.is("air.column") || op.is("air.expression") || op.is("air.scan") ||
         op.is("air.fraction") || op.is("air.gather");
}

const ExpressionFacts& Analysis::facts(const Value* value) {
  auto is_known = [&](const Value* v) { return facts_.count(v) > 0; };
  walkOperandsFirst(value, is_known, [&](const Value* v) {
    ExpressionFacts f;
    if (isLeaf(v)) {
      f = factsOfLeaf(v);
    } else {
      const Op& op = *v->definingOp();
      for (const Value* operand : op.operands()) {
        const ExpressionFacts g = facts_.lookup(operand);
        f.degree = op.is("air.mul") ? f.degree + g.degree : std::max(f.degree, g.degree);
        f.degree = std::min(f.degree, kHighDegree);
        f.phase = std::max(f.phase, g.phase);
        f.latest_challenge = std::max(f.latest_challenge, g.latest_challenge);
      }
    }
    facts_[v] = f;
    return true;
  });
  return facts_[value];
}

std::vector<const Value*> leavesOf(const Value* expression) {
  std::vector<const Value*> leaves;
  llvm::SmallVector<const Value*, 32> stack{expression};
  llvm::DenseSet<const Value*> seen;
  while (!stack.empty()) {
    const Value* v = stack.pop_back_val();
    if (!seen.insert(v).second) continue;
    const Op& op = *v->definingOp();
    if (isColumn(op) || op.numOperands() == 0) {
      leaves.push_back(v);
      continue;
    }
    for (const Value* operand : llvm::reverse(op.operands())) stack.push_back(operand);
  }
  return leaves;
}

std::vector<const Value*> factorsOf(const Value* denominator) {
  std::vector<const Value*> factors;
  llvm::SmallVector<const Value*, 4> stack{denominator};
  llvm::DenseSet<const Value*> seen;
  while (!stack.empty()) {
    const Value* v = stack.pop_back_val();
    if (!seen.insert(v).second) continue;
    const Op& op = *v->definingOp();
    if (op.is("air.neg") || op.is("air.mul")) {
      for (const Value* operand : llvm::reverse(op.operands())) stack.push_back(operand);
    } else {
      factors.push_back(v);
    }
  }
  return factors;
}

int constraintDegree(const Op& op, Analysis& analysis) {
  auto degree = [&](unsigned i) { return analysis.degree(op.operand(i)); };
  if (op.is("air.constrain")) return degree(0);
  if (op.is("air.expression")) return std::max(1, degree(0));
  // The column at the row before, its factor, and a selector of the first row.
  if (op.is("air.scan")) return std::max(2 + degree(0), degree(1));
  if (op.is("air.fraction")) {
    const int added = op.numOperands() > 2 ? std::max(1, degree(2)) : 1;
    return std::max(degree(0), added + degree(1));
  }
  return 0;
}

}  // namespace lindero::ir::air
