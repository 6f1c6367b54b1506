// Analysis of expressions of the air dialect. It costs one visit per value.
#pragma once

#include <vector>

#include "ir/core/ir.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::ir::air {

// What an expression reads, column by column: its degree as a polynomial in the columns of a row,
// the latest phase of a column in it, and the latest phase after which one of its challenges is
// drawn.
struct ExpressionFacts {
  int degree = 0;
  int phase = -1;            // -1: no column
  int latest_challenge = 0;  // 0: none
};

class Analysis {
 public:
  const ExpressionFacts& facts(const Value* value);
  int degree(const Value* value) { return facts(value).degree; }

 private:
  llvm::DenseMap<const Value*, ExpressionFacts> facts_;
};

// A column of a table: the result of air.column, expression, scan, fraction or gather.
bool isColumn(const Op& op);

// The columns, challenges and other values without arithmetic that the expression reads, each once.
std::vector<const Value*> leavesOf(const Value* expression);
// The factors of a denominator, each once: the operands of air.mul, however deep; air.neg is looked
// through.
std::vector<const Value*> factorsOf(const Value* denominator);

// Of the constraint that an air.constrain, expression, scan or fraction stands for; 0 of other ops.
int constraintDegree(const Op& op, Analysis& analysis);
inline constexpr int kMaxDegree = 3;

}  // namespace lindero::ir::air
