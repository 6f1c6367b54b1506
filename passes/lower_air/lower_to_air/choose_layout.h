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
// more. Both are chosen for the least cost (LayoutCosts), where a column counts as much as so many
// cells. A kind's columns are measured: its tables are built with a builder that counts.
//
// The tallest table costs all others: proving lifts every tree to it, and composition, quotients
// and FRI have its height. So the search is done once without a limit, and again with the limit on
// the height halved each time, until an item alone or a lookup table is taller; the cheapest layout
// is taken.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"

namespace lindero::passes {

// All in cells of the main phase and of what follows from it.
struct LayoutCosts {
  int64_t column = 0;  // of any phase: bytes of the proof
  int64_t row = 0;     // of the tallest table

  int64_t of(const TableShape& shape, int64_t height) const;
  // Of a circuit.
  int64_t of(llvm::ArrayRef<TableSize> tables) const;
};

struct ChosenLayout {
  Layout layout;
  TableLimits limits;            // for lookup tables
  std::vector<TableSize> sizes;  // of the tables of work, then of lookup tables
  LayoutCosts costs;             // that they were chosen by
};

absl::StatusOr<ChosenLayout> chooseLayout(const Wiring& wiring,
                                          llvm::ArrayRef<const TableKind*> kinds);

// The columns of a table of these items.
TableShape measureTable(const TableKind& kind, const Wiring& wiring, const Layout& layout,
                        llvm::ArrayRef<Placed> items);

int64_t tallestOf(llvm::ArrayRef<TableSize> tables);

// The items, given by their rows, of each table of a kind.
std::vector<std::vector<size_t>> packRows(llvm::ArrayRef<int64_t> rows, const TableShape& shape,
                                          const TableLimits& limits);

}  // namespace lindero::passes
