// Analyses of expressions of the air dialect, shared by the passes of this phase. Each costs one
// visit per value.
#pragma once

#include "ir/core/ir.h"
#include "llvm/ADT/DenseMap.h"

namespace lindero::passes {

// What an expression reads, column by column: its degree as a polynomial in the columns of a row,
// the latest phase of a column in it, and the earliest phase after which one of its challenges is
// drawn (kNone: no challenge).
struct ExpressionFacts {
  static constexpr int kNone = 99;
  int degree = 0;
  int phase = -1;  // -1: no column
  int earliest_challenge = kNone;
};

class AirAnalysis {
 public:
  const ExpressionFacts& facts(ir::Value* value);
  int degree(ir::Value* value) { return facts(value).degree; }

 private:
  llvm::DenseMap<ir::Value*, ExpressionFacts> facts_;
};

// A column of a table: the result of air.column, expression, scan, fraction or gather.
bool isColumn(const ir::Op& op);

}  // namespace lindero::passes
