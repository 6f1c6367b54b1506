// The search for a layout: how many lanes the rows of each table have, and which items share a
// table.
//
// Lanes are chosen for each group of lengths, by the cost of all tables that hold items of them. A
// length that would leave the others less than half of the lanes that they can have is in a group
// of its own: a branch of 13 rows beside 16 has its own tables, or takes the lanes of others and
// leaves the last ones of its rows unused, and the other tables stay as they are.
//
// More lanes: fewer rows, so less is spent per row (selectors, folds, edges) and more columns are
// committed and opened. A second table of a kind: fewer rows of padding, and all its columns once
// more. Both are chosen for the least cost, where a column counts as much as `column_cost` cells.
// A kind's columns are measured: its tables are built with a builder that counts.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"

namespace lindero::passes {

struct ChosenLayout {
  Layout layout;
  int64_t column_cost = 0;  // in cells
};

absl::StatusOr<ChosenLayout> chooseLayout(const Wiring& wiring,
                                          llvm::ArrayRef<const TableKind*> kinds);

// The columns of a table of these items.
TableShape measureTable(const TableKind& kind, const Wiring& wiring, const Layout& layout,
                        llvm::ArrayRef<Placed> items);

// The items, given by their rows, of each table of a kind.
std::vector<std::vector<size_t>> packRows(llvm::ArrayRef<int64_t> rows, const TableShape& shape,
                                          int64_t column_cost);

}  // namespace lindero::passes
