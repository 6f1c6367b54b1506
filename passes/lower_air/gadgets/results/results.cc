#include "passes/lower_air/gadgets/results/results.h"

#include "passes/lower_air/gadgets/partial_rows.h"

namespace lindero::passes {
namespace {

class ColumnFold {
 public:
  ColumnFold(TableBuilder& t, int64_t lanes) : t_(t), lanes_(lanes), next_(t), partial_(t, lanes) {
    within_ = t.fixed("within");
    end_ = t.fixed("end");
    product_ = t.fixed("product");
  }

  void fill(const Product& p, int64_t first_row, const ColumnTiles& column) {
    const int64_t tiles = column.count(), rows = p.columns * tiles;
    longest_ = std::max(longest_, rows);
    Expr next = next_.at(column);
    if (column.full() > 1) {
      t_.fill(within_,
              {first_row + 1, {{p.count * p.columns, tiles, 0}, {column.full() - 1, 1, 0}}, 1, 0});
    }
    if (p.columns > 1) {
      t_.fill(next, {first_row + tiles, {{p.count, rows, 0}, {p.columns - 1, tiles, 0}}, 1, 0});
    }
    partial_.fill(first_row, p.count * p.columns, column.rows);
    t_.fill(end_, {first_row + rows - 1, {{p.count, rows, 0}}, 1, 0});
    t_.fill(product_, {first_row + rows - 1, {{p.count, rows, 1}}, p.id, 0});
  }

  void build(const Lanes& y) {
    CircuitBuilder& c = t_.circuit();
    Expr mul = within_ * t_.outside(c.power(c.rho(), lanes_));
    partial_.addMultipliers(mul, c.rho());
    next_.addMultipliers(mul);
    Expr add = t_.dot(y, c.descendingPowers(c.rho(), lanes_));
    partial_.addSteps(add, y, c.rho(), /*instead=*/true);
    Expr fold = t_.scan("fold", longest_, mul, add);
    t_.term("product", t_.zero() - end_ * fold, t_.outside(c.productPoint()) - product_);
  }

  const PartialRows& partial() const { return partial_; }

 private:
  TableBuilder& t_;
  int64_t lanes_, longest_ = 1;
  Expr within_, end_, product_;
  NextColumns next_;
  PartialRows partial_;
};

ir::Location nodesOf(const Accumulator& a, const ir::Op& op) {
  ir::Location nodes = a.origin.op->location();
  for (const std::string& node : op.location()) {
    if (!llvm::is_contained(nodes, node)) nodes.push_back(node);
  }
  return nodes;
}

// Fills the fixed column with the bias of each column of the tensor.
void fillBias(AirLowering& l, TableBuilder& t, Expr column, const Accumulator& a, int64_t first_row,
              int64_t tiles) {
  if (!a.bias) return;
  t.fill(column, {first_row, {{a.columns, tiles, 1}, {tiles, 1, 0}}, 0, 0},
         a.bias->definingOp()->symbolAttr("value"));
  l.constants[{a.bias, ""}] = {
      t.name(), "bias", 1, {first_row, {{a.columns, tiles, 1}}, 0, 0}, a.columns};
}

// What a part's op does with the quotient.
bool looksUp(const ir::Op& op) { return op.is("integer.lookup"); }

}  // namespace

int64_t ResultsTable::rows(size_t item, const Layout& layout) const {
  const Accumulator& a = *results[item].accumulator;
  return a.columns * ColumnTiles{a.rows, layout.lanes(a.lanes)}.count();
}

int64_t OutputsTable::rows(size_t item, const Layout& layout) const {
  const Accumulator& a = *results[item].accumulator;
  return a.columns * ColumnTiles{a.rows, layout.lanes(a.lanes)}.count();
}

namespace {

// The table of requantized and looked up elements.
class RequantizeTable {
 public:
  RequantizeTable(AirLowering& l, TableBuilder& t, int64_t lanes) : l_(l), t_(t), lanes_(lanes) {}

