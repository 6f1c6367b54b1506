// The two factors of matrix products: weights (fixed) and operands (witness).
//
// For Y = X W with X and Y committed in phase 1 and W fixed, and random rho, sigma:
//   sum_i a_i w_i = sum_tj rho^(T-1-t) sigma^(n-1-j) Y[t, j]
//   a_i = sum_t rho^(T-1-t) X[t, i],  w_i = sum_j sigma^(n-1-j) W[i, j]
// a_i and w_i are scans. w_i is copied to the row of a_i by an edge over phase-2 values, which is
// checked in phase 3 under a challenge drawn after phase 2: compared under an earlier one, a copy
// could be forged.
#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

std::string symbolOf(const ir::Value* constant) {
  return constant->definingOp()->symbolAttr("value");
}

}  // namespace

void buildWeights(Lowering& l, const Stack<Matrix>& stack, int lanes, bool vocabulary) {
  CircuitBuilder& c = l.circuit;
  TableBuilder t(c, stack.name, stack.rows);
  Lanes w = t.fixedLanes("w", lanes);
  Expr within = t.fixed("within"), end = t.fixed("end"), copy = t.fixed("copy");
  int64_t base = stack.copy_base;
  for (const auto& e : stack.entries) {
    const Matrix& m = *e.item;
    std::string symbol = symbolOf(m.constant);
    int64_t pad = m.blocks * lanes - m.folded_columns;
    // Column j stands in lane (j + pad) % lanes of block (j + pad) / lanes: leading lanes stay
    // zero.
    for (int64_t block = 0; block < m.blocks;) {
      int64_t low = std::max<int64_t>(0, pad - block * lanes);
      int64_t high = std::min<int64_t>(lanes, m.columns + pad - block * lanes);
      int64_t run = 1;
      if (low == 0 && high == lanes) run = std::max<int64_t>(1, (m.columns + pad) / lanes - block);
      if (high > low) {
        t.fill(Lanes(w.begin() + low, w.begin() + high),
               {e.first_row + block,
                {{m.rows, m.blocks, m.columns}, {run, 1, lanes}},
                block * lanes + low - pad,
                1},
               symbol);
      }
      block += run;
    }
    if (m.blocks > 1) {
      t.fill(within, {e.first_row + 1, {{m.rows, m.blocks, 0}, {m.blocks - 1, 1, 0}}, 1, 0});
    }
    int64_t last = e.first_row + m.blocks - 1;
    t.fill(end, {last, {{m.rows, m.blocks, 0}}, 1, 0});
    t.fill(copy, {last, {{m.rows, m.blocks, m.blocks}}, base + last + 1, 0});
    t.instance(e.first_row, e.rows, m.origin.region, m.origin.op->location());
    int64_t padded = m.blocks * lanes;
    l.constants[m.constant] = {
        t.name(),
        "w.0",
        lanes,
        {e.first_row, {{m.rows, m.blocks, padded}, {m.blocks, 1, lanes}}, 0, 1},
        m.rows * padded};
  }
  Expr fold = t.scan("fold", within * t.outside(c.power(c.sigma(), lanes)),
                     t.dot(w, c.descendingPowers(c.sigma(), lanes)));
  if (vocabulary) {
    // The rows that are looked up are those that end a matrix row; on the others the multiplicity
    // is fixed to zero.
    Expr count = t.main("count");
    t.constrain(count - end * count, "count only at the end");
    t.provide("row", "vocabulary", count, {copy, fold}, 0, -1, {-base - 1});
  } else {
    t.term("copy", "copies", 3, end * fold, t.outside(c.copyPoint()) - copy);
  }
}

