#include "passes/lower_air/gadgets/embeddings/embeddings.h"

namespace lindero::passes {
namespace {

// Ids that the first of their embeddings gives to another one.
struct SharedIds {
  Expr on, address;
};

// Ids that a table's items take from the first embedding that reads them, which gives one copy to
// each.
class IdSharing {
 public:
  IdSharing(TableBuilder& t, const std::deque<Embedding>& embeddings, llvm::ArrayRef<Placed> items)
      : t_(t) {
    size_t most = 0;
    for (const Placed& placed : items) {
      const Embedding& e = embeddings[placed.item];
      most = std::max(most, e.shared.size());
      if (e.reads_first && !taken_) taken_ = t.fixed("taken");
    }
    for (size_t i = 0; i < most; ++i) {
      const std::string name = "shared." + std::to_string(i);
      shared_.push_back({t.fixed(name + ".on"), t.fixed(name + ".address")});
    }
  }

  void fill(const Embedding& e, const Layout& layout, int64_t last_row, int64_t tiles) {
    if (e.reads_first) t_.fill(*taken_, {last_row, {{e.rows, tiles, 0}}, 1, 0});
    for (auto [i, copy] : llvm::enumerate(e.shared)) {
      t_.fill(shared_[i].on, {last_row, {{e.rows, tiles, 0}}, 1, 0});
      t_.fill(shared_[i].address, {last_row, {{e.rows, tiles, 1}}, layout.address(copy), 0});
    }
  }

  void constrain(Expr address, Expr id) {
    if (taken_) scalarTerm(t_, "id taken", *taken_, address, id, -1);
    for (const SharedIds& s : shared_) scalarTerm(t_, "id given", s.on, s.address, id, 1);
  }