  void add(const Accumulator& a, int64_t first_row,
           const std::map<const ir::Value*, std::vector<CopyId>>& out) {
    const ColumnTiles column{a.rows, lanes_};
    const int64_t tiles = column.count();
    fold_.fill(*a.product, first_row, column);
    fillBias(l_, t_, bias_, a, first_row, tiles);
    for (const Part& part : a.parts) {
      const int64_t first = first_row + part.start * tiles;
      t_.instance(first, part.size * tiles, part.origin.region, nodesOf(a, *part.origin.op));
      fillFunction(*part.origin.op, first, part.size * tiles);
      fillCopies(part, first, tiles, l_.layout.edges(out.at(part.result)));
      const bool lookup = looksUp(*part.origin.op);
      auto place = [&](const Lanes& lanes, const char* witness) {
        placeColumns(t_, lanes, {part.result, witness}, a.rows, part.size, first);
      };
      place(q_, lookup ? "key" : "");
      place(r_, "remainder");
      if (lookup) place(g_, "");
    }
  }

  void constrain() {
    Expr half = power_ * t_.constant(int64_t{1} << 30);  // 2^(s-1): 1/2 in the field
    Lanes y;
    for (int64_t i = 0; i < lanes_; ++i) y.push_back(q_[i] * power_ + r_[i] - half - bias_);
    fold_.build(y);
    for (EdgeColumns& slot : out_.all()) {
      std::vector<EdgeLanes> values{{slot.on, q_}};
      if (looked_up_.count(&slot)) values.push_back({looked_up_[&slot], g_});
      columnMajorTerm(t_, "out", slot, values, 1);
    }
    for (int64_t i = 0; i < lanes_; ++i) {
      std::string lane = "." + std::to_string(i);
      const Expr on = fold_.partial().used(on_, i);
      t_.lookup("function" + lane, "function", on, {function_, q_[i] + offset_, g_[i]});
      t_.range("remainder" + lane, on, tag_, r_[i]);
    }
    fold_.partial().hold(q_, "q");
    fold_.partial().hold(r_, "r");
    fold_.partial().hold(g_, "g");
  }

 private:
  void fillFunction(const ir::Op& op, int64_t first, int64_t rows) {
    const int64_t shift = op.intAttr("shift"), bits = op.intAttr("bits");
    t_.fillConstant(on_, first, rows, 1);
    t_.fillConstant(power_, first, rows, int64_t{1} << shift);
    t_.fillConstant(tag_, first, rows, shift);
    l_.tables.useRange(shift);
    if (looksUp(op)) {
      t_.fillConstant(function_, first, rows, l_.tables.activation(op));
    } else {
      t_.fillConstant(function_, first, rows, bits);
      t_.fillConstant(offset_, first, rows, int64_t{1} << (bits - 1));
      l_.tables.useRange(bits);
    }
  }

  void fillCopies(const Part& part, int64_t first, int64_t tiles, llvm::ArrayRef<Edge> edges) {
    const bool lookup = looksUp(*part.origin.op);
    for (auto [slot, edge] : llvm::zip(out_.of(edges), edges)) {
      fillColumnMajorPlace(t_, *slot, first, edge, tiles);
      if (lookup && !looked_up_.count(slot)) {
        looked_up_[slot] = t_.fixed("looked_up" + std::to_string(looked_up_.size()));
      }
      t_.fillConstant(lookup ? looked_up_[slot] : slot->on, first, part.size * tiles, 1);
    }
  }

