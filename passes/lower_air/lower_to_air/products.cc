// The summands of matrix products: weights (fixed), and operands (witness), left, right and added.
//
// For Y = X W + 2^a Z with X, Y and Z committed in phase 1 and W fixed, and random rho, sigma:
//   sum_i a_i w_i + 2^a z = sum_tj rho^(T-1-t) sigma^(n-1-j) Y[t, j]
//   a_i = sum_t rho^(T-1-t) X[t, i],  w_i = sum_j sigma^(n-1-j) W[i, j],
//   z = sum_tj rho^(T-1-t) sigma^(n-1-j) Z[t, j]
// a_i, w_i and z are scans. w_i is copied to the row of a_i by an edge over phase-2 values, which
// is checked under a challenge drawn after phase 2: compared under an earlier one, a copy could be
// forged.
#include <map>
#include <optional>

#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

std::string symbolOf(const ir::Value* constant) {
  return constant->definingOp()->symbolAttr("value");
}

}  // namespace

// The rows of a vocabulary are looked up by (copy, fold); those of other matrices are copied.
void buildWeights(Lowering& l, const Stack<Matrix>& stack) {
  CircuitBuilder& c = l.circuit;
  TableBuilder t(c, stack.name, stack.rows);
  const int64_t lanes = l.plan.lanes.weights;
  Lanes w = t.fixedLanes("w", lanes);
  Expr within = t.fixed("within"), copy = t.fixed("copy");
  Expr end = t.fixed("end"), vocabulary_end = t.fixed("vocabulary_end");
  bool vocabulary = false;
  for (const auto& e : stack.entries) {
    const Matrix& m = *e.item;
    std::string symbol = symbolOf(m.constant);
    // Column j stands in lane (j + pad) % lanes of block (j + pad) / lanes: leading lanes stay
    // zero.
    const int64_t pad = m.padding(lanes);
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
    t.fill(m.vocabulary ? vocabulary_end : end, {last, {{m.rows, m.blocks, 0}}, 1, 0});
    t.fill(copy, {last, {{m.rows, m.blocks, m.blocks}}, m.copy_base + m.blocks, 0});
    t.instance(e.first_row, e.rows, m.origin.region, m.origin.op->location());
    int64_t padded = m.blocks * lanes;
    l.constants[m.constant] = {
        t.name(),
        "w.0",
        lanes,
        {e.first_row, {{m.rows, m.blocks, padded}, {m.blocks, 1, lanes}}, 0, 1},
        m.rows * padded};
    vocabulary |= m.vocabulary;
  }
  int64_t longest = 1;
  for (const auto& e : stack.entries) longest = std::max(longest, e.item->blocks);
  Expr fold = t.scan("fold", longest, within * t.outside(c.power(c.sigma(), lanes)),
                     t.dot(w, c.descendingPowers(c.sigma(), lanes)));
  t.copyTerm("copy", end * fold, t.outside(c.copyPoint()) - copy);
  if (vocabulary) {
    // On rows that end no row of a vocabulary the multiplicity is fixed to zero.
    Expr count = t.main("count");
    t.constrain(count - vocabulary_end * count, "count only at the end");
    t.provide("row", "vocabulary", count, {copy, fold}, 0, -1, {-stack.copy_base - 1});
  }
}

namespace {

// Copies of another claim group; `on` by kind of operand: folded over rows, and over columns.
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
  // Not the first row of a feature (or token, for right columns): of left and added, and of right.
  Expr left_within = t.fixed("left_within"), right_within = t.fixed("right_within");
  Expr left_end = t.fixed("left_end"), right_end = t.fixed("right_end");
  // The product's id where a factor ends; 0, which names none, elsewhere.
  Expr product = t.fixed("product"), copy = t.fixed("copy");
  // Where an added operand ends: 2^a, and the product's id.
  Expr addend = t.fixed("addend"), added_to = t.fixed("added_to");
  Expr address = t.fixed("in.address"), place = t.fixed("in.place"), corner = t.fixed("in.corner");
  EdgeColumns in{address, place, corner, {}};
  // Copies whose other end is elsewhere, by claim group, and the rows without a copy of this table.
  std::map<std::string, OtherCopies> others;
  std::optional<Expr> no_rows, no_columns;
  // By the blocks of a feature: where a fold goes on to the next feature.
  std::map<int64_t, Expr> next;
};

