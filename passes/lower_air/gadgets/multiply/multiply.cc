#include "passes/lower_air/gadgets/multiply/multiply.h"

#include <deque>

namespace lindero::passes {
namespace {

struct Multiplication {
  Origin origin;
  int64_t rows = 0, columns = 0;
  CopyId factors[2] = {};
  std::vector<CopyId> out = {};
};

class MultiplyBuilder {
 public:
  MultiplyBuilder(AirLowering& l, TableBuilder& t, int64_t lanes) : l_(l), t_(t), lanes_(lanes) {}

  void add(const Multiplication& m, const Placed& placed) {
    const ir::Op& op = *m.origin.op;
    const int64_t first = placed.first_row, rows = placed.rows, tiles = m.rows / lanes_;
    const int64_t shift = op.intAttr("shift"), bits = op.intAttr("bits");
    t_.fillConstant(on_, first, rows, 1);
    t_.fillConstant(power_, first, rows, int64_t{1} << shift);
    t_.fillConstant(remainder_tag_, first, rows, shift);
    t_.fillConstant(quotient_tag_, first, rows, bits);
    t_.fillConstant(offset_, first, rows, int64_t{1} << (bits - 1));
    l_.tables.useRange(shift);
    l_.tables.useRange(bits);
    fillCopies(a_in_, m.factors[0], first);
    fillCopies(b_in_, m.factors[1], first);
    fillCopies(out_, m.out, first);
    const Cells cells{first, {{m.columns, tiles, 1}, {tiles, 1, lanes_ * m.columns}}, 0, m.columns};
    t_.place(a_, {op.operand(0), ""}, cells);
    t_.place(b_, {op.operand(1), ""}, cells);
    t_.place(q_, {op.result(), ""}, cells);
    t_.place(r_, {op.result(), "remainder"}, cells);
    t_.instance(first, rows, m.origin.region, op.location());
  }

  void constrain() {
    Expr half = power_ * t_.constant(int64_t{1} << 30);  // 2^(s-1): 1/2 in the field
    for (int64_t i = 0; i < lanes_; ++i) {
      const std::string lane = "." + std::to_string(i);
      t_.constrain(on_ * (a_[i] * b_[i] - q_[i] * power_ - r_[i] + half), "multiply" + lane);
      t_.range("quotient" + lane, on_, quotient_tag_, q_[i] + offset_);
      t_.range("remainder" + lane, on_, remainder_tag_, r_[i]);
    }
    for (EdgeColumns& slot : a_in_.all()) columnMajorTerm(t_, "a", slot, {{slot.on, a_}}, -1);
    for (EdgeColumns& slot : b_in_.all()) columnMajorTerm(t_, "b", slot, {{slot.on, b_}}, -1);
    for (EdgeColumns& slot : out_.all()) columnMajorTerm(t_, "out", slot, {{slot.on, q_}}, 1);
  }

 private:
  void fillCopies(EdgeSlots& slots, llvm::ArrayRef<CopyId> copies, int64_t first) {
    const std::vector<Edge> edges = l_.layout.edges(copies);
    for (auto [slot, edge] : llvm::zip(slots.of(edges), edges)) {
      fillColumnMajor(t_, *slot, first, edge);
    }
  }

  AirLowering& l_;
  TableBuilder& t_;
  const int64_t lanes_;
  Expr on_ = t_.fixed("on"), power_ = t_.fixed("power");
  Expr remainder_tag_ = t_.fixed("remainder_tag"), quotient_tag_ = t_.fixed("quotient_tag"),
       offset_ = t_.fixed("offset");
  EdgeSlots a_in_{t_, "a_in"}, b_in_{t_, "b_in"}, out_{t_, "out"};
  Lanes a_ = t_.mainLanes("a", lanes_), b_ = t_.mainLanes("b", lanes_);
  Lanes q_ = t_.mainLanes("q", lanes_), r_ = t_.mainLanes("r", lanes_);
};

class MultiplyTable : public TableKind {
 public:
  explicit MultiplyTable(LaneId lanes) : lanes_(lanes) {}
  std::string name() const override { return "multiply"; }
  LaneId lanes() const override { return lanes_; }
  size_t items() const override { return multiplications.size(); }
  int64_t rows(size_t item, const Layout& layout) const override {
    const Multiplication& m = multiplications[item];
    return m.columns * (m.rows / layout.lanes(lanes_));
  }
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override {
    MultiplyBuilder builder(l, t, l.layout.lanes(lanes_));
    for (const Placed& placed : items) builder.add(multiplications[placed.item], placed);
    builder.constrain();
  }

  std::deque<Multiplication> multiplications;  // pointed to

 private:
  LaneId lanes_;
};

class Multiply : public Gadget {
 public:
  explicit Multiply(Wiring& wiring) : wiring_(wiring), table_(wiring.down()) {}

  llvm::ArrayRef<llvm::StringLiteral> ops() const override {
    static constexpr llvm::StringLiteral kOps[] = {"integer.multiply"};
    return kOps;
  }

  absl::Status plan(const Origin& origin) override {
    const auto [rows, columns] = matrixOf(origin.op->result()->type());
    Multiplication& m = table_.multiplications.emplace_back(Multiplication{origin, rows, columns});
    wiring_.divides(table_.lanes(), m.rows);
    wiring_.gives(origin.op->result(), Major::kColumn, table_.lanes(), &m.out);
    return absl::OkStatus();
  }

  absl::Status connect() override {
    for (Multiplication& m : table_.multiplications) {
      for (unsigned i : {0, 1}) {
        absl::StatusOr<CopyId> copy =
            wiring_.copy(m.origin, m.origin.op->operand(i), Major::kColumn, table_.lanes());
        if (!copy.ok()) return copy.status();
        m.factors[i] = *copy;
      }
    }
    return absl::OkStatus();
  }

  std::vector<const TableKind*> tables() const override { return {&table_}; }

  void trace(TraceWriter& t, const ir::Op& op) const override {
    const Step step =
        t.step("multiply", {{"a", t.find(op.operand(0))}, {"b", t.find(op.operand(1))}},
               {{"shift", op.intAttr("shift")}, {"bits", op.intAttr("bits")}});
    t.keep(op.result(), "", step["quotient"]);
    t.keep(op.result(), "remainder", step["remainder"]);
  }

 private:
  Wiring& wiring_;
  MultiplyTable table_;
};

}  // namespace

std::unique_ptr<Gadget> makeMultiply(Wiring& wiring) { return std::make_unique<Multiply>(wiring); }

}  // namespace lindero::passes
