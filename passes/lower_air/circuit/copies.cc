#include "passes/lower_air/circuit/copies.h"

namespace lindero::passes {
namespace {

// The last group of columns may be narrower than the tile: two fills.
void fillColumns(TableBuilder& t, const EdgeColumns& columns, int64_t first_row, const Edge& e,
                 int64_t first_column, int64_t groups, int64_t width, int64_t stride,
                 int64_t first_place = 0) {
  if (groups == 0 || width == 0) return;
  fillEdge(t, columns, first_row + first_column * stride,
           {{groups, width * stride, 1}, {width, stride, 0}, {e.rowTiles(), 1, e.columnTiles()}}, 1,
           e.address + first_column / e.tile_columns, first_place);
}

// The class of an edge's ends.
TableBuilder::Kind kindOf(const EdgeColumns& columns) {
  const bool of_public = llvm::StringRef(columns.group).starts_with(publicGroup(""));
  return of_public ? TableBuilder::Kind::kBoundary : TableBuilder::Kind::kContinuity;
}

// (za - address) (zp - place), of degree 1 in the fixed columns.
Expr denominator(TableBuilder& t, const EdgeColumns& columns, ir::Value* place_point) {
  CircuitBuilder& c = t.circuit();
  ir::Value* address_point = c.addressPoint();
  return t.outside(c.multiply(address_point, place_point)) -
         columns.address * t.outside(place_point) - columns.place * t.outside(address_point) +
         columns.corner;
}

void laneTerm(TableBuilder& t, llvm::StringRef name, const EdgeColumns& columns,
              const std::vector<EdgeLanes>& values, int sign, ir::Value* lane_point,
              ir::Value* place_point) {
  Lanes sums;
  for (const EdgeLanes& v : values) {
    sums.push_back(v.on * t.dot(v.lanes, t.circuit().reciprocals(lane_point, v.lanes.size())));
  }
  Expr sum = t.sum(sums);
  t.term(name, sign > 0 ? sum : t.zero() - sum, denominator(t, columns, place_point),
         kindOf(columns), columns.group);
}

}  // namespace

// Address times place is affine in the other loops, for each place.
void fillEdge(TableBuilder& t, const EdgeColumns& columns, int64_t first_row,
              const std::vector<Loop>& loops, size_t place_loop, int64_t address,
              int64_t first_place) {
  std::vector<Loop> addresses = loops, places = loops, corners = loops;
  for (Loop& loop : places) loop.value_stride = 0;
  places[place_loop].value_stride = 1;
  t.fill(columns.address, {first_row, addresses, address, 0});
  t.fill(columns.place, {first_row, places, first_place, 0});
  const Loop over_places = loops[place_loop];
  corners.erase(corners.begin() + place_loop);
  for (int64_t i = 0; i < over_places.count; ++i) {
    const int64_t place = first_place + i;
    if (place == 0) continue;
    for (size_t l = 0; l < corners.size(); ++l) {
      corners[l].value_stride = loops[l < place_loop ? l : l + 1].value_stride * place;
    }
    t.fill(columns.corner, {first_row + i * over_places.row_stride, corners, address * place, 0});
  }
}

EdgeColumns edgeColumns(TableBuilder& t, llvm::StringRef name) {
  std::string prefix = name.str();
  return {t.fixed(prefix + ".address"), t.fixed(prefix + ".place"), t.fixed(prefix + ".corner"),
          t.fixed(prefix + ".on")};
}

std::vector<EdgeColumns*> EdgeSlots::of(llvm::ArrayRef<Edge> edges) {
  std::vector<EdgeColumns*> out;
  for (const Edge& edge : edges) {
    auto slot = llvm::find_if(slots_, [&](EdgeColumns& s) {
      return s.group == edge.group && !llvm::is_contained(out, &s);
    });
    if (slot == slots_.end()) {
      slots_.push_back(edgeColumns(t_, name_ + std::to_string(slots_.size())));
      slot = std::prev(slots_.end());
      slot->group = edge.group;
    }
    out.push_back(&*slot);
  }
  return out;
}

Expr EdgeSlots::on() const {
  Lanes on;
  for (const EdgeColumns& slot : slots_) on.push_back(slot.on);
  return t_.sum(on);
}

void fillColumnMajorPlace(TableBuilder& t, const EdgeColumns& columns, int64_t first_row,
                          const Edge& e, int64_t stride) {
  const int64_t full = e.columns / e.tile_columns, rest = e.columns % e.tile_columns;
  fillColumns(t, columns, first_row, e, 0, full, e.tile_columns, stride);
  fillColumns(t, columns, first_row, e, full * e.tile_columns, 1, rest, stride,
              e.columns_last ? e.tile_columns - rest : 0);
}

void fillColumnMajor(TableBuilder& t, const EdgeColumns& columns, int64_t first_row,
                     const Edge& e) {
  fillColumnMajorPlace(t, columns, first_row, e, e.rowTiles());
  t.fillConstant(columns.on, first_row, e.columns * e.rowTiles(), 1);
}

void fillRowMajor(TableBuilder& t, const EdgeColumns& columns, int64_t first_row, int64_t rows,
                  const Edge& e, End end) {
  int64_t tiles = e.columnTiles();
  if (e.selected.empty()) {
    // Blocks of full tiles go on from one another.
    const int64_t blocks = rows / e.blocks % e.tile_rows == 0 ? 1 : e.blocks,
                  height = rows / blocks;
    const int64_t full = height / e.tile_rows;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t first = first_row + b * height * tiles;
      const int64_t address = e.address + b * e.rowTiles() * tiles;
      if (full > 0) {
        fillEdge(t, columns, first,
                 {{full, e.tile_rows * tiles, tiles}, {e.tile_rows, tiles, 0}, {tiles, 1, 1}}, 1,
                 address);
      }
      // The last tile may be lower than the others.
      if (height > full * e.tile_rows) {
        fillEdge(t, columns, first + full * e.tile_rows * tiles,
                 {{height % e.tile_rows, tiles, 0}, {tiles, 1, 1}}, 0, address + full * tiles);
      }
    }
    t.fillConstant(columns.on, first_row, rows * tiles, 1);
    return;
  }
  for (size_t i = 0; i < e.selected.size(); ++i) {
    const int64_t here = end == End::kGives ? e.selected[i] : int64_t(i);
    int64_t row = first_row + here * tiles, at = int64_t(i) + e.padding();
    int64_t address = e.address + at / e.tile_rows * tiles, place = at % e.tile_rows;
    t.fill(columns.address, {row, {{tiles, 1, 1}}, address, 0});
    t.fillConstant(columns.place, row, tiles, place);
    t.fill(columns.corner, {row, {{tiles, 1, place}}, address * place, 0});
    t.fillConstant(columns.on, row, tiles, 1);
  }
}

