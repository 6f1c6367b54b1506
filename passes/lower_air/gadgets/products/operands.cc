#include <map>
#include <optional>

#include "passes/lower_air/gadgets/partial_rows.h"
#include "passes/lower_air/gadgets/products/products.h"

namespace lindero::passes {
namespace {

// An operand in its table.
struct PlacedOperand {
  PlacedOperand(const Operand& o, const Placed& placed, int64_t lanes, bool padded)
      : o(o),
        first_row(placed.first_row),
        rows(placed.rows),
        lanes(lanes),
        column{o.length, lanes},
        tiles(column.count()),
        padding(padded ? tiles * lanes - o.length : 0) {
    column.rows += padding;
  }
  const Operand& o;
  int64_t first_row, rows, lanes;
  ColumnTiles column;  // what is folded into one value
  int64_t tiles;       // table rows of it
  int64_t padding;     // zeros in front
  bool byColumns() const { return o.kind == Operand::kRightColumns; }
};

// Copies of another sum group; `on` by kind of operand: folded over rows, and over columns.
struct OtherCopies {
  EdgeColumns at;
  std::optional<Expr> rows, columns;
};

// The fixed columns of the table of operands.
struct OperandColumns {
  explicit OperandColumns(TableBuilder& t) : t(t) {}
  TableBuilder& t;
  // Rows of left operands; of right ones, folded over rows or over columns; of added ones.
  Expr left = t.fixed("left"), right_rows = t.fixed("right_rows"),
       right_columns = t.fixed("right_columns"), added = t.fixed("added");
  // Not the first row of a folded value: of left and added operands, and of right ones.
  Expr left_within = t.fixed("left_within"), right_within = t.fixed("right_within");
  Expr left_end = t.fixed("left_end"), right_end = t.fixed("right_end");
  // The product's id where a factor ends; 0, which names none, elsewhere.
  Expr product = t.fixed("product"), copy = t.fixed("copy");
  // Where an added operand ends: 2^a, and the product's id.
  Expr addend = t.fixed("addend"), added_to = t.fixed("added_to");
  Expr address = t.fixed("in.address"), place = t.fixed("in.place"), corner = t.fixed("in.corner");
  EdgeColumns in{address, place, corner, {}};
  // Copies whose other end is elsewhere, by sum group, and the rows without a copy of this table.
  std::map<std::string, OtherCopies> others;
  std::optional<Expr> no_rows, no_columns;
  // Where a fold goes on to the next column.
  NextColumns next{t};
  int64_t longest = 1;  // rows of a fold
};

// Partial rows of operands that are folded by rho, and of right ones, by sigma: they are no rows of
// `left`, `right_rows` or `added`. Of a public tensor, another copy takes them.
struct PartialOperands {
  PartialOperands(TableBuilder& t, int64_t lanes)
      : by_rho(t, lanes),
        by_sigma(t, lanes, "partial_right"),
        public_by_rho(t, lanes, "partial_public"),
        public_by_sigma(t, lanes, "partial_right_public") {}
  PartialRows by_rho, by_sigma, public_by_rho, public_by_sigma;

