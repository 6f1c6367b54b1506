// Copies of a tensor from one table to another, by edges. An edge is a copy argument: a
// send/receive bus whose addresses are fixed.
//
// A tensor has rows and columns. A table holds it *column-major*, where the lanes of a row run down
// a column of the tensor, or *row-major*, where they run along a row. An edge cuts the tensor into
// tiles of tile_rows x tile_columns; an element is named by its tile's address and its place in the
// tile along either axis, whatever the layout at either end: the lane at one end may be the place
// at the other. README.md has the argument.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "passes/lower_air/circuit/circuit_builder.h"

namespace lindero::passes {

enum class Major { kRow, kColumn };

// Addresses are unique over all edges of the circuit.
struct Edge {
  int64_t address = 0;
  int64_t rows = 0, columns = 0;
  int64_t tile_rows = 1, tile_columns = 1;
  // The sum group of its ends if they are not both in the circuit.
  std::string group = {};
  // Rows of the giver that are copied; empty: all.
  std::vector<int64_t> selected = {};
  // Whether they end where the last tile ends: what is missing in a tile is in the first one then.
  bool ends_last = false;
  // Whether the columns of the last tile, if it is narrower than the others, are its last ones.
  bool columns_last = false;
  // Equal parts of the rows, none of which shares a tile with another.
  int64_t blocks = 1;
  int64_t columnTiles() const { return (columns + tile_columns - 1) / tile_columns; }
  // Of a block.
  int64_t rowTiles() const { return (rows / blocks + tile_rows - 1) / tile_rows; }
  int64_t padding() const { return ends_last ? rowTiles() * tile_rows - rows : 0; }
  int64_t tiles() const { return blocks * rowTiles() * columnTiles(); }
};

// Fixed columns that name one copy of a tensor's element: tile address, place in the tile along the
// axis that is not the lanes', their product, and whether the row takes part.
struct EdgeColumns {
  Expr address, place, corner, on;
  std::string group = {};  // Edge::group
};
EdgeColumns edgeColumns(TableBuilder& t, llvm::StringRef name);

// The columns of the copies that a table gives or takes, each of the same sum group on all rows.
class EdgeSlots {
 public:
  EdgeSlots(TableBuilder& t, llvm::StringRef name) : t_(t), name_(name) {}
  // Columns for each edge of an item: no two of its edges have the same.
  std::vector<EdgeColumns*> of(llvm::ArrayRef<Edge> edges);
  std::deque<EdgeColumns>& all() { return slots_; }
  // 1 on the rows of items that have an edge here, if none has two.
  Expr on() const;

 private:
  TableBuilder& t_;
  std::string name_;
  std::deque<EdgeColumns> slots_;
};

// Rows whose address and place are affine in the loops; the loop `place_loop` runs over the places
// of a tile. Without `on`, as below.
void fillEdge(TableBuilder& t, const EdgeColumns& columns, int64_t first_row,
              const std::vector<Loop>& loops, size_t place_loop, int64_t address,
              int64_t first_place = 0);
// Rows (column j, tile of rows): j major. The last tile of a column may be lower than the others.
void fillColumnMajor(TableBuilder& t, const EdgeColumns& columns, int64_t first_row,
                     const Edge& edge);
// The same without `on`, with `stride` rows from a column to the next.
void fillColumnMajorPlace(TableBuilder& t, const EdgeColumns& columns, int64_t first_row,
                          const Edge& edge, int64_t stride);
// Rows (tensor row i, tile of columns): i major; `rows` are the table's tensor rows. Of a giver's,
// edge.selected picks some; a taker holds these and no others, in this order.
enum class End { kGives, kTakes };
void fillRowMajor(TableBuilder& t, const EdgeColumns& columns, int64_t first_row, int64_t rows,
                  const Edge& edge, End end);
// Lanes that stand in an edge on the rows where the fixed column `on` is 1.
struct EdgeLanes {
  Expr on;
  Lanes lanes;
};
// Adds the lanes to the edge's sum (`sign` = 1: the row gives the tensor, -1: it takes it).
void columnMajorTerm(TableBuilder& t, llvm::StringRef name, const EdgeColumns& columns,
                     const std::vector<EdgeLanes>& values, int sign);
void rowMajorTerm(TableBuilder& t, llvm::StringRef name, const EdgeColumns& columns,
                  const std::vector<EdgeLanes>& values, int sign);
// The same for all edges: fills those of an item, each in columns of its own; adds the terms of all
// that a table has.
void fillColumnMajor(TableBuilder& t, EdgeSlots& slots, int64_t first_row,
                     llvm::ArrayRef<Edge> edges);
void fillRowMajor(TableBuilder& t, EdgeSlots& slots, int64_t first_row, int64_t rows,
                  llvm::ArrayRef<Edge> edges, End end);
void columnMajorTerms(TableBuilder& t, llvm::StringRef name, EdgeSlots& slots, const Lanes& lanes,
                      int sign);
void rowMajorTerms(TableBuilder& t, llvm::StringRef name, EdgeSlots& slots, const Lanes& lanes,
                   int sign);
// Adds sign * value / (address - ...) for a single element: of an edge, or of the public tensor of
// this name.
void scalarTerm(TableBuilder& t, llvm::StringRef name, Expr on, Expr address, Expr value, int sign,
                llvm::StringRef tensor = "");

}  // namespace lindero::passes
