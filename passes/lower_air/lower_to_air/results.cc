// Feature-major results of matrix products: requantized, looked up, or published.
//
// A row holds a feature of `lanes.rows` tokens; s, the function f and the bias are fixed per row.
// The accumulator is an expression of the committed lanes, and the product check binds it:
//   acc = q 2^s + r - 2^(s-1);  (f, q + offset, g) is in the bus of functions;  RANGE(s, r);
//   sum_j sigma^(n-1-j) sum_t rho^(T-1-t) (acc - bias)[t, j] = sum_i a_i w_i  (products.cc).
// A requantized element is q, with f = RANGE(bits) and g = 0; an element looked up is g.
// GADGETS.md, sections 4 to 6, has the interval arguments.
#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

// A fixed column per multiplier of the fold's step to a new feature: it depends on the number of
// tokens.
class FeatureFold {
 public:
  FeatureFold(TableBuilder& t, int64_t lanes) : t_(t), lanes_(lanes) {
    within_ = t.fixed("within");
    end_ = t.fixed("end");
    product_ = t.fixed("product");
  }

  void fill(const Product& p, int64_t first_row) {
    int64_t blocks = p.rows / lanes_, rows = p.columns * blocks;
    longest_ = std::max(longest_, rows);
    auto [it, made] = next_.try_emplace(blocks);
    if (made) it->second = t_.fixed("next." + std::to_string(blocks));
    if (blocks > 1) {
      t_.fill(within_,
              {first_row + 1, {{p.count * p.columns, blocks, 0}, {blocks - 1, 1, 0}}, 1, 0});
    }
    if (p.columns > 1) {
      t_.fill(it->second,
              {first_row + blocks, {{p.count, rows, 0}, {p.columns - 1, blocks, 0}}, 1, 0});
    }
    t_.fill(end_, {first_row + rows - 1, {{p.count, rows, 0}}, 1, 0});
    t_.fill(product_, {first_row + rows - 1, {{p.count, rows, 1}}, p.id, 0});
  }

  void build(const Lanes& y) {
    CircuitBuilder& c = t_.circuit();
    Expr mul = within_ * t_.outside(c.power(c.rho(), lanes_));
    for (auto& [blocks, selector] : next_) {
      mul = mul + selector * t_.outside(nextFeature(c, lanes_, blocks));
    }
    Expr fold = t_.scan("fold", longest_, mul, t_.dot(y, c.descendingPowers(c.rho(), lanes_)));
    t_.term("product", t_.zero() - end_ * fold, t_.outside(c.productPoint()) - product_);
  }

 private:
  TableBuilder& t_;
  int64_t lanes_, longest_ = 1;
  Expr within_, end_, product_;
  std::map<int64_t, Expr> next_;
};

ir::Location location(const Result& r, const ir::Op& op) {
  ir::Location nodes = r.origin.op->location();
  for (const std::string& node : op.location()) {
    if (!llvm::is_contained(nodes, node)) nodes.push_back(node);
  }
  return nodes;
}

// Fills the fixed column with the bias of each feature.
void fillBias(Lowering& l, TableBuilder& t, Expr column, const Result& r, int64_t first_row,
              int64_t blocks) {
  if (!r.bias) return;
  t.fill(column, {first_row, {{r.columns, blocks, 1}, {blocks, 1, 0}}, 0, 0},
         r.bias->definingOp()->symbolAttr("value"));
  l.constants[r.bias] = {
      t.name(), "bias", 1, {first_row, {{r.columns, blocks, 1}}, 0, 0}, r.columns};
}

// Where the elements of a part stand, from its first row on.
Cells elements(const Part& part, int64_t first_row, int64_t blocks, int64_t lanes) {
  return {first_row, {{part.size, blocks, 1}, {blocks, 1, lanes * part.size}}, 0, part.size};
}

}  // namespace

