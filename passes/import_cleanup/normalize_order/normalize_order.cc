#include "passes/import_cleanup/normalize_order/normalize_order.h"

#include <algorithm>

#include "ir/core/op_table.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "passes/import_cleanup/support/function_pass.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

// Longest path from an argument or constant.
bool orderSummands(ir::Function& function) {
  bool changed = false;
  llvm::DenseMap<const Value*, int64_t> depth;
  for (Op& op : function.body().ops()) {
    if (op.is("tensor.add") && depth.lookup(op.operand(0)) > depth.lookup(op.operand(1))) {
      op.setOperands({op.operand(1), op.operand(0)});
      changed = true;
    }
    int64_t deepest = 0;
    for (const Value* operand : op.operands()) deepest = std::max(deepest, depth.lookup(operand));
    for (unsigned i = 0; i < op.numResults(); ++i)
      depth[op.result(i)] = isConstant(op.result(i)) ? 0 : deepest + 1;
  }
  return changed;
}

// Post-order from the terminator; an explicit stack, because models are deep.
std::vector<Op*> walkOrder(Op* terminator) {
  std::vector<Op*> order;
  llvm::DenseSet<Op*> placed;
  std::vector<std::pair<Op*, unsigned>> stack = {{terminator, 0}};
  while (!stack.empty()) {
    auto& [op, next] = stack.back();
    if (next < op->numOperands()) {
      Op* source = op->operand(next++)->definingOp();
      if (source && !placed.contains(source)) stack.push_back({source, 0});
      continue;
    }
    if (placed.insert(op).second) order.push_back(op);
    stack.pop_back();
  }
  return order;
}

absl::StatusOr<bool> normalize(ir::Function& function) {
  Op* terminator = function.body().terminator();
  if (!terminator) return false;
  bool changed = orderSummands(function);
  std::vector<Op*> order = walkOrder(terminator);
  auto& ops = function.body().ops();
  auto op = ops.begin();
  bool moved = order.size() != ops.size();
  for (size_t i = 0; !moved && i < order.size(); ++i, ++op) moved = order[i] != &*op;
  if (!moved) return changed;
  for (Op* placed : order) placed->moveToEnd(&function.body());
  // What the walk did not reach is left in front, and read by nobody but itself.
  const llvm::DenseSet<Op*> live(order.begin(), order.end());
  std::vector<Op*> dead;
  for (Op& left : ops) {
    if (!live.contains(&left)) dead.push_back(&left);
  }
  for (Op* left : llvm::reverse(dead)) left->erase();
  eraseUnusedConstants(*function.module());
  return true;
}

}  // namespace

std::unique_ptr<Pass> createNormalizeOrder() {
  return makeFunctionPass("normalize-order",
                          "Puts ops and summands in an order that the computation alone decides",
                          normalize);
}
absl::Status registerNormalizeOrder() { return registerPass(createNormalizeOrder); }

}  // namespace lindero::passes
