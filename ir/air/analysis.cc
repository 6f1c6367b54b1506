#include "ir/air/analysis.h"

#include <algorithm>

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::ir::air {
namespace {

// Degrees are not told apart from here on; repeated squares would overflow.
constexpr int kHighDegree = 1000;

}  // namespace

bool isColumn(const Op& op) {
  return op.is("air.column") || op.is("air.expression") || op.is("air.scan") ||
         op.is("air.fraction") || op.is("air.gather");
}

const ExpressionFacts& Analysis::facts(const Value* value) {
  // Depth first without recursion: expressions may be long sums.
  llvm::SmallVector<const Value*, 16> stack{value};
  while (!stack.empty()) {
    const Value* v = stack.back();
    if (facts_.count(v)) {
      stack.pop_back();
      continue;
    }
    if (v->definingOp() == nullptr) {  // an argument, which no circuit has
      facts_[v] = {};
      stack.pop_back();
      continue;
    }
    const Op& op = *v->definingOp();
    ExpressionFacts f;
    bool ready = true;
    for (const Value* operand : op.operands()) {
      auto it = facts_.find(operand);
      if (it == facts_.end()) {
        stack.push_back(operand);
        ready = false;
        continue;
      }
      const ExpressionFacts& g = it->second;
      f.degree = op.is("air.mul") ? f.degree + g.degree : std::max(f.degree, g.degree);
      f.degree = std::min(f.degree, kHighDegree);
      f.phase = std::max(f.phase, g.phase);
      f.latest_challenge = std::max(f.latest_challenge, g.latest_challenge);
    }
    if (!ready) continue;
    if (isColumn(op)) {
      f = {.degree = 1, .phase = static_cast<int>(op.intAttr("phase"))};
    } else if (op.is("air.challenge")) {
      f.latest_challenge = op.intAttr("after");
    } else if (op.is("air.first") || op.is("air.last")) {
      f.degree = 1;
    }
    facts_[v] = f;
    stack.pop_back();
  }
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