  AirLowering& l_;
  TableBuilder& t_;
  const int64_t lanes_;
  Expr bias_ = t_.fixed("bias"), on_ = t_.fixed("on"), power_ = t_.fixed("power");
  Expr tag_ = t_.fixed("remainder_tag"), function_ = t_.fixed("function"),
       offset_ = t_.fixed("offset");
  EdgeSlots out_{t_, "out"};                // `on` for q
  std::map<EdgeColumns*, Expr> looked_up_;  // fixed columns: `on`, for g
  Lanes q_ = t_.mainLanes("q", lanes_), r_ = t_.mainLanes("r", lanes_),
        g_ = t_.mainLanes("g", lanes_);
  ColumnFold fold_{t_, lanes_};
};

}  // namespace

void ResultsTable::build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const {
  RequantizeTable table(l, t, lanesOf(l, items));
  for (const Placed& p : items) table.add(*results[p.item].accumulator, p.first_row, out);
  table.constrain();
}

namespace {

// An accumulator with its readers' copies, block by block.
void addStored(AirLowering& l, TableBuilder& t, const Lanes& y, EdgeSlots& out,
               const Accumulator& a, const Placed& p) {
  const ColumnTiles column{a.rows, static_cast<int64_t>(y.size())};
  const int64_t tiles = column.count(), columns = a.columns / a.blocks;
  const std::vector<Edge> edges = l.layout.edges(a.out);
  const std::vector<EdgeColumns*> slots = out.of(edges);
  for (int64_t block = 0; block < a.blocks; ++block) {
    for (auto [slot, copy] : llvm::zip(slots, a.out)) {
      fillColumnMajor(t, *slot, p.first_row + block * columns * tiles,
                      l.layout.block(copy, block, a.blocks));
    }
  }
  for (ColumnCells part : columnCells(column, columns, p.first_row)) {
    std::vector<Loop>& loops = part.cells.loops;
    loops.insert(loops.begin(), {a.blocks, columns * tiles, a.rows * columns});
    t.place(Lanes(y.begin(), y.begin() + part.lanes), {a.origin.op->result(), ""}, part.cells);
  }
  t.instance(p.first_row, p.rows, a.origin.region, a.origin.op->location());
}

}  // namespace

void OutputsTable::build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const {
  const int64_t lanes = lanesOf(l, items);
  Expr bias = t.fixed("bias");
  EdgeSlots out(t, "out");
  Lanes y = t.mainLanes("y", lanes);
  ColumnFold fold(t, lanes);
  for (const Placed& p : items) {
    const Result& item = results[p.item];
    const Accumulator& a = *item.accumulator;
    const ColumnTiles column{a.rows, lanes};
    const int64_t tiles = column.count();
    fold.fill(*a.product, p.first_row, column);
    fillBias(l, t, bias, a, p.first_row, tiles);
    if (a.stored) addStored(l, t, y, out, a, p);
    for (const auto& [part, copy] : llvm::zip(a.parts, item.copies)) {
      const int64_t first = p.first_row + part.start * tiles;
      const ir::Type& type = part.result->type();
      const Edge edge = l.layout.edge(copy);
      t.instance(first, part.size * tiles, part.origin.region, nodesOf(a, *part.origin.op));
      fillColumnMajor(t, *out.of(edge)[0], first, edge);
      placeColumns(t, y, {part.result, ""}, a.rows, part.size, first);
      l.circuit.publicTensor({part.name, true, a.rows, part.size, type.low, type.high,
                              type.exponent, edge.address, edge.tile_rows, edge.tile_columns});
    }
  }
  Lanes products;
  for (Expr lane : y) products.push_back(lane - bias);
  fold.build(products);
  // The verifier takes no padding: where it alone takes the lanes, they are zero.
  if (llvm::any_of(items, [&](const Placed& p) { return results[p.item].accumulator->stored; })) {
    fold.partial().hold(y, "y");
  }
  columnMajorTerms(t, "out", out, y, 1);
}

Results::Results(Wiring& wiring, Products& products) : wiring_(wiring), products_(products) {}

llvm::ArrayRef<llvm::StringLiteral> Results::ops() const {
  static constexpr llvm::StringLiteral kOps[] = {"integer.requantize", "integer.lookup"};
  return kOps;
}

bool Results::encodes(const ir::Op& op) const { return products_.findAccumulator(op.operand(0)); }

absl::Status Results::plan(const Origin& origin) {
  const ir::Op& op = *origin.op;
  Accumulator* accumulator = products_.findAccumulator(op.operand(0));
  const View view = wiring_.view(op.operand(0));
  accumulator->parts.push_back({origin, view.start, view.size, op.result()});
  wiring_.gives(op.result(), Major::kColumn, accumulator->lanes, &results_.out[op.result()]);
  if (looksUp(op) || op.numOperands() < 2) return absl::OkStatus();
  products_.addOperand(origin, *accumulator, op.operand(1), op.intAttrOr("addend_shift", 0));
  return absl::OkStatus();
}

absl::StatusOr<bool> Results::planOutput(const Origin& origin, const ir::Value* value,
                                         const std::string& name) {
  Accumulator* a = products_.findAccumulator(value);
  if (!a) return false;
  const View v = wiring_.view(value);
  a->parts.push_back({origin, v.start, v.size, value, name});
  return true;
}

// Sorts the accumulators by what becomes of them; the parts of one are of one kind.
absl::Status Results::connect() {
  for (Accumulator& a : products_.accumulators()) {
    if (a.stored) outputs_.results.push_back({&a});
    if (a.stored || a.parts.empty()) continue;
    llvm::sort(a.parts, [](const Part& x, const Part& y) { return x.start < y.start; });
    const ir::Op& reader = *a.parts.front().origin.op;
    if (llvm::is_contained(ops(), reader.name())) results_.results.push_back({&a});
    if (!reader.is("integer.return")) continue;
    Result& r = outputs_.results.emplace_back(Result{&a});
    for (const Part& part : a.parts) {
      r.copies.push_back(wiring_.openCopy({.origin = part.origin,
                                           .rows = a.rows,
                                           .columns = part.size,
                                           .row_lanes = a.lanes,
                                           .column_lanes = wiring_.along(),
                                           .group = publicGroup(part.name)}));
    }
  }
  return absl::OkStatus();
}

void Results::trace(TraceWriter& t, const ir::Op& op) const {
  const Accumulator& a = *products_.findAccumulator(op.operand(0));
  const Part& part = *llvm::find_if(a.parts, [&](const Part& p) { return p.origin.op == &op; });
  traceRounding(t, op, products_.traceColumns(t, a, part.start, part.size));
}

void traceRounding(TraceWriter& t, const ir::Op& op, ir::Value* acc) {
  const bool lookup = looksUp(op);
  ir::Value* addend = !lookup && op.numOperands() > 1 ? t.find(op.operand(1)) : nullptr;
  Attributes attributes{{"shift", op.intAttr("shift")}, {"bits", op.intAttr("bits")}};
  if (addend) attributes.emplace_back("addend_shift", op.intAttrOr("addend_shift", 0));
  const Step step = t.step("requantize", {{"acc", acc}, {"addend", addend}}, attributes);
  t.keep(op.result(), lookup ? "key" : "", step["quotient"]);
  t.keep(op.result(), "remainder", step["remainder"]);
  if (!lookup) return;
  const auto& place = t.tables().place("function", t.tables().activation(op));
  t.keep(op.result(), "",
         t.lookUp(step["quotient"], place, "value", op.intAttrOr("low", -place.rows / 2)));
}

ir::Value* Results::traceOutput(TraceWriter& t, const ir::Value* value) const {
  const Accumulator& a = *products_.findAccumulator(value);
  const Part& part = *llvm::find_if(a.parts, [&](const Part& p) { return p.result == value; });
  ir::Value* columns = products_.traceColumns(t, a, part.start, part.size);
  t.keep(value, "", columns);
  return columns;
}

}  // namespace lindero::passes