  PartialRows& of(bool right, bool is_public) {
    if (is_public) return right ? public_by_sigma : public_by_rho;
    return right ? by_sigma : by_rho;
  }
};

// Where the fold of each column (or row, for right columns) starts, ends and is multiplied.
// `factor`: of a left operand, the folds of the other side; `own`: its own.
void fillFolds(OperandColumns& c, PartialOperands& partial, const PlacedOperand& p,
               FoldSource factor, FoldSource own, bool is_public) {
  TableBuilder& t = c.t;
  const Operand& o = p.o;
  const int64_t folded = o.batch * o.inner, last = p.first_row + p.tiles - 1;
  Expr kind = o.kind == Operand::kLeft           ? c.left
              : o.kind == Operand::kRightRows    ? c.right_rows
              : o.kind == Operand::kRightColumns ? c.right_columns
                                                 : c.added;
  const bool right = o.kind == Operand::kRightRows || o.kind == Operand::kRightColumns;
  const int64_t full = p.column.full();
  if (full == p.tiles) {
    t.fillConstant(kind, p.first_row, p.rows, 1);
  } else {
    if (full > 0) t.fill(kind, {p.first_row, {{folded, p.tiles, 0}, {full, 1, 0}}, 1, 0});
    partial.of(right, is_public).fill(p.first_row, folded, p.column.rows);
  }
  c.longest = std::max(c.longest, o.kind == Operand::kAdded ? p.rows : p.tiles);
  if (full > 1) {
    t.fill(right ? c.right_within : c.left_within,
           {p.first_row + 1, {{folded, p.tiles, 0}, {full - 1, 1, 0}}, 1, 0});
  }
  if (o.kind == Operand::kAdded) {
    Expr next = c.next.at(p.column);
    if (folded > 1) t.fill(next, {p.first_row + p.tiles, {{folded - 1, p.tiles, 0}}, 1, 0});
    t.fillConstant(c.addend, p.first_row + p.rows - 1, 1, int64_t{1} << o.shift);
    t.fillConstant(c.added_to, p.first_row + p.rows - 1, 1, o.product->id);
  } else if (o.kind == Operand::kLeft) {
    const Product& q = *o.product;
    t.fill(c.left_end, {last, {{folded, p.tiles, 0}}, 1, 0});
    t.fill(c.product, {last, {{q.count, q.inner * p.tiles, 1}, {q.inner, p.tiles, 0}}, q.id, 0});
    t.fill(c.copy, {last, {{folded, p.tiles, factor.stride}}, factor.first + factor.stride, 0});
  } else {
    t.fill(c.right_end, {last, {{folded, p.tiles, 0}}, 1, 0});
    t.fill(c.copy, {last, {{folded, p.tiles, p.tiles}}, own.first + own.stride, 0});
  }
}

// Where a copy of `edge.rows` rows of the operand's tensor stands, from row `first` on. Right
// columns have a row per (head, tensor row, tile of the head's columns), the others one per
// (column, tile of rows); `batch` is that of the others.
void fillPlaces(OperandColumns& c, const EdgeColumns& columns, const PlacedOperand& p,
                const Edge& edge, int64_t first, int64_t batch) {
  if (p.byColumns()) {
    const int64_t keys = p.o.inner / p.o.heads;
    auto fillTiles = [&](int64_t from, int64_t count, int64_t height) {
      if (count == 0 || height == 0) return;
      fillEdge(c.t, columns, p.first_row + (first + from * edge.tile_rows) * p.tiles,
               {{p.o.heads, keys * p.tiles, p.tiles},
                {count, edge.tile_rows * p.tiles, edge.columnTiles()},
                {height, p.tiles, 0},
                {p.tiles, 1, 1}},
               2, edge.address + from * edge.columnTiles());
    };
    // The last tile may be lower than the others.
    const int64_t full = edge.rows / edge.tile_rows;
    fillTiles(0, full, edge.tile_rows);
    fillTiles(full, 1, edge.rows % edge.tile_rows);
  } else {
    fillColumnMajorPlace(c.t, columns, p.first_row + batch * p.o.inner * p.tiles + first / p.lanes,
                         edge, p.tiles);
  }
}

// 1 on the rows of a copy; `full_only`: but for partial ones.
void fillRows(TableBuilder& t, Expr column, const PlacedOperand& p, const Edge& edge, int64_t first,
              bool full_only = false) {
  if (p.byColumns()) {
    t.fill(column, {p.first_row + first * p.tiles,
                    {{p.o.heads, p.o.inner / p.o.heads * p.tiles, 0}, {edge.rows * p.tiles, 1, 0}},
                    1,
                    0});
    return;
  }
  const int64_t tiles = full_only ? edge.rows / p.lanes : edge.rowTiles();
  if (tiles == 0) return;
  t.fill(column, {p.first_row + first / p.lanes, {{p.o.inner, p.tiles, 0}, {tiles, 1, 0}}, 1, 0});
}

void fillOtherCopy(OperandColumns& c, const PlacedOperand& p, const Edge& edge, int64_t first) {
  auto made = c.others.find(edge.group);
  if (made == c.others.end()) {
    const std::string& name = edge.group;
    EdgeColumns at{c.t.fixed(name + ".address"),
                   c.t.fixed(name + ".place"),
                   c.t.fixed(name + ".corner"),
                   {},
                   name};
    made = c.others.emplace(name, OtherCopies{at, {}, {}}).first;
  }
  fillPlaces(c, made->second.at, p, edge, first, 0);
  std::optional<Expr>& on = p.byColumns() ? made->second.columns : made->second.rows;
  if (!on) on = c.t.fixed(edge.group + (p.byColumns() ? ".by_columns" : ".by_rows"));
  fillRows(c.t, *on, p, edge, first);
}

// The copies that an operand takes, and leaves.
void fillCopies(OperandColumns& c, const PlacedOperand& p, const Layout& layout) {
  const Operand& o = p.o;
  auto leaveOut = [&](const Edge& edge, int64_t first) {
    std::optional<Expr>& no = p.byColumns() ? c.no_columns : c.no_rows;
    if (!no) no = c.t.fixed(p.byColumns() ? "in.no_columns" : "in.no_rows");
    fillRows(c.t, *no, p, edge, first, /*full_only=*/true);
  };
  for (int64_t b = 0; b < o.batch; ++b) {
    const Edge edge = layout.block(o.copy, b, o.batch);
    if (edge.group.empty()) {
      fillPlaces(c, c.in, p, edge, o.linked, b);
    } else {
      fillOtherCopy(c, p, edge, o.linked);
      leaveOut(edge, o.linked);
    }
  }
  if (o.linked == 0) return;
  const int64_t rows = p.byColumns() ? o.inner / o.heads : o.length;
  Edge edge = layout.edge(o.handed_on);
  edge.group = kLinkIn;
  fillOtherCopy(c, p, edge, 0);
  leaveOut(edge, 0);
  edge.group = kLinkOut;
  fillOtherCopy(c, p, edge, rows - edge.rows);
}

void placeRowMajor(TableBuilder& t, const Lanes& x, const PlacedOperand& p) {
  const Operand& o = p.o;
  const int64_t keys = o.inner / o.heads;
  t.place(x, {o.value, ""},
          {p.first_row,
           {{o.heads, keys * p.tiles, o.length},
            {keys, p.tiles, o.heads * o.length},
            {p.tiles, 1, p.lanes}},
           0,
           1});
}

void placeColumnMajor(TableBuilder& t, const Lanes& x, const PlacedOperand& p) {
  const Operand& o = p.o;
  const Loop batches{o.batch, o.inner * p.tiles, o.inner * o.length};
  if (p.padding == 0) {
    for (ColumnCells part : columnCells(p.column, o.inner, p.first_row)) {
      part.cells.loops.insert(part.cells.loops.begin(), batches);
      t.place(Lanes(x.begin(), x.begin() + part.lanes), {o.value, ""}, part.cells);
    }
    return;
  }
  // The first tile holds the padding, and what is left of it.
  t.place(Lanes(x.begin() + p.padding, x.end()), {o.value, ""},
          {p.first_row, {{o.inner, p.tiles, 1}}, 0, o.inner});
  if (p.tiles == 1) return;
  t.place(x, {o.value, ""},
          {p.first_row + 1,
           {batches, {o.inner, p.tiles, 1}, {p.tiles - 1, 1, p.lanes * o.inner}},
           (p.lanes - p.padding) * o.inner,
           o.inner});
}

void addFolds(CircuitBuilder& circuit, OperandColumns& c, PartialOperands& partial, const Lanes& x,
              const GatherSources& sources) {
  TableBuilder& t = c.t;
  const int64_t lanes = x.size();
  Expr mul = c.left_within * t.outside(circuit.power(circuit.rho(), lanes)) +
             c.right_within * t.outside(circuit.power(circuit.sigma(), lanes));
  for (bool is_public : {false, true}) {
    partial.of(/*right=*/false, is_public).addMultipliers(mul, circuit.rho());
    partial.of(/*right=*/true, is_public).addMultipliers(mul, circuit.sigma());
  }
  c.next.addMultipliers(mul);
  Expr add =
      (c.left + c.added) * t.dot(x, circuit.descendingPowers(circuit.rho(), lanes)) +
      (c.right_rows + c.right_columns) * t.dot(x, circuit.descendingPowers(circuit.sigma(), lanes));
  for (bool is_public : {false, true}) {
    partial.of(/*right=*/false, is_public).addSteps(add, x, circuit.rho());
    partial.of(/*right=*/true, is_public).addSteps(add, x, circuit.sigma());
  }
  Expr fold = t.scan("fold", c.longest, mul, add);
  Expr factor = t.gather("factor", c.left_end * c.copy, sources);
  // Where no copy binds it, a factor would be free, and chosen after the challenges of its product.
  t.constrain(factor - c.left_end * factor, "no factor where none ends");
  t.term("product", factor * fold, t.outside(circuit.productPoint()) - c.product);
  t.term("added", c.addend * fold, t.outside(circuit.productPoint()) - c.added_to);
  t.copyTerm("copy", c.right_end * fold - c.left_end * factor,
             t.outside(circuit.copyPoint()) - c.copy);
}

void addCopies(OperandColumns& c, const PartialOperands& partial, const Lanes& x) {
  TableBuilder& t = c.t;
  Expr by_rows = c.left + c.right_rows + c.added, by_columns = c.right_columns;
  if (c.no_rows) by_rows = by_rows - *c.no_rows;
  if (c.no_columns) by_columns = by_columns - *c.no_columns;
  std::vector<EdgeLanes> taken{{by_rows, x}};
  llvm::append_range(taken, partial.by_rho.lanesOf(x));
  llvm::append_range(taken, partial.by_sigma.lanesOf(x));
  partial.by_rho.hold(x, "x");
  partial.by_sigma.hold(x, "right x");
  partial.public_by_rho.hold(x, "public x");
  partial.public_by_sigma.hold(x, "public right x");
  columnMajorTerm(t, "in by rows", c.in, taken, -1);
  rowMajorTerm(t, "in by columns", c.in, {{by_columns, x}}, -1);
  for (auto& [group, copies] : c.others) {
    const int sign = group == kLinkOut ? 1 : -1;
    if (copies.rows) columnMajorTerm(t, group + " by rows", copies.at, {{*copies.rows, x}}, sign);
    if (copies.columns) {
      rowMajorTerm(t, group + " by columns", copies.at, {{*copies.columns, x}}, sign);
    }
  }
}

}  // namespace

int64_t OperandsTable::rows(size_t item, const Layout& layout) const {
  const Operand& o = operands[item];
  return o.batch * o.inner * ColumnTiles{o.length, layout.lanes(o.lanes)}.count();
}

FoldSource OperandsTable::source(const Operand& o, const Layout& layout) const {
  auto at = llvm::find_if(operands, [&](const Operand& other) { return &other == &o; });
  return {layout.stackedRows(weights_) + layout.stackedRow(*this, at - operands.begin()),
          ColumnTiles{o.length, layout.lanes(o.lanes)}.count()};
}

GatherSources OperandsTable::gatherSources(const Layout& layout) const {
  GatherSources sources;
  int64_t base = 0;
  for (const TableKind* kind :
       {static_cast<const TableKind*>(&weights_), static_cast<const TableKind*>(this)}) {
    for (const Stack& stack : layout.stacks(*kind)) {
      sources.tables.push_back(stack.name);
      sources.columns.push_back("fold");
      sources.bases.push_back(base);
      sources.rows.push_back(stack.rows);
      base += heightOf(stack.rows);
    }
  }
  return sources;
}

void OperandsTable::build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const {
  const int64_t lanes = lanesOf(l, items);
  OperandColumns columns(t);
  PartialOperands partial(t, lanes);
  Lanes x = t.mainLanes("x", lanes);
  for (const Placed& placed : items) {
    const Operand& o = operands[placed.item];
    const PlacedOperand p(o, placed, lanes, o.lanes == l.wiring.down());
    FoldSource factor;
    if (o.matrix) factor = weights_.source(*o.matrix, l.layout);
    if (o.partner) factor = source(*o.partner, l.layout);
    fillFolds(columns, partial, p, factor, source(o, l.layout),
              !l.layout.edge(o.copy).group.empty());
    fillCopies(columns, p, l.layout);
    if (p.byColumns()) {
      placeRowMajor(t, x, p);
    } else {
      placeColumnMajor(t, x, p);
    }
    t.instance(placed.first_row, placed.rows, o.origin.region, o.origin.op->location());
  }
  addFolds(l.circuit, columns, partial, x, gatherSources(l.layout));
  addCopies(columns, partial, x);
}

}  // namespace lindero::passes
