#include "passes/lower_air/verify_intervals/fixed_expression.h"

#include "ir/air/analysis.h"
#include "ir/air/points.h"
#include "ir/air/walk.h"
#include "ir/core/field.h"

namespace lindero::passes {

std::optional<FixedExpression> FixedExpression::of(const TableRows& rows, const ir::Value* value) {
  FixedExpression out(rows);
  llvm::DenseMap<const ir::Value*, int> made;
  auto is_known = [&](const ir::Value* v) { return made.count(v) > 0; };
  const bool is_fixed = ir::air::walkOperandsFirst(value, is_known, [&](const ir::Value* v) {
    const ir::Op& op = *v->definingOp();
    Step step{.op = &op};
    if (ir::air::isColumn(op) || op.is("air.shift")) {
      step.column = rows.indexOf(op.is("air.shift") ? op.operand(0) : v);
      step.offset = op.is("air.shift") ? op.intAttr("offset") : 0;
      if (rows.phase(step.column) != 0 || !rows.isStored(step.column)) return false;
    } else if (op.is("air.add") || op.is("air.sub") || op.is("air.mul") || op.is("air.neg")) {
      for (unsigned i = 0; i < op.numOperands(); ++i) step.operands[i] = made.lookup(op.operand(i));
    } else if (!op.is("air.constant") && !op.is("air.first") && !op.is("air.last")) {
      return false;  // a challenge, or the inverse of one
    }
    made[v] = static_cast<int>(out.steps_.size());
    out.steps_.push_back(step);
    return true;
  });
  if (!is_fixed) return std::nullopt;
  out.values_.resize(out.steps_.size());
  return out;
}

uint32_t FixedExpression::at(int64_t row) {
  const int64_t height = rows_->height();
  for (size_t i = 0; i < steps_.size(); ++i) {
    const auto& [op, column, offset, operands] = steps_[i];
    const uint32_t a = values_[operands[0]], b = values_[operands[1]];
    uint32_t& v = values_[i];
    if (column >= 0) {
      v = ir::residue(rows_->fixedAt(column, (row + offset + height) % height));
    } else if (op->is("air.add")) {
      v = ir::air::addResidues(a, b);
    } else if (op->is("air.sub")) {
      v = ir::air::subtractResidues(a, b);
    } else if (op->is("air.mul")) {
      v = ir::air::multiplyResidues(a, b);
    } else if (op->is("air.neg")) {
      v = ir::air::subtractResidues(0, a);
    } else if (op->is("air.constant")) {
      v = ir::residue(op->intAttr("value"));
    } else {
      v = row == (op->is("air.first") ? 0 : height - 1) ? 1 : 0;
    }
  }
  return values_.back();
}

}  // namespace lindero::passes
