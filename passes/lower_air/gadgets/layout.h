// How the items of a circuit stand in tables: lanes, rows, addresses. The result of a search
// (lower_to_air/choose_layout.h), from which tables are built.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "passes/lower_air/gadgets/wiring.h"

namespace lindero::passes {

class TableKind;

// An item in a table.
struct Placed {
  size_t item = 0;
  int64_t first_row = 0;
  int64_t rows = 0;
};

// A table of stacked items, all with as many lanes.
struct Stack {
  std::string name;
  std::vector<Placed> items;
  int64_t rows = 0;
};

class Layout {
 public:
  explicit Layout(const Wiring& wiring) : wiring_(&wiring), lanes_(wiring.laneRules().size(), 1) {}

  int64_t lanes(LaneId id) const { return lanes_[id]; }
  void setLanes(LaneId id, int64_t lanes) { lanes_[id] = lanes; }

  // Of a product, with the columns that pad it.
  int64_t columns(const Product& product) const;

  const std::vector<Stack>& stacks(const TableKind& kind) const;
  void setStacks(const TableKind& kind, std::vector<Stack> stacks) {
    stacks_[&kind] = std::move(stacks);
  }
  // The item's first row, and all rows, where the kind's tables stand one after the other.
  int64_t stackedRow(const TableKind& kind, size_t item) const;
  int64_t stackedRows(const TableKind& kind) const;

  // Gives each copy its addresses; fails where two lanes that a copy needs equal are not.
  absl::Status address();
  int64_t address(CopyId copy) const { return edge(copy).address; }
  Edge edge(CopyId copy) const;
  // One of `blocks` equal parts of its rows, which no tile straddles: the copy's own blocks, if its
  // tiles do not divide them.
  Edge block(CopyId copy, int64_t block, int64_t blocks) const;
  std::vector<Edge> edges(llvm::ArrayRef<CopyId> copies) const;

 private:
  const Wiring* wiring_;
  std::vector<int64_t> lanes_;
  std::map<const TableKind*, std::vector<Stack>> stacks_;
  std::vector<int64_t> addresses_;  // empty while lanes are being chosen
};

}  // namespace lindero::passes
