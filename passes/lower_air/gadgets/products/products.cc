#include "passes/lower_air/gadgets/products/products.h"

namespace lindero::passes {

Products::Products(Wiring& wiring)
    : wiring_(wiring), weights_(wiring.weightLanes()), operands_(weights_) {}

llvm::ArrayRef<llvm::StringLiteral> Products::ops() const {
  static constexpr llvm::StringLiteral kOps[] = {"integer.linear", "integer.scores", "integer.mix",
                                                 "integer.append_rows"};
  return kOps;
}

absl::Status Products::plan(const Origin& origin) {
  if (origin.op->is("integer.linear")) return planLinear(origin);
  if (origin.op->is("integer.scores")) return planScores(origin);
  if (origin.op->is("integer.mix")) return planMix(origin);
  return planAppendRows(origin);
}

const Matrix* Products::addVocabulary(const Origin& origin, const ir::Value* constant) {
  const auto& shape = constant->type().shape;
  return &weights_.matrices.emplace_back(Matrix{origin, constant, shape[0], shape[1]});
}

absl::Status Products::planLinear(const Origin& origin) {
  const ir::Op& op = *origin.op;
  const auto& w = op.operand(1)->type().shape;
  const int64_t rows = matrixOf(op.result()->type()).rows;
  Product* product = wiring_.product(1, rows, w[0], w[1]);
  Matrix& m = weights_.matrices.emplace_back(Matrix{origin, op.operand(1), w[0], w[1], product});
  Operand x;
  x.origin = origin;
  x.value = wiring_.resolve(op.operand(0));
  x.product = product;
  x.inner = w[0];
  x.length = rows;
  x.matrix = &m;
  x.selected = !wiring_.view(x.value).rows.empty();
  operands_.operands.push_back(std::move(x));
  const ir::Value* bias = op.numOperands() > 2 ? op.operand(2) : nullptr;
  addAccumulator({.origin = origin,
                  .product = product,
                  .rows = rows,
                  .columns = w[1],
                  .bias = bias,
                  .matrix = &m});
  return absl::OkStatus();
}

void Products::addAccumulator(Accumulator a) {
  const ir::Value* value = a.origin.op->result();
  a.lanes = wiring_.down(a.blocks * a.rows);
  if (a.blocks > 1) wiring_.divides(a.lanes, a.rows);
  Accumulator& kept = accumulators_.emplace_back(std::move(a));
  if (isTaken(kept)) {
    accumulator_of_[value] = &kept;
    return;
  }
  kept.stored = true;
  wiring_.gives(value, Major::kColumn, kept.lanes, &kept.out);
}

// Whether its readers are all of one kind and take each column once.
bool Products::isTaken(const Accumulator& a) const {
  if (a.origin.op->is("integer.scores")) return false;  // its readers are of another shape
  std::map<llvm::StringRef, std::vector<std::pair<int64_t, int64_t>>> taken;  // by use
  for (const Read& read : wiring_.readers(a.origin.op->result())) {
    const ir::Op& op = *read.op;
    const bool rounds = op.is("integer.requantize") || op.is("integer.lookup");
    const bool all = read.view.size == a.columns, output = op.is("integer.return");
    const bool chosen = op.is("integer.argmax") && a.matrix && all;
    const bool added = op.is("integer.requantize") && op.numOperands() > 1;
    if (!read.view.rows.empty() || (read.operand > 0 && !output) || (added && !all)) return false;
    if (!rounds && !output && !chosen) return false;
    taken[rounds ? "round" : op.name()].push_back({read.view.start, read.view.size});
  }
  if (taken.size() != 1) return false;
  auto& parts = taken.begin()->second;
  llvm::sort(parts);
  int64_t next = 0;
  for (auto [start, size] : parts) {
    if (start != next) return false;
    next += size;
  }
  return next == a.columns;
}

absl::Status Products::planScores(const Origin& origin) {
  const ir::Op& op = *origin.op;
  const int64_t heads = op.intAttr("heads");
  const auto& q = op.operand(0)->type().shape;
  const auto& k = op.operand(1)->type().shape;
  Product* product = wiring_.product(heads, q[0], q[1] / heads, k[0]);
  Operand right;
  right.origin = origin;
  right.kind = Operand::kRightRows;
  right.value = wiring_.resolve(op.operand(1));
  right.product = product;
  right.inner = k[1];
  right.length = k[0];
  operands_.operands.push_back(right);
  Operand left = right;
  left.kind = Operand::kLeft;
  left.value = wiring_.resolve(op.operand(0));
  left.length = q[0];
  left.partner = &operands_.operands.back();
  operands_.operands.push_back(left);
  const llvm::ArrayRef<Read> readers = wiring_.readers(op.result());
  if (readers.size() == 1 && readers[0].op->is("integer.softmax")) {
    scores_[op.result()] = product;
    return absl::OkStatus();
  }
  addAccumulator({.origin = origin,
                  .product = product,
                  .rows = q[0],
                  .columns = heads * k[0],
                  .blocks = heads});
  return absl::OkStatus();
}

absl::Status Products::planMix(const Origin& origin) {
  const ir::Op& op = *origin.op;
  const ir::Value* p = wiring_.resolve(op.operand(0));
  const int64_t heads = op.intAttr("heads"), queries = op.result()->type().shape[0];
  const auto& v = op.operand(1)->type().shape;
  const int64_t keys = v[0], width = v[1] / heads;
  Product* product = wiring_.product(heads, queries, keys, width);
  Operand right;
  right.origin = origin;
  right.kind = Operand::kRightColumns;
  right.value = wiring_.resolve(op.operand(1));
  right.product = product;
  right.inner = heads * keys;
  right.length = width;
  right.heads = heads;
  operands_.operands.push_back(right);
  Operand left;
  left.origin = origin;
  left.value = p;
  left.product = product;
  left.batch = heads;
  left.inner = keys;
  left.length = queries;
  left.partner = &operands_.operands.back();
  operands_.operands.push_back(left);
  addAccumulator({.origin = origin, .product = product, .rows = queries, .columns = v[1]});
  return absl::OkStatus();
}

// What of the tensor is linked shows at the return.
absl::Status Products::planAppendRows(const Origin& origin) {
  const ir::Op& op = *origin.op;
  const ir::Value* before = wiring_.resolve(op.operand(0));
  if (!wiring_.isInput(before)) {
    return cannotLower(op, "only rows of an input can have others appended");
  }
  appended_.push_back({before, op.result()});
  return absl::OkStatus();
}

const Linked* Products::appended(const ir::Value* value) const {
  auto it = llvm::find_if(appended_, [&](const Linked& c) { return c.all == value; });
  return it == appended_.end() ? nullptr : &*it;
}

absl::StatusOr<bool> Products::planOutput(const Origin& origin, const ir::Value* value,
                                          const std::string& name) {
  const Linked* c = appended(value);
  if (!c) return false;
  if (c->before->name() != name) {
    return cannotLower(*origin.op, "an output with rows of an input must have its name");
  }
  linked_.push_back(*c);
  return true;
}

Accumulator* Products::findAccumulator(const ir::Value* value) const {
  return accumulator_of_.lookup(wiring_.view(value).base);
}

void Products::addOperand(const Origin& origin, const Accumulator& to, const ir::Value* value,
                          int64_t shift) {
  Operand added;
  added.origin = origin;
  added.kind = Operand::kAdded;
  added.value = wiring_.resolve(value);
  added.product = to.product;
  added.inner = to.columns;
  added.length = to.rows;
  added.shift = shift;
  operands_.operands.push_back(std::move(added));
}

const Product* Products::scoresOf(const ir::Value* value) const {
  return scores_.lookup(wiring_.resolve(value));
}

bool Products::selectsRows() const {
  return llvm::any_of(operands_.operands, [](const Operand& o) { return o.selected; });
}

namespace {

// Whether each matrix of the tensor has tiles of its own: the probabilities of a softmax, which
// stand row by row there.
bool inBlocks(const Operand& o) {
  const ir::Op* maker = o.value->definingOp();
  return o.batch > 1 && maker && maker->is("integer.softmax");
}

}  // namespace

absl::Status Products::connect() {
  for (Operand& o : operands_.operands) {
    const Linked* linked = appended(o.value);
    const ir::Value* own = linked ? linked->all->definingOp()->operand(1) : o.value;
    o.lanes = lanesOf(o, own);
    if (linked) {
      if (absl::Status s = connectLinked(o, *linked); !s.ok()) return s;
    }
    const Major major = o.kind == Operand::kRightColumns ? Major::kRow : Major::kColumn;
    absl::StatusOr<CopyId> copy = wiring_.copy(o.origin, own, major, o.lanes);
    if (!copy.ok()) return copy.status();
    o.copy = *copy;
    if (inBlocks(o)) wiring_.setBlocks(o.copy, o.batch);
  }
  return absl::OkStatus();
}

// Of an operand that reads (so much of) its tensor in the circuit.
LaneId Products::lanesOf(const Operand& o, const ir::Value* read) {
  // Along the columns of a head.
  if (o.kind == Operand::kRightColumns) return wiring_.ofLength(wiring_.down(), o.length);
  // Selected rows of a padded product are read nowhere else: zeros before them fill their tiles,
  // whatever the lanes of the others are.
  if (o.selected && o.product->padded_to != kOneLane) return wiring_.down();
  const int64_t rows = matrixOf(read->type()).rows;
  const LaneId lanes = wiring_.down(inBlocks(o) ? o.length : rows);
  if (o.batch > 1 && !inBlocks(o)) wiring_.divides(lanes, o.length);
  // A window before stands in rows of its own.
  if (rows < o.length) wiring_.divides(lanes, rows), wiring_.divides(lanes, o.length - rows);
  return lanes;
}

// Rows of the window before, then of this one.
absl::Status Products::connectLinked(Operand& o, const Linked& c) {
  const auto& shape = c.before->type().shape;
  if (!read_.insert(c.before).second) {
    return cannotLower(*o.origin.op, "reads rows of an input that another op reads too");
  }
  o.linked = shape[0];
  const bool by_columns = o.kind == Operand::kRightColumns;
  o.handed_on = wiring_.openCopy({.origin = o.origin,
                                  .rows = shape[0],
                                  .columns = shape[1],
                                  .row_lanes = o.lanes,
                                  .column_lanes = by_columns ? o.lanes : wiring_.along()});
  return absl::OkStatus();
}

namespace {

using ir::trace::strides;

// out[b, i, j] = sum_k lhs[b, i, k] rhs[b, k, j] of these extents.
struct Multiplication {
  int64_t batch, m, k, n;
  std::vector<int64_t> lhs_strides, rhs_strides, out_strides;
};

ir::Value* multiply(TraceWriter& t, ir::Value* lhs, ir::Value* rhs, ir::Value* bias,
                    const Multiplication& p) {
  return t.step("matmul", {{"lhs", lhs}, {"rhs", rhs}, {"bias", bias}},
                {{"batch", p.batch},
                 {"m", p.m},
                 {"k", p.k},
                 {"n", p.n},
                 {"lhs_strides", p.lhs_strides},
                 {"rhs_strides", p.rhs_strides},
                 {"out_strides", p.out_strides}})["out"];
}

// A part of a bias; only a column-major one is ever read in parts.
ConstantPlace partOf(ConstantPlace place, int64_t start, int64_t size) {
  if (size == place.size) return place;
  place.cells.first_row += start * place.cells.loops[0].row_stride;
  place.cells.loops[0].count = size;
  place.size = size;
  return place;
}

ir::Value* traceLinear(TraceWriter& t, const Accumulator& a, int64_t start, int64_t size) {
  const Matrix& m = *a.matrix;
  const ConstantPlace& place = t.placeOf(m.constant);
  ir::Value* weights = t.find(m.constant);
  if (!weights) t.keep(m.constant, "", weights = t.load(place));
  // Zeros pad each row at its front.
  const int64_t padded = place.size / m.rows;
  const int64_t first = padded - t.layout().columns(*a.product) + start;
  ir::Value* bias = a.bias ? t.load(partOf(t.placeOf(a.bias), start, size)) : nullptr;
  return multiply(
      t, t.find(a.origin.op->operand(0)), weights, bias,
      {.batch = 1,
       .m = a.rows,
       .k = m.rows,
       .n = size,
       .lhs_strides = strides({{"batch", 0}, {"row", m.rows}, {"column", 1}, {"offset", 0}}),
       .rhs_strides = strides({{"batch", 0}, {"row", padded}, {"column", 1}, {"offset", first}}),
       .out_strides = strides({{"batch", 0}, {"row", size}, {"column", 1}, {"offset", 0}})});
}

void traceScores(TraceWriter& t, const ir::Op& op) {
  const auto& shape = op.result()->type().shape;
  const int64_t heads = shape[0], queries = shape[1], keys = shape[2];
  const int64_t all = op.operand(0)->type().shape[1], width = all / heads;
  t.keep(
      op.result(), "",
      multiply(
          t, t.find(op.operand(0)), t.find(op.operand(1)), nullptr,
          {.batch = heads,
           .m = queries,
           .k = width,
           .n = keys,
           .lhs_strides = strides({{"batch", width}, {"row", all}, {"column", 1}, {"offset", 0}}),
           .rhs_strides = strides({{"batch", width}, {"row", 1}, {"column", all}, {"offset", 0}}),
           .out_strides =
               strides({{"batch", queries * keys}, {"row", keys}, {"column", 1}, {"offset", 0}})}));
}

}  // namespace

ir::Value* Products::traceColumns(TraceWriter& t, const Accumulator& a, int64_t start,
                                  int64_t size) const {
  if (a.matrix) return traceLinear(t, a, start, size);
  const ir::Op& op = *a.origin.op;
  const int64_t heads = a.product->count, keys = a.product->inner, width = a.product->columns;
  const std::vector<int64_t> by_head =
      strides({{"batch", width}, {"row", heads * width}, {"column", 1}, {"offset", 0}});
  return multiply(t, t.find(op.operand(0)), t.find(op.operand(1)), nullptr,
                  {.batch = heads,
                   .m = a.rows,
                   .k = keys,
                   .n = width,
                   .lhs_strides = strides(
                       {{"batch", a.rows * keys}, {"row", keys}, {"column", 1}, {"offset", 0}}),
                   .rhs_strides = by_head,
                   .out_strides = by_head});
}

void Products::traceInputs(TraceWriter& t) const {
  for (const auto& [slot, c] : llvm::enumerate(linked_)) {
    t.keep(c.before, "",
           t.step("link_in", {}, {{"slot", int64_t(slot)}},
                  {{"out", c.before->type().elements()}})["out"]);
  }
}

// Accumulators that are not stored are computed where they are taken, in parts.
void Products::trace(TraceWriter& t, const ir::Op& op) const {
  if (op.is("integer.scores")) return traceScores(t, op);
  if (!op.is("integer.append_rows")) {
    const Accumulator& a = *llvm::find_if(
        accumulators_, [&](const Accumulator& other) { return other.origin.op == &op; });
    if (a.stored) t.keep(op.result(), "", traceColumns(t, a, 0, a.columns));
    return;
  }
  ir::Value* all = t.step(
      "append_rows", {{"first", t.find(op.operand(0))}, {"second", t.find(op.operand(1))}})["out"];
  t.keep(op.result(), "", all);
  for (const auto& [slot, c] : llvm::enumerate(linked_)) {
    if (c.all != op.result()) continue;
    t.step("link_out", {{"buffer", all}},
           {{"slot", int64_t(slot)}, {"elements", c.before->type().elements()}});
  }
}

ir::Value* nextRow(CircuitBuilder& c, int64_t lanes, int64_t columns) {
  if (columns <= lanes) return c.rho();
  return c.multiply(c.rho(), c.power(c.sigma(), lanes - columns));
}

}  // namespace lindero::passes