// Where the fold of each feature (or token, for right columns) starts, ends and is multiplied.
void fillFolds(OperandColumns& c, const Operand& o, int64_t first_row, int64_t rows) {
  TableBuilder& t = c.t;
  const int64_t folded = o.batch * o.inner, last = first_row + o.blocks - 1;
  Expr kind = o.kind == Operand::kLeft           ? c.left
              : o.kind == Operand::kRightRows    ? c.right_rows
              : o.kind == Operand::kRightColumns ? c.right_columns
                                                 : c.added;
  t.fillConstant(kind, first_row, rows, 1);
  const bool right = o.kind == Operand::kRightRows || o.kind == Operand::kRightColumns;
  if (o.blocks > 1) {
    t.fill(right ? c.right_within : c.left_within,
           {first_row + 1, {{folded, o.blocks, 0}, {o.blocks - 1, 1, 0}}, 1, 0});
  }
  if (o.kind == Operand::kAdded) {
    auto [it, made] = c.next.try_emplace(o.blocks);
    if (made) it->second = t.fixed("next." + std::to_string(o.blocks));
    if (folded > 1) {
      t.fill(it->second, {first_row + o.blocks, {{folded - 1, o.blocks, 0}}, 1, 0});
    }
    t.fillConstant(c.addend, first_row + rows - 1, 1, int64_t{1} << o.shift);
    t.fillConstant(c.added_to, first_row + rows - 1, 1, o.product->id);
  } else if (o.kind == Operand::kLeft) {
    const Product& p = *o.product;
    t.fill(c.left_end, {last, {{folded, o.blocks, 0}}, 1, 0});
    t.fill(c.product, {last, {{p.count, p.inner * o.blocks, 1}, {p.inner, o.blocks, 0}}, p.id, 0});
    int64_t source = o.matrix ? o.matrix->copy_base : o.partner->copy_base;
    int64_t stride = o.matrix ? o.matrix->blocks : o.partner->blocks;
    t.fill(c.copy, {last, {{folded, o.blocks, stride}}, source + stride, 0});
  } else {
    t.fill(c.right_end, {last, {{folded, o.blocks, 0}}, 1, 0});
    t.fill(c.copy, {last, {{folded, o.blocks, o.blocks}}, o.copy_base + o.blocks, 0});
  }
}

// Where a copy of `edge.rows` rows of the operand's tensor stands, from row `first` on. Right
// columns have a row per (head, token, block of the head's features), the others one per (feature,
// block of tokens); `batch` is that of the others.
void fillPlaces(OperandColumns& c, const EdgeColumns& columns, const Operand& o, const Edge& edge,
                int64_t first_row, int64_t first, int64_t batch, int64_t lanes) {
  const int64_t blocks = o.blocks;
  if (o.kind == Operand::kRightColumns) {
    const int64_t keys = o.inner / o.heads;
    fillEdge(c.t, columns, first_row + first * blocks,
             {{o.heads, keys * blocks, blocks},
              {edge.rows / edge.tile_rows, edge.tile_rows * blocks, edge.columnTiles()},
              {edge.tile_rows, blocks, 0},
              {blocks, 1, 1}},
             2, edge.address);
  } else {
    fillFeatureMajorPlace(c.t, columns, first_row + batch * o.inner * blocks + first / lanes, edge,
                          blocks);
  }
}

// 1 on the rows of a copy.
void fillRows(TableBuilder& t, Expr column, const Operand& o, const Edge& edge, int64_t first_row,
              int64_t first, int64_t lanes) {
  if (o.kind == Operand::kRightColumns) {
    t.fill(column, {first_row + first * o.blocks,
                    {{o.heads, o.inner / o.heads * o.blocks, 0}, {edge.rows * o.blocks, 1, 0}},
                    1,
                    0});
  } else {
    t.fill(column,
           {first_row + first / lanes, {{o.inner, o.blocks, 0}, {edge.rowTiles(), 1, 0}}, 1, 0});
  }
}

void fillOtherCopy(OperandColumns& c, const Operand& o, const Edge& edge, int64_t first_row,
                   int64_t first, int64_t lanes) {
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
  fillPlaces(c, made->second.at, o, edge, first_row, first, 0, lanes);
  const bool by_columns = o.kind == Operand::kRightColumns;
  std::optional<Expr>& on = by_columns ? made->second.columns : made->second.rows;
  if (!on) on = c.t.fixed(edge.group + (by_columns ? ".by_columns" : ".by_rows"));
  fillRows(c.t, *on, o, edge, first_row, first, lanes);
}

// The copies that an operand takes, and leaves.
void fillCopies(OperandColumns& c, const Operand& o, int64_t first_row, int64_t lanes) {
  const bool by_columns = o.kind == Operand::kRightColumns;
  auto leaveOut = [&](const Edge& edge, int64_t first) {
    std::optional<Expr>& no = by_columns ? c.no_columns : c.no_rows;
    if (!no) no = c.t.fixed(by_columns ? "in.no_columns" : "in.no_rows");
    fillRows(c.t, *no, o, edge, first_row, first, lanes);
  };
  for (int64_t b = 0; b < o.batch; ++b) {
    const Edge& edge = o.edges[b];
    if (edge.group.empty()) {
      fillPlaces(c, c.in, o, edge, first_row, o.carried, b, lanes);
    } else {
      fillOtherCopy(c, o, edge, first_row, o.carried, lanes);
      leaveOut(edge, o.carried);
    }
  }
  for (const Edge& edge : o.before) {
    fillOtherCopy(c, o, edge, first_row, 0, lanes);
    leaveOut(edge, 0);
  }
  for (const Edge& edge : o.after) {
    const int64_t rows = by_columns ? o.inner / o.heads : o.length;
    fillOtherCopy(c, o, edge, first_row, rows - edge.rows, lanes);
  }
}

