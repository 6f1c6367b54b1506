// A walk over an expression of the air dialect, operands before what reads them.
#pragma once

#include "ir/air/analysis.h"
#include "llvm/ADT/SmallVector.h"

namespace lindero::ir::air {

// Whether the value has no operands as an expression: a column, shifted or not, a challenge, a
// selector, a constant; or an argument, which no circuit has.
inline bool isLeaf(const Value* v) {
  const Op* op = v->definingOp();
  return op == nullptr || isColumn(*op) || op->is("air.shift") || op->numOperands() == 0;
}

// Calls `visit` for each value of the expression that is not known yet; afterwards it is. The walk
// ends where `visit` says no, and is false then. It does not recurse: expressions may be long sums.
// Cost: two calls of `is_known` per value and operand.
template <typename IsKnown, typename Visit>
bool walkOperandsFirst(const Value* expression, IsKnown is_known, Visit visit) {
  llvm::SmallVector<const Value*, 32> stack{expression};
  while (!stack.empty()) {
    const Value* v = stack.back();
    if (is_known(v)) {
      stack.pop_back();
      continue;
    }
    bool ready = true;
    if (!isLeaf(v)) {
      for (const Value* operand : v->definingOp()->operands()) {
        if (is_known(operand)) continue;
        stack.push_back(operand);
        ready = false;
      }
    }
    if (ready && !visit(v)) return false;
  }
  return true;
}

}  // namespace lindero::ir::air