void buildResults(Lowering& l, const Stack<Result>& stack) {
  TableBuilder t(l.circuit, stack.name, stack.rows);
  const int64_t lanes = l.plan.lanes.rows;
  Expr bias = t.fixed("bias"), on = t.fixed("on"), power = t.fixed("power");
  Expr tag = t.fixed("remainder_tag"), function = t.fixed("function"), offset = t.fixed("offset");
  EdgeSlots out(t, "out");                 // `on` for q
  std::map<EdgeColumns*, Expr> looked_up;  // fixed columns: `on`, for g
  Lanes q = t.mainLanes("q", lanes), r = t.mainLanes("r", lanes), g = t.mainLanes("g", lanes);
  FeatureFold fold(t, lanes);
  for (const auto& e : stack.entries) {
    const Result& item = *e.item;
    const int64_t blocks = item.rows / lanes;
    fold.fill(*item.product, e.first_row);
    fillBias(l, t, bias, item, e.first_row, blocks);
    for (const Part& part : item.parts) {
      const ir::Op& op = *part.origin.op;
      const bool lookup = op.is("integer.lookup");
      int64_t first = e.first_row + part.start * blocks, rows = part.size * blocks;
      int64_t shift = op.intAttr("shift"), bits = op.intAttr("bits");
      t.instance(first, rows, part.origin.region, location(item, op));
      t.fillConstant(on, first, rows, 1);
      t.fillConstant(power, first, rows, int64_t{1} << shift);
      t.fillConstant(tag, first, rows, shift);
      l.tables.useRange(shift);
      if (lookup) {
        t.fillConstant(function, first, rows, l.tables.activation(op.operand(1)));
      } else {
        t.fillConstant(function, first, rows, bits);
        t.fillConstant(offset, first, rows, int64_t{1} << (bits - 1));
        l.tables.useRange(bits);
      }
      for (auto [slot, edge] : llvm::zip(out.of(part.out), part.out)) {
        fillFeatureMajorPlace(t, *slot, first, edge, blocks);
        if (lookup && !looked_up.count(slot)) {
          looked_up[slot] = t.fixed("looked_up" + std::to_string(looked_up.size()));
        }
        t.fillConstant(lookup ? looked_up[slot] : slot->on, first, rows, 1);
      }
      Cells cells = elements(part, first, blocks, lanes);
      t.place(q, {part.result, lookup ? "key" : ""}, cells);
      t.place(r, {part.result, "remainder"}, cells);
      if (lookup) t.place(g, {part.result, ""}, cells);
    }
  }
  Expr half = power * t.constant(int64_t{1} << 30);  // 2^(s-1): 1/2 in the field
  Lanes y;
  for (int64_t i = 0; i < lanes; ++i) y.push_back(q[i] * power + r[i] - half - bias);
  fold.build(y);
  for (EdgeColumns& slot : out.all()) {
    std::vector<EdgeLanes> values{{slot.on, q}};
    if (looked_up.count(&slot)) values.push_back({looked_up[&slot], g});
    featureMajorTerm(t, "out", slot, values, 1);
  }
  for (int64_t i = 0; i < lanes; ++i) {
    std::string lane = "." + std::to_string(i);
    t.lookup("function" + lane, "function", on, {function, q[i] + offset, g[i]});
    t.range("remainder" + lane, on, tag, r[i]);
  }
}

void buildOutputs(Lowering& l, const Stack<Result>& stack) {
  TableBuilder t(l.circuit, stack.name, stack.rows);
  const int64_t lanes = l.plan.lanes.rows;
  Expr bias = t.fixed("bias");
  EdgeSlots out(t, "out");
  Lanes y = t.mainLanes("y", lanes);
  FeatureFold fold(t, lanes);
  for (const auto& e : stack.entries) {
    const Result& item = *e.item;
    const int64_t blocks = item.rows / lanes;
    fold.fill(*item.product, e.first_row);
    fillBias(l, t, bias, item, e.first_row, blocks);
    for (const Part& part : item.parts) {
      int64_t first = e.first_row + part.start * blocks;
      const ir::Type& type = part.result->type();
      const Edge& edge = part.out[0];
      t.instance(first, part.size * blocks, part.origin.region, location(item, *part.origin.op));
      fillFeatureMajor(t, *out.of(part.out)[0], first, edge);
      t.place(y, {part.result, ""}, elements(part, first, blocks, lanes));
      l.circuit.publicTensor({part.name, true, item.rows, part.size, type.low, type.high,
                              type.exponent, edge.address, edge.tile_rows, edge.tile_columns});
    }
  }
  Lanes products;
  for (Expr lane : y) products.push_back(lane - bias);
  fold.build(products);
  for (EdgeColumns& slot : out.all()) featureMajorTerm(t, "out", slot, {{slot.on, y}}, 1);
}

}  // namespace lindero::passes
