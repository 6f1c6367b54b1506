// Layout: how many lanes the rows of each table have, and which items share a table.
//
// More lanes: fewer rows, so less is spent per row (selectors, folds, edges) and more columns are
// committed and opened. A second table of a kind: fewer rows of padding, and all its columns once
// more. Both are chosen for the least cost, where a column counts as much as `column_cost` cells.
#pragma once

#include <deque>
#include <vector>

#include "passes/lower_air/lower_to_air/circuit_builder.h"
#include "passes/lower_air/lower_to_air/plan.h"

namespace lindero::passes {

// The columns of a kind of table. Two fractions share a column of the extension field.
struct TableShape {
  int64_t fixed = 0, main = 0, folds = 0, fractions = 0;
  int64_t online() const { return main + 4 * (folds + (fractions + 1) / 2); }
  int64_t columns() const { return fixed + online(); }
};

TableShape resultShape(int64_t lanes);
TableShape outputShape(int64_t lanes);
TableShape operandShape(int64_t lanes);
TableShape normShape(int64_t lanes);
TableShape softmaxShape(int64_t lanes);
TableShape argmaxShape(int64_t lanes);
TableShape embeddingShape(int64_t lanes);
TableShape weightShape(int64_t lanes);

// The items, given by their rows, of each table of a kind.
std::vector<std::vector<size_t>> packRows(const std::vector<int64_t>& rows, const TableShape& shape,
                                          int64_t column_cost);

// Sets plan.lanes and plan.column_cost.
void chooseLanes(Plan& plan, const LowerToAirOptions& options);

// Rows of an item in its table, for plan.lanes.
int64_t rowsOf(const Plan& plan, const Result& r);
int64_t rowsOf(const Plan& plan, const Operand& o);
int64_t rowsOf(const Plan& plan, const Norm& n);
int64_t rowsOf(const Plan& plan, const Attend& a);
int64_t rowsOf(const Plan& plan, const Choice& c);
int64_t rowsOf(const Plan& plan, const Embed& e);
int64_t rowsOf(const Plan& plan, const Matrix& m);

}  // namespace lindero::passes
