// Analysis of expressions of the air dialect. It costs one visit per value.
#pragma once

#include "ir/core/ir.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::ir::air {

// What an expression reads, column by column: its degree as a polynomial in the columns of a row,
// the latest phase of a column in it, and the earliest phase after which one of its challenges is
// drawn (kNone: no challenge).
struct ExpressionFacts {
  static constexpr int kNone = 99;
  int degree = 0;
  int phase = -1;  // -1: no column
  int earliest_challenge = kNone;
  int latest_challenge = 0;  // 0: none
  // The latest phase of a gathered column on which it depends, through other generated columns too;
  // 0: none. Only gathered columns are free in the phase in which they are committed.
  int gathered = 0;
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

// Of the constraint that an air.constrain, expression, scan or fraction stands for; 0 of other ops.
int constraintDegree(const Op& op, Analysis& analysis);
inline constexpr int kMaxDegree = 3;

}  // namespace lindero::ir::air
