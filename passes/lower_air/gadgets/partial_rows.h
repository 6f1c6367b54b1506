// Rows of a table whose lanes are not all in use: a tensor's column stands in tiles of as many rows
// of it as there are lanes, and the last tile of a column may be lower than the others.
//
// Its first lanes are used then (the last ones, where the same is done along a tensor's rows), and
// the others are padding: every equation, lookup and fold leaves them out, and what no edge takes
// is held at zero. A table without such rows has nothing of this.
#pragma once

#include <map>
#include <vector>

#include "passes/lower_air/circuit/copies.h"

namespace lindero::passes {

// The tiles of a column of so many rows.
struct ColumnTiles {
  int64_t rows = 0, lanes = 1;
  int64_t full() const { return rows / lanes; }
  int64_t rest() const { return rows % lanes; }  // used lanes of the partial tile; 0: there is none
  int64_t count() const { return full() + (rest() > 0 ? 1 : 0); }
};

// Where the elements of a tensor stand column by column, as they are in a buffer (row-major): in
// full tiles, and in partial ones, with the first lanes alone.
struct ColumnCells {
  int64_t lanes = 0;
  Cells cells;
};
std::vector<ColumnCells> columnCells(const ColumnTiles& tiles, int64_t columns, int64_t first_row);
void placeColumns(TableBuilder& t, const Lanes& lanes, const Witness& witness, int64_t rows,
                  int64_t columns, int64_t first_row);

class PartialRows {
 public:
  // `name` of the fixed columns, one for each number of used lanes; these are the first lanes, or
  // the last ones.
  PartialRows(TableBuilder& t, int64_t lanes, llvm::StringRef name = "partial", bool last = false)
      : t_(t), lanes_(lanes), name_(name), last_(last) {}
  // `columns` columns of as many rows of a tensor, one after the other.
  void fill(int64_t first_row, int64_t columns, int64_t rows);

  // `on`, 1 on the rows of all items, but 0 where the lane is padding.
  Expr used(Expr on, int64_t lane) const;
  // "padding of x": zero.
  void hold(const Lanes& x, llvm::StringRef name) const;
  // The used lanes.
  std::vector<EdgeLanes> lanesOf(const Lanes& x) const;

  // Folds by powers of a challenge, Horner's rule with a step per row: the multiplier on partial
  // rows that are not a column's first, and what is added on partial rows; `instead` of all lanes,
  // if these are added on all rows.
  void addMultipliers(Expr& mul, ir::Value* challenge, bool instead = false) const;
  void addSteps(Expr& add, const Lanes& x, ir::Value* challenge, bool instead = false) const;

 private:
  struct Kind {
    int64_t used;
    bool alone;  // the column's only tile
    auto operator<=>(const Kind&) const = default;
  };
  bool isPadding(const Kind& kind, int64_t lane) const {
    return last_ ? lane < lanes_ - kind.used : lane >= kind.used;
  }

  TableBuilder& t_;
  const int64_t lanes_;
  const std::string name_;
  const bool last_;
  std::map<Kind, Expr> rows_;  // fixed columns: 1 on the rows of a kind
};

// The multiplier of a fold's step from the last row of a tensor's column to the next column.
ir::Value* nextColumn(CircuitBuilder& c, const ColumnTiles& tiles);
// The fixed columns that say where, by what the multiplier depends on.
class NextColumns {
 public:
  explicit NextColumns(TableBuilder& t) : t_(t) {}
  Expr at(const ColumnTiles& tiles);
  void addMultipliers(Expr& mul) const;

 private:
  struct Next {
    ColumnTiles tiles;
    Expr rows;
  };
  TableBuilder& t_;
  std::map<std::pair<int64_t, int64_t>, Next> next_;  // by tiles, and lanes of a partial one
};

}  // namespace lindero::passes
