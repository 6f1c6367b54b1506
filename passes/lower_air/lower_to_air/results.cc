// Feature-major results of matrix products: requantized, added to the residual stream, looked up,
// or published.
//
// A row holds a feature of `row_lanes` tokens; s, the bits and the bias are fixed per row. The
// accumulator is an expression of the committed lanes, and the product check binds it:
//   acc = q 2^s + r - 2^(s-1) [- x 2^a];  RANGE(bits, q + 2^(bits-1)), RANGE(s, r);
//   sum_j sigma^(n-1-j) sum_t rho^(T-1-t) (acc - bias)[t, j] = sum_i a_i w_i  (products.cc).
// GADGETS.md, sections 4 to 6, has the interval arguments.
#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

struct Columns {
  Expr power, remainder_tag, quotient_tag, quotient_offset, bias, on, table, addend_power;
  EdgeColumns in;
  std::vector<EdgeColumns> out;
  Lanes q, r, g, x;
};

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
      ir::Value* step = c.sigma();
      if (blocks > 1) step = c.multiply(step, c.power(c.rho(), -lanes_ * (blocks - 1)));
      mul = mul + selector * t_.outside(step);
    }
    Expr fold = t_.scan("fold", mul, t_.dot(y, c.descendingPowers(c.rho(), lanes_)));
    t_.term("product", "tensors", 2, t_.zero() - end_ * fold,
            t_.outside(c.productPoint()) - product_);
  }

 private:
  TableBuilder& t_;
  int64_t lanes_;
  Expr within_, end_, product_;
  std::map<int64_t, Expr> next_;
};

Columns makeColumns(TableBuilder& t, ResultKind kind, int lanes, size_t out_edges) {
  Columns c;
  c.bias = t.fixed("bias");
  if (kind != ResultKind::kPublished) {
    c.on = t.fixed("on");
    c.power = t.fixed("power");
    c.remainder_tag = t.fixed("remainder_tag");
  }
  if (kind == ResultKind::kActivation) {
    c.table = t.fixed("table");
  } else if (kind != ResultKind::kPublished) {
    c.quotient_tag = t.fixed("quotient_tag");
    c.quotient_offset = t.fixed("quotient_offset");
  }
  if (kind == ResultKind::kResidual) {
    c.addend_power = t.fixed("addend_power");
    c.in = edgeColumns(t, "in");
  }
  for (size_t i = 0; i < out_edges; ++i) {
    c.out.push_back(edgeColumns(t, "out" + std::to_string(i)));
  }
  c.q = t.mainLanes(kind == ResultKind::kPublished ? "y" : "q", lanes);
  if (kind != ResultKind::kPublished) c.r = t.mainLanes("r", lanes);
  if (kind == ResultKind::kActivation) c.g = t.mainLanes("g", lanes);
  if (kind == ResultKind::kResidual) c.x = t.mainLanes("x", lanes);
  return c;
}

class ResultTable {
 public:
  ResultTable(Lowering& l, const Stack<Result>& stack, ResultKind kind)
      : l_(l), kind_(kind), lanes_(l.plan.row_lanes), t_(l.circuit, stack.name, stack.rows) {
    size_t edges = 0;
    for (const auto& e : stack.entries) {
      for (const Part& part : e.item->parts) edges = std::max(edges, part.out.size());
    }
    c_ = makeColumns(t_, kind, lanes_, kind == ResultKind::kPublished ? 0 : edges);
    if (kind == ResultKind::kPublished) c_.out.push_back(edgeColumns(t_, "out0"));
    FeatureFold fold(t_, lanes_);
    for (const auto& e : stack.entries) {
      fold.fill(*e.item->product, e.first_row);
      fillItem(*e.item, e.first_row);
    }
    Lanes y;
    for (int64_t i = 0; i < lanes_; ++i) {
      Expr lane = accumulator(i);
      if (kind == ResultKind::kResidual) lane = lane - c_.x[i] * c_.addend_power;
      y.push_back(lane - c_.bias);
    }
    fold.build(y);
    addEdges();
    addLookups();
  }

 private:
  // q 2^s + r - 2^(s-1); 2^(s-1) is half of the fixed column.
  Expr accumulator(int64_t lane) {
    if (kind_ == ResultKind::kPublished) return c_.q[lane];
    Expr half = c_.power * t_.constant((int64_t{1} << 30));  // 1/2 in the field
    return c_.q[lane] * c_.power + c_.r[lane] - half;
  }

