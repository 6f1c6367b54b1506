#include "passes/lower_air/air_analysis.h"

#include <algorithm>

namespace lindero::passes {

bool isColumn(const ir::Op& op) {
  return op.is("air.column") || op.is("air.expression") || op.is("air.scan") ||
         op.is("air.fraction") || op.is("air.gather");
}

const ExpressionFacts& AirAnalysis::facts(ir::Value* value) {
  // Depth first without recursion: expressions may be long sums.
  llvm::SmallVector<ir::Value*, 16> stack{value};
  while (!stack.empty()) {
    ir::Value* v = stack.back();
    if (facts_.count(v)) {
      stack.pop_back();
      continue;
    }
    const ir::Op& op = *v->definingOp();
    ExpressionFacts f;
    if (isColumn(op)) {
      f = {1, static_cast<int>(op.intAttr("phase")), ExpressionFacts::kNone};
    } else if (op.is("air.challenge")) {
      f.earliest_challenge = op.intAttr("after");
    } else if (op.is("air.first") || op.is("air.last")) {
      f.degree = 1;
    } else {
      bool ready = true;
      for (ir::Value* operand : op.operands()) {
        auto it = facts_.find(operand);
        if (it == facts_.end()) {
          stack.push_back(operand);
          ready = false;
          continue;
        }
        const ExpressionFacts& g = it->second;
        f.degree = op.is("air.mul") ? f.degree + g.degree : std::max(f.degree, g.degree);
        f.phase = std::max(f.phase, g.phase);
        f.earliest_challenge = std::min(f.earliest_challenge, g.earliest_challenge);
      }
      if (!ready) continue;
    }
    facts_[v] = f;
    stack.pop_back();
  }
  return facts_[value];
}

}  // namespace lindero::passes
