#include "llvm/Support/MathExtras.h"
#include "passes/lower_air/gadgets/products/products.h"

namespace lindero::passes {
namespace {

// Column j of the matrix stands in lane (j + pad) % lanes of tile (j + pad) / lanes: leading lanes
// stay zero.
void fillMatrix(TableBuilder& t, const Lanes& w, const Matrix& m, int64_t first_row, int64_t tiles,
                int64_t pad) {
  const int64_t lanes = w.size();
  for (int64_t tile = 0; tile < tiles;) {
    int64_t low = std::max<int64_t>(0, pad - tile * lanes);
    int64_t high = std::min<int64_t>(lanes, m.columns + pad - tile * lanes);
    int64_t run = 1;
    if (low == 0 && high == lanes) run = std::max<int64_t>(1, (m.columns + pad) / lanes - tile);
    if (high > low) {
      t.fill(Lanes(w.begin() + low, w.begin() + high),
             {first_row + tile,
              {{m.rows, tiles, m.columns}, {run, 1, lanes}},
              tile * lanes + low - pad,
              1},
             m.constant->definingOp()->symbolAttr("value"));
    }
    tile += run;
  }
}

}  // namespace

int64_t WeightsTable::foldedColumns(const Matrix& m, const Layout& layout) const {
  return m.product ? layout.columns(*m.product) : m.columns;
}

int64_t WeightsTable::rowTiles(const Matrix& m, const Layout& layout) const {
  return llvm::divideCeil(foldedColumns(m, layout), layout.lanes(lanes_));
}

int64_t WeightsTable::padding(const Matrix& m, const Layout& layout) const {
  return rowTiles(m, layout) * layout.lanes(lanes_) - foldedColumns(m, layout);
}

int64_t WeightsTable::rows(size_t item, const Layout& layout) const {
  return matrices[item].rows * rowTiles(matrices[item], layout);
}

FoldSource WeightsTable::source(const Matrix& m, const Layout& layout) const {
  auto at = llvm::find_if(matrices, [&](const Matrix& other) { return &other == &m; });
  return {layout.stackedRow(*this, at - matrices.begin()), rowTiles(m, layout)};
}

// The rows of a vocabulary are looked up by (fold source, fold); those of other matrices are
// copied.
void WeightsTable::build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const {
  CircuitBuilder& c = l.circuit;
  const int64_t lanes = l.layout.lanes(lanes_);
  Lanes w = t.fixedLanes("w", lanes);
  Expr within = t.fixed("within"), copy = t.fixed("copy");
  Expr end = t.fixed("end"), vocabulary_end = t.fixed("vocabulary_end");
  bool vocabulary = false;
  int64_t first_source = 0, longest = 1;
  for (const Placed& placed : items) {
    const Matrix& m = matrices[placed.item];
    const FoldSource source = this->source(m, l.layout);
    const int64_t first = placed.first_row, tiles = source.stride;
    if (first == 0) first_source = source.first;
    longest = std::max(longest, tiles);
    fillMatrix(t, w, m, first, tiles, padding(m, l.layout));
    if (tiles > 1) t.fill(within, {first + 1, {{m.rows, tiles, 0}, {tiles - 1, 1, 0}}, 1, 0});
    const int64_t last = first + tiles - 1;
    t.fill(m.product ? end : vocabulary_end, {last, {{m.rows, tiles, 0}}, 1, 0});
    t.fill(copy, {last, {{m.rows, tiles, tiles}}, source.first + tiles, 0});
    t.instance(first, placed.rows, m.origin.region, m.origin.op->location());
    const int64_t padded = tiles * lanes;
    l.constants[{m.constant, ""}] = {t.name(),
                                     "w.0",
                                     lanes,
                                     {first, {{m.rows, tiles, padded}, {tiles, 1, lanes}}, 0, 1},
                                     m.rows * padded};
    vocabulary |= m.product == nullptr;
  }
  Expr fold = t.scan("fold", longest, within * t.outside(c.power(c.sigma(), lanes)),
                     t.dot(w, c.descendingPowers(c.sigma(), lanes)));
  t.copyTerm("copy", end * fold, t.outside(c.copyPoint()) - copy);
  if (vocabulary) {
    // On rows that end no row of a vocabulary the multiplicity is fixed to zero.
    Expr count = t.main("count");
    t.constrain(count - vocabulary_end * count, "count only at the end");
    c.bus("vocabulary", 2, 2);
    t.provide("row", "vocabulary", count, {copy, fold}, 0, -1, {-first_source - 1});
  }
}

}  // namespace lindero::passes