  void fillItem(const Result& r, int64_t first_row) {
    int64_t blocks = r.rows / lanes_;
    if (r.bias) {
      Cells cells{first_row, {{r.columns, blocks, 1}, {blocks, 1, 0}}, 0, 0};
      t_.fill(c_.bias, cells, r.bias->definingOp()->symbolAttr("value"));
      l_.constants[r.bias] = {
          t_.name(), "bias", 1, {first_row, {{r.columns, blocks, 1}}, 0, 0}, r.columns};
    }
    for (const Part& part : r.parts) {
      fillPart(r, part, first_row + part.start * blocks, part.size * blocks, blocks);
    }
  }

  void fillPart(const Result& r, const Part& part, int64_t first, int64_t rows, int64_t blocks) {
    const ir::Op& op = *part.origin.op;
    Cells cells{first, {{part.size, blocks, 1}, {blocks, 1, lanes_ * part.size}}, 0, part.size};
    for (size_t i = 0; i < part.out.size(); ++i)
      fillFeatureMajor(t_, c_.out[i], first, part.out[i]);
    t_.instance(first, rows, part.origin.region, location(r, op));
    if (kind_ == ResultKind::kPublished) {
      t_.place(c_.q, {part.result, ""}, cells);
      publish(part, r);
      return;
    }
    int64_t shift = op.intAttr("shift"), bits = op.intAttr("bits");
    t_.fillConstant(c_.on, first, rows, 1);
    t_.fillConstant(c_.power, first, rows, int64_t{1} << shift);
    t_.fillConstant(c_.remainder_tag, first, rows, shift);
    l_.tables.useRange(shift);
    t_.place(c_.r, {part.result, "remainder"}, cells);
    if (kind_ == ResultKind::kActivation) {
      t_.fillConstant(c_.table, first, rows, l_.tables.activation(op.operand(1)));
      t_.place(c_.q, {part.result, "key"}, cells);
      t_.place(c_.g, {part.result, ""}, cells);
    } else {
      t_.fillConstant(c_.quotient_tag, first, rows, bits);
      t_.fillConstant(c_.quotient_offset, first, rows, int64_t{1} << (bits - 1));
      l_.tables.useRange(bits);
      t_.place(c_.q, {part.result, ""}, cells);
    }
    if (kind_ == ResultKind::kResidual) {
      t_.fillConstant(c_.addend_power, first, rows, int64_t{1} << op.intAttrOr("addend_shift", 0));
      fillFeatureMajor(t_, c_.in, first, part.addend);
      t_.place(c_.x, {op.operand(1), ""}, cells);
    }
  }

  static ir::Location location(const Result& r, const ir::Op& op) {
    ir::Location nodes = r.origin.op->location();
    for (const std::string& node : op.location()) {
      if (!llvm::is_contained(nodes, node)) nodes.push_back(node);
    }
    return nodes;
  }

  void publish(const Part& part, const Result& r) {
    const ir::Type& type = part.result->type();
    const Edge& e = part.out[0];
    l_.circuit.publicTensor({part.name, true, r.rows, part.size, type.low, type.high, type.exponent,
                             e.address, e.tile_rows, e.tile_columns, true});
  }

  void addEdges() {
    const Lanes& out = kind_ == ResultKind::kActivation ? c_.g : c_.q;
    for (size_t i = 0; i < c_.out.size(); ++i) {
      featureMajorTerm(t_, "out" + std::to_string(i), c_.out[i], out, 1);
    }
    if (kind_ == ResultKind::kResidual) featureMajorTerm(t_, "in", c_.in, c_.x, -1);
  }

  void addLookups() {
    if (kind_ == ResultKind::kPublished) return;
    for (int64_t i = 0; i < lanes_; ++i) {
      std::string lane = "." + std::to_string(i);
      if (kind_ == ResultKind::kActivation) {
        t_.lookup("activation" + lane, "activation", c_.on, {c_.table, c_.q[i], c_.g[i]});
      } else {
        t_.lookup("quotient" + lane, "range", c_.on,
                  {c_.quotient_tag, c_.q[i] + c_.quotient_offset});
      }
      t_.lookup("remainder" + lane, "range", c_.on, {c_.remainder_tag, c_.r[i]});
    }
  }

  Lowering& l_;
  ResultKind kind_;
  int64_t lanes_;
  TableBuilder t_;
  Columns c_;
};

}  // namespace

void buildResults(Lowering& l, const Stack<Result>& stack, ResultKind kind) {
  ResultTable(l, stack, kind);
}

}  // namespace lindero::passes