void buildOperands(Lowering& l, const Stack<Operand>& stack) {
  CircuitBuilder& c = l.circuit;
  TableBuilder t(c, stack.name, stack.rows);
  int64_t lanes = l.plan.row_lanes;
  Expr left = t.fixed("left"), right_rows = t.fixed("right_rows"),
       right_columns = t.fixed("right_columns");
  Expr left_within = t.fixed("left_within"), right_within = t.fixed("right_within");
  Expr left_end = t.fixed("left_end"), right_end = t.fixed("right_end");
  Expr product = t.fixed("product"), copy = t.fixed("copy");
  Expr address = t.fixed("in.address"), place = t.fixed("in.place");
  Lanes x = t.mainLanes("x", lanes);
  for (const auto& e : stack.entries) {
    const Operand& o = *e.item;
    bool is_left = o.kind == Operand::kLeft, by_columns = o.kind == Operand::kRightColumns;
    int64_t folded = o.batch * o.inner;
    t.fillConstant(is_left      ? left
                   : by_columns ? right_columns
                                : right_rows,
                   e.first_row, e.rows, 1);
    if (o.blocks > 1) {
      t.fill(is_left ? left_within : right_within,
             {e.first_row + 1, {{folded, o.blocks, 0}, {o.blocks - 1, 1, 0}}, 1, 0});
    }
    int64_t last = e.first_row + o.blocks - 1;
    t.fill(is_left ? left_end : right_end, {last, {{folded, o.blocks, 0}}, 1, 0});
    if (is_left) {
      const Product& p = *o.product;
      t.fill(product, {last, {{p.count, p.inner * o.blocks, 1}, {p.inner, o.blocks, 0}}, p.id, 0});
      int64_t source = o.matrix ? o.matrix->copy_base : o.partner->copy_base;
      int64_t stride = o.matrix ? o.matrix->blocks : o.partner->blocks;
      t.fill(copy, {last, {{folded, o.blocks, stride}}, source + stride, 0});
    } else {
      t.fill(copy, {last, {{folded, o.blocks, o.blocks}}, o.copy_base + o.blocks, 0});
    }
    if (by_columns) {
      const Edge& edge = o.edges[0];
      int64_t keys = edge.rows, blocks = o.blocks, groups = keys / edge.tile_rows;
      t.fill(address, {e.first_row,
                       {{o.heads, keys * blocks, blocks},
                        {groups, edge.tile_rows * blocks, edge.columnTiles()},
                        {edge.tile_rows, blocks, 0},
                        {blocks, 1, 1}},
                       edge.address,
                       0});
      t.fill(place, {e.first_row,
                     {{o.heads, keys * blocks, 0},
                      {groups, edge.tile_rows * blocks, 0},
                      {edge.tile_rows, blocks, 1},
                      {blocks, 1, 0}},
                     0,
                     0});
      t.place(x, {o.value, ""},
              {e.first_row,
               {{o.heads, keys * blocks, o.length},
                {keys, blocks, o.heads * o.length},
                {blocks, 1, lanes}},
               0,
               1});
    } else {
      for (int64_t b = 0; b < o.batch; ++b) {
        int64_t first = e.first_row + b * o.inner * o.blocks;
        fillFeatureMajorPlace(t, {address, place, {}}, first, o.edges[b]);
      }
      // The first block holds the padding, and what is left of it.
      int64_t partial = o.padding > 0 ? 1 : 0;
      if (partial) {
        t.place(Lanes(x.begin() + o.padding, x.end()), {o.value, ""},
                {e.first_row, {{o.inner, o.blocks, 1}}, 0, o.inner});
      }
      if (o.blocks > partial) {
        t.place(x, {o.value, ""},
                {e.first_row + partial,
                 {{o.batch, o.inner * o.blocks, o.inner * o.length},
                  {o.inner, o.blocks, 1},
                  {o.blocks - partial, 1, lanes * o.inner}},
                 partial * (lanes - o.padding) * o.inner,
                 o.inner});
      }
    }
    t.instance(e.first_row, e.rows, o.origin.region, o.origin.op->location());
  }

  std::vector<ir::Value*> rho = c.descendingPowers(c.rho(), lanes);
  std::vector<ir::Value*> sigma = c.descendingPowers(c.sigma(), lanes);
  Expr right = right_rows + right_columns;
  Expr fold = t.scan("fold",
                     left_within * t.outside(c.power(c.rho(), lanes)) +
                         right_within * t.outside(c.power(c.sigma(), lanes)),
                     left * t.dot(x, rho) + right * t.dot(x, sigma));
  Expr factor = t.gather("factor", left_end * copy, l.source_tables, l.source_columns,
                         l.source_bases, l.source_rows);
  t.term("product", "tensors", 2, left_end * fold * factor, t.outside(c.productPoint()) - product);
  Expr by_rows = left + right_rows;
  Expr taken = by_rows * t.dot(x, c.reciprocals(c.rowPoint(), lanes)) +
               right_columns * t.dot(x, c.reciprocals(c.columnPoint(), lanes));
  Expr column_point = t.outside(c.columnPoint()), row_point = t.outside(c.rowPoint());
  Expr point = column_point + right_columns * (row_point - column_point);
  t.term("in", "tensors", 2, t.zero() - taken,
         (t.outside(c.addressPoint()) - address) * (point - place));
  t.term("copy", "copies", 3, right_end * fold - left_end * factor,
         t.outside(c.copyPoint()) - copy);
}

}  // namespace lindero::passes
