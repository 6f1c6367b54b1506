#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

// The last group of columns may be narrower than the tile: two fills.
void fillColumns(TableBuilder& t, const EdgeColumns& columns, int64_t first_row, const Edge& e,
                 int64_t first_column, int64_t groups, int64_t width, int64_t blocks) {
  if (groups == 0 || width == 0) return;
  int64_t row = first_row + first_column * blocks;
  int64_t tile = e.address + first_column / e.tile_columns;
  t.fill(columns.address,
         {row,
          {{groups, width * blocks, 1}, {width, blocks, 0}, {blocks, 1, e.columnTiles()}},
          tile,
          0});
  t.fill(columns.place,
         {row, {{groups, width * blocks, 0}, {width, blocks, 1}, {blocks, 1, 0}}, 0, 0});
}

Expr denominator(TableBuilder& t, const EdgeColumns& columns, ir::Value* place_point) {
  CircuitBuilder& c = t.circuit();
  return (t.outside(c.addressPoint()) - columns.address) * (t.outside(place_point) - columns.place);
}

void laneTerm(TableBuilder& t, llvm::StringRef name, const EdgeColumns& columns, const Lanes& lanes,
              int sign, ir::Value* lane_point, ir::Value* place_point) {
  Expr value = columns.on * t.dot(lanes, t.circuit().reciprocals(lane_point, lanes.size()));
  t.term(name, "tensors", 2, sign > 0 ? value : t.zero() - value,
         denominator(t, columns, place_point));
}

}  // namespace

EdgeColumns edgeColumns(TableBuilder& t, llvm::StringRef name) {
  std::string prefix = name.str();
  return {t.fixed(prefix + ".address"), t.fixed(prefix + ".place"), t.fixed(prefix + ".on")};
}

void fillFeatureMajorPlace(TableBuilder& t, const EdgeColumns& columns, int64_t first_row,
                           const Edge& e) {
  int64_t blocks = e.rowTiles();
  int64_t full = e.columns / e.tile_columns;
  fillColumns(t, columns, first_row, e, 0, full, e.tile_columns, blocks);
  fillColumns(t, columns, first_row, e, full * e.tile_columns, 1, e.columns % e.tile_columns,
              blocks);
}

void fillFeatureMajor(TableBuilder& t, const EdgeColumns& columns, int64_t first_row,
                      const Edge& e) {
  fillFeatureMajorPlace(t, columns, first_row, e);
  t.fillConstant(columns.on, first_row, e.columns * (e.rows / e.tile_rows), 1);
}

void fillTokenMajor(TableBuilder& t, const EdgeColumns& columns, int64_t first_row, int64_t rows,
                    const Edge& e) {
  int64_t blocks = e.columnTiles();
  if (e.selected.empty()) {
    int64_t groups = rows / e.tile_rows;
    t.fill(columns.address,
           {first_row,
            {{groups, e.tile_rows * blocks, blocks}, {e.tile_rows, blocks, 0}, {blocks, 1, 1}},
            e.address,
            0});
    t.fill(columns.place,
           {first_row,
            {{groups, e.tile_rows * blocks, 0}, {e.tile_rows, blocks, 1}, {blocks, 1, 0}},
            0,
            0});
    t.fillConstant(columns.on, first_row, rows * blocks, 1);
    return;
  }
  for (size_t i = 0; i < e.selected.size(); ++i) {
    int64_t row = first_row + e.selected[i] * blocks, at = int64_t(i) + e.padding();
    t.fill(columns.address, {row, {{blocks, 1, 1}}, e.address + at / e.tile_rows * blocks, 0});
    t.fillConstant(columns.place, row, blocks, at % e.tile_rows);
    t.fillConstant(columns.on, row, blocks, 1);
  }
}

void featureMajorTerm(TableBuilder& t, llvm::StringRef name, const EdgeColumns& columns,
                      const Lanes& lanes, int sign) {
  laneTerm(t, name, columns, lanes, sign, t.circuit().rowPoint(), t.circuit().columnPoint());
}

void tokenMajorTerm(TableBuilder& t, llvm::StringRef name, const EdgeColumns& columns,
                    const Lanes& lanes, int sign) {
  laneTerm(t, name, columns, lanes, sign, t.circuit().columnPoint(), t.circuit().rowPoint());
}

void scalarTerm(TableBuilder& t, llvm::StringRef name, Expr on, Expr address, Expr value,
                int sign) {
  CircuitBuilder& c = t.circuit();
  ir::Value* weight = c.multiply(c.power(c.rowPoint(), -1), c.power(c.columnPoint(), -1));
  Expr numerator = on * value * t.outside(weight);
  t.term(name, "tensors", 2, sign > 0 ? numerator : t.zero() - numerator,
         t.outside(c.addressPoint()) - address);
}

}  // namespace lindero::passes