 private:
  TableBuilder& t_;
  std::optional<Expr> taken_;
  std::vector<SharedIds> shared_;
};

}  // namespace

int64_t EmbeddingsTable::rows(size_t item, const Layout& layout) const {
  const Embedding& e = embeddings[item];
  return e.rows * (e.width / layout.lanes(e.lanes));
}

void EmbeddingsTable::build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const {
  CircuitBuilder& c = l.circuit;
  const int64_t lanes = lanesOf(l, items);
  const bool decode = l.wiring.decode();
  Expr within = t.fixed("within"), last = t.fixed("last"), address = t.fixed("address");
  Expr stride = t.fixed("stride"), base = t.fixed("base");
  IdSharing sharing(t, embeddings, items);
  EdgeSlots out(t, "out");
  std::vector<std::pair<std::string, Expr>> publics;  // the rows of each input's ids
  Lanes addend = t.fixedLanes("addend", lanes);
  Lanes x = t.mainLanes("x", lanes), added;
  EdgeSlots in(t, "in");
  if (llvm::any_of(items, [&](const Placed& p) { return embeddings[p.item].added; })) {
    added = t.mainLanes("added", lanes);
  }
  Expr id = t.main("id");
  int64_t longest = 1;
  for (const Placed& placed : items) {
    const Embedding& e = embeddings[placed.item];
    const ir::Op& op = *e.origin.op;
    const int64_t tiles = e.width / lanes, first = placed.first_row, last_row = first + tiles - 1;
    longest = std::max(longest, tiles);
    if (tiles > 1) t.fill(within, {first + 1, {{e.rows, tiles, 0}, {tiles - 1, 1, 0}}, 1, 0});
    t.fill(last, {last_row, {{e.rows, tiles, 0}}, 1, 0});
    t.fill(address, {last_row, {{e.rows, tiles, 1}}, l.layout.address(e.ids), 0});
    sharing.fill(e, l.layout, last_row, tiles);
    const bool published = !decode && !e.reads_first;
    if (published) {
      publics.push_back({e.name, items.size() == 1 ? last : t.fixed("id." + e.name)});
      if (items.size() > 1) {
        t.fill(publics.back().second, {last_row, {{e.rows, tiles, 0}}, 1, 0});
      }
    }
    const FoldSource source = products_.weights().source(*e.matrix, l.layout);
    t.fill(stride, {last_row, {{e.rows, tiles, 0}}, source.stride, 0});
    t.fill(base, {last_row, {{e.rows, tiles, 0}}, source.first + source.stride, 0});
    Cells elements{first, {{e.rows, tiles, e.width}, {tiles, 1, lanes}}, 0, 1};
    if (e.addend) {
      t.fill(addend, elements, e.addend->definingOp()->symbolAttr("value"));
      l.constants[{e.addend, ""}] = {t.name(), "addend.0", lanes, elements, e.rows * e.width};
    }
    if (e.added) {
      t.place(added, {e.added, ""}, elements);
      fillRowMajor(t, in, first, e.rows, l.layout.edges(*e.in), End::kTakes);
    }
    fillRowMajor(t, out, first, e.rows, l.layout.edges(e.out), End::kGives);
    t.place(x, {op.result(), ""}, elements);
    t.place(id, {op.result(), "ids"}, {last_row, {{e.rows, tiles, 1}}, 0, 0});
    t.instance(first, placed.rows, e.origin.region, op.location());
    if (!published) continue;
    c.publicTensor(
        {e.name, false, e.rows, 1, 0, e.ids_below - 1, 0, l.layout.address(e.ids), 1, 1});
  }
  Lanes row;
  for (int64_t i = 0; i < lanes; ++i) {
    row.push_back(x[i] - addend[i]);
    if (added.empty()) continue;
    row.back() = row.back() - added[i];
    t.constrain(added[i] - in.on() * added[i], "added to some only." + std::to_string(i));
  }
  rowMajorTerms(t, "in", in, added, -1);
  Expr fold = t.scan("fold", longest, within * t.outside(c.power(c.sigma(), lanes)),
                     t.dot(row, c.descendingPowers(c.sigma(), lanes)));
  t.constrain(id - last * id, "ids stand at the end of a token");
  t.lookup("row", "vocabulary", last, {id * stride + base, fold});
  sharing.constrain(address, id);
  if (decode) {
    scalarTerm(t, "id", last, address, id, -1);
  } else {
    for (auto& [name, on] : publics) scalarTerm(t, "id", on, address, id, -1, name);
  }
  rowMajorTerms(t, "out", out, x, 1);
}

Embeddings::Embeddings(Wiring& wiring, Products& products)
    : wiring_(wiring),
      products_(products),
      rows_("embeddings", products),
      values_("values", products) {}

EmbeddingsTable& Embeddings::tableOf(const ir::Op& op) {
  return op.result()->type().shape.back() == 1 ? values_ : rows_;
}

const Embedding& Embeddings::find(const ir::Op& op) const {
  for (const EmbeddingsTable* table : {&rows_, &values_}) {
    for (const Embedding& e : table->embeddings) {
      if (e.origin.op == &op) return e;
    }
  }
  llvm_unreachable("each embedding is planned");
}

llvm::ArrayRef<llvm::StringLiteral> Embeddings::ops() const {
  static constexpr llvm::StringLiteral kOps[] = {"integer.embedding"};
  return kOps;
}

absl::Status Embeddings::plan(const Origin& origin) {
  const ir::Op& op = *origin.op;
  Embedding e;
  e.origin = origin;
  e.matrix = products_.addVocabulary(origin, op.operand(1));
  e.rows = matrixOf(op.result()->type()).rows;
  e.width = e.matrix->columns;
  EmbeddingsTable& table = tableOf(op);
  if (&table == &rows_) e.lanes = wiring_.along(e.width);
  if (op.numOperands() > 2) {
    const ir::Value* addend = wiring_.resolve(op.operand(2));
    const ir::Op* maker = addend->definingOp();
    (maker && maker->is("integer.constant") ? e.addend : e.added) = addend;
  }
  const ir::Value* ids = wiring_.resolve(op.operand(0));
  if (!wiring_.isInput(ids)) return cannotLower(op, "ids that are not an input of the model");
  e.name = ids->name().str();
  e.ids_below = e.matrix->rows;
  Embedding*& first = readers_[e.name];
  if (first != nullptr) {
    e.reads_first = first;
    first->ids_below = std::min(first->ids_below, e.ids_below);
  }
  Embedding& kept = table.embeddings.emplace_back(std::move(e));
  if (first == nullptr) first = &kept;
  wiring_.gives(op.result(), Major::kRow, kept.lanes, &kept.out);
  return absl::OkStatus();
}

absl::Status Embeddings::connect() {
  for (EmbeddingsTable* table : {&rows_, &values_}) {
    for (Embedding& e : table->embeddings) {
      e.ids = wiring_.scalars(e.rows);
      if (e.reads_first) e.reads_first->shared.push_back(e.ids);
    }
  }
  for (EmbeddingsTable* table : {&rows_, &values_}) {
    for (Embedding& e : table->embeddings) {
      if (!e.added) continue;
      absl::StatusOr<CopyId> in = wiring_.copy(e.origin, e.added, Major::kRow, e.lanes);
      if (!in.ok()) return in.status();
      e.in = *in;
    }
  }
  return absl::OkStatus();
}

void Embeddings::trace(TraceWriter& t, const ir::Op& op) const {
  const Embedding& e = find(op);
  ir::Value* ids = t.find(op.result(), "ids");
  if (e.reads_first)
    t.keep(op.result(), "ids", ids = t.find(e.reads_first->origin.op->result(), "ids"));
  if (!ids) t.keep(op.result(), "ids", ids = t.input(e.name));
  ir::Value* addend = e.addend ? t.load(t.placeOf(e.addend)) : e.added ? t.find(e.added) : nullptr;
  const ConstantPlace& place = t.placeOf(e.matrix->constant);
  Attributes attributes{{"vocabulary", e.matrix->rows},
                        {"width", e.width},
                        {"padding", products_.weights().padding(*e.matrix, t.layout())}};
  addCells(attributes, place.table, place.column, place.lanes, place.cells);
  t.keep(op.result(), "",
         t.step("embedding", {{"ids", ids}, {"addend", addend}}, attributes)["out"]);
}

}  // namespace lindero::passes