void placeTokenMajor(OperandColumns& c, const Lanes& x, const Operand& o, int64_t first_row) {
  const int64_t keys = o.inner / o.heads, blocks = o.blocks;
  c.t.place(x, {o.value, ""},
            {first_row,
             {{o.heads, keys * blocks, o.length},
              {keys, blocks, o.heads * o.length},
              {blocks, 1, static_cast<int64_t>(x.size())}},
             0,
             1});
}

void placeFeatureMajor(OperandColumns& c, const Lanes& x, const Operand& o, int64_t first_row) {
  const int64_t lanes = x.size();
  // The first block holds the padding, and what is left of it.
  const int64_t partial = o.padding > 0 ? 1 : 0;
  if (partial) {
    c.t.place(Lanes(x.begin() + o.padding, x.end()), {o.value, ""},
              {first_row, {{o.inner, o.blocks, 1}}, 0, o.inner});
  }
  if (o.blocks > partial) {
    c.t.place(x, {o.value, ""},
              {first_row + partial,
               {{o.batch, o.inner * o.blocks, o.inner * o.length},
                {o.inner, o.blocks, 1},
                {o.blocks - partial, 1, lanes * o.inner}},
               partial * (lanes - o.padding) * o.inner,
               o.inner});
  }
}

}  // namespace

void buildOperands(Lowering& l, const Stack<Operand>& stack) {
  CircuitBuilder& c = l.circuit;
  TableBuilder t(c, stack.name, stack.rows);
  const int64_t lanes = l.plan.lanes.rows;
  OperandColumns f(t);
  Lanes x = t.mainLanes("x", lanes);
  int64_t longest = 1;
  for (const auto& e : stack.entries) {
    const Operand& o = *e.item;
    fillFolds(f, o, e.first_row, e.rows);
    longest = std::max(longest, o.kind == Operand::kAdded ? e.rows : o.blocks);
    fillCopies(f, o, e.first_row, lanes);
    if (o.kind == Operand::kRightColumns) {
      placeTokenMajor(f, x, o, e.first_row);
    } else {
      placeFeatureMajor(f, x, o, e.first_row);
    }
    t.instance(e.first_row, e.rows, o.origin.region, o.origin.op->location());
  }
  Expr mul = f.left_within * t.outside(c.power(c.rho(), lanes)) +
             f.right_within * t.outside(c.power(c.sigma(), lanes));
  for (auto& [blocks, selector] : f.next) {
    mul = mul + selector * t.outside(nextFeature(c, lanes, blocks));
  }
  Expr fold =
      t.scan("fold", longest, mul,
             (f.left + f.added) * t.dot(x, c.descendingPowers(c.rho(), lanes)) +
                 (f.right_rows + f.right_columns) * t.dot(x, c.descendingPowers(c.sigma(), lanes)));
  Expr factor = t.gather("factor", f.left_end * f.copy, l.source_tables, l.source_columns,
                         l.source_bases, l.source_rows);
  // Where no copy binds it, a factor would be free, and chosen after the challenges of its product.
  t.constrain(factor - f.left_end * factor, "no factor where none ends");
  t.term("product", factor * fold, t.outside(c.productPoint()) - f.product);
  t.term("added", f.addend * fold, t.outside(c.productPoint()) - f.added_to);
  t.copyTerm("copy", f.right_end * fold - f.left_end * factor, t.outside(c.copyPoint()) - f.copy);
  Expr by_rows = f.left + f.right_rows + f.added, by_columns = f.right_columns;
  if (f.no_rows) by_rows = by_rows - *f.no_rows;
  if (f.no_columns) by_columns = by_columns - *f.no_columns;
  featureMajorTerm(t, "in by rows", f.in, {{by_rows, x}}, -1);
  tokenMajorTerm(t, "in by columns", f.in, {{by_columns, x}}, -1);
  for (auto& [group, copies] : f.others) {
    const int sign = group == kCarryOut ? 1 : -1;
    if (copies.rows) featureMajorTerm(t, group + " by rows", copies.at, {{*copies.rows, x}}, sign);
    if (copies.columns) {
      tokenMajorTerm(t, group + " by columns", copies.at, {{*copies.columns, x}}, sign);
    }
  }
}

}  // namespace lindero::passes
