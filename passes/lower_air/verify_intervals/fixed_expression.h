// An expression over fixed columns, row by row, as a field element. Nothing is known of the other
// columns of its table.
//
// Cost: a visit per value and row.
#pragma once

#include <optional>
#include <vector>

#include "passes/lower_air/verify_intervals/rows.h"

namespace lindero::passes {

class FixedExpression {
 public:
  // Nothing if it reads more than fixed columns that are stored, selectors and numbers.
  static std::optional<FixedExpression> of(const TableRows& rows, const ir::Value* value);

  // The canonical residue.
  uint32_t at(int64_t row);

 private:
  explicit FixedExpression(const TableRows& rows) : rows_(&rows) {}
  struct Step {
    const ir::Op* op = nullptr;
    int column = -1;           // of a cell
    int64_t offset = 0;        // likewise
    int operands[2] = {0, 0};  // steps
  };

  const TableRows* rows_;
  std::vector<Step> steps_;  // operands first
  std::vector<uint32_t> values_;
};

}  // namespace lindero::passes