void columnMajorTerm(TableBuilder& t, llvm::StringRef name, const EdgeColumns& columns,
                     const std::vector<EdgeLanes>& values, int sign) {
  laneTerm(t, name, columns, values, sign, t.circuit().rowPoint(), t.circuit().columnPoint());
}

void rowMajorTerm(TableBuilder& t, llvm::StringRef name, const EdgeColumns& columns,
                  const std::vector<EdgeLanes>& values, int sign) {
  laneTerm(t, name, columns, values, sign, t.circuit().columnPoint(), t.circuit().rowPoint());
}

void fillColumnMajor(TableBuilder& t, EdgeSlots& slots, int64_t first_row,
                     llvm::ArrayRef<Edge> edges) {
  for (auto [slot, edge] : llvm::zip(slots.of(edges), edges)) {
    fillColumnMajor(t, *slot, first_row, edge);
  }
}

void fillRowMajor(TableBuilder& t, EdgeSlots& slots, int64_t first_row, int64_t rows,
                  llvm::ArrayRef<Edge> edges, End end) {
  for (auto [slot, edge] : llvm::zip(slots.of(edges), edges)) {
    fillRowMajor(t, *slot, first_row, rows, edge, end);
  }
}

void columnMajorTerms(TableBuilder& t, llvm::StringRef name, EdgeSlots& slots, const Lanes& lanes,
                      int sign) {
  for (const EdgeColumns& slot : slots.all()) {
    columnMajorTerm(t, name, slot, {{slot.on, lanes}}, sign);
  }
}

void rowMajorTerms(TableBuilder& t, llvm::StringRef name, EdgeSlots& slots, const Lanes& lanes,
                   int sign) {
  for (const EdgeColumns& slot : slots.all()) {
    rowMajorTerm(t, name, slot, {{slot.on, lanes}}, sign);
  }
}

void scalarTerm(TableBuilder& t, llvm::StringRef name, Expr on, Expr address, Expr value, int sign,
                llvm::StringRef tensor) {
  using enum TableBuilder::Kind;
  CircuitBuilder& c = t.circuit();
  ir::Value* weight = c.multiply(c.power(c.rowPoint(), -1), c.power(c.columnPoint(), -1));
  Expr numerator = on * value * t.outside(weight);
  t.term(name, sign > 0 ? numerator : t.zero() - numerator, t.outside(c.addressPoint()) - address,
         tensor.empty() ? kContinuity : kBoundary, tensor.empty() ? "" : publicGroup(tensor));
}

}  // namespace lindero::passes
