#include "passes/lower_air/gadgets/divide/divide.h"

#include <deque>

namespace lindero::passes {
namespace {

// Twice as wide as denominators: that of remainders.
constexpr int64_t kTag = 16;

struct Division {
  Origin origin;
  int64_t rows = 0, columns = 0;
  CopyId operands[2] = {};
  std::vector<CopyId> out = {};
};

class DivideBuilder {
 public:
  DivideBuilder(AirLowering& l, TableBuilder& t, int64_t lanes) : l_(l), t_(t), lanes_(lanes) {}

  void add(const Division& d, const Placed& placed) {
    const ir::Op& op = *d.origin.op;
    const int64_t first = placed.first_row, rows = placed.rows, tiles = d.rows / lanes_;
    const int64_t shift = op.intAttr("shift"), bits = op.intAttr("bits");
    t_.fillConstant(on_, first, rows, 1);
    t_.fillConstant(power_, first, rows, int64_t{1} << shift);
    t_.fillConstant(quotient_tag_, first, rows, bits);
    t_.fillConstant(offset_, first, rows, int64_t{1} << (bits - 1));
    l_.tables.useRange(kTag);
    l_.tables.useRange(bits);
    fillCopies(a_in_, d.operands[0], first);
    fillCopies(b_in_, d.operands[1], first);
    fillCopies(out_, d.out, first);
    const Cells cells{first, {{d.columns, tiles, 1}, {tiles, 1, lanes_ * d.columns}}, 0, d.columns};
    t_.place(a_, {op.operand(0), ""}, cells);
    t_.place(b_, {op.operand(1), ""}, cells);
    t_.place(q_, {op.result(), ""}, cells);
    t_.place(r_, {op.result(), "remainder"}, cells);
    t_.place(n_, {op.result(), "negative"}, cells);
    t_.instance(first, rows, d.origin.region, op.location());
  }

  void constrain() {
    const Expr two = t_.constant(2), tag = t_.constant(kTag);
    for (int64_t i = 0; i < lanes_; ++i) {
      const std::string lane = "." + std::to_string(i);
      const Expr sign = on_ - n_[i] * two, twice = r_[i] * two;
      t_.constrain(n_[i] * (on_ - n_[i]), "negative is a bit" + lane);
      t_.constrain(on_ * (a_[i] * power_ - b_[i] * q_[i] - r_[i]), "divide" + lane);
      t_.range("quotient" + lane, on_, quotient_tag_, q_[i] + offset_);
      t_.range("remainder low" + lane, on_, tag, sign * (b_[i] + twice));
      t_.range("remainder high" + lane, on_, tag, sign * (b_[i] - twice) - on_);
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
  Expr quotient_tag_ = t_.fixed("quotient_tag"), offset_ = t_.fixed("offset");
  EdgeSlots a_in_{t_, "a_in"}, b_in_{t_, "b_in"}, out_{t_, "out"};
  Lanes a_ = t_.mainLanes("a", lanes_), b_ = t_.mainLanes("b", lanes_);
  Lanes q_ = t_.mainLanes("q", lanes_), r_ = t_.mainLanes("r", lanes_);
  Lanes n_ = t_.mainLanes("negative", lanes_);
};

class DivideTable : public TableKind {
 public:
  explicit DivideTable(LaneId lanes) : lanes_(lanes) {}
  std::string name() const override { return "divide"; }
  LaneId lanes() const override { return lanes_; }
  size_t items() const override { return divisions.size(); }
  int64_t rows(size_t item, const Layout& layout) const override {
    const Division& d = divisions[item];
    return d.columns * (d.rows / layout.lanes(lanes_));
  }
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override {
    DivideBuilder builder(l, t, l.layout.lanes(lanes_));
    for (const Placed& placed : items) builder.add(divisions[placed.item], placed);
    builder.constrain();
  }

  std::deque<Division> divisions;  // pointed to

 private:
  LaneId lanes_;
};

class Divide : public Gadget {
 public:
  explicit Divide(Wiring& wiring) : wiring_(wiring), table_(wiring.down()) {}

  llvm::ArrayRef<llvm::StringLiteral> ops() const override {
    static constexpr llvm::StringLiteral kOps[] = {"integer.divide"};
    return kOps;
  }

  absl::Status plan(const Origin& origin) override {
    const auto [rows, columns] = matrixOf(origin.op->result()->type());
    Division& d = table_.divisions.emplace_back(Division{origin, rows, columns});
    wiring_.divides(table_.lanes(), d.rows);
    wiring_.gives(origin.op->result(), Major::kColumn, table_.lanes(), &d.out);
    return absl::OkStatus();
  }

  absl::Status connect() override {
    for (Division& d : table_.divisions) {
      for (unsigned i : {0, 1}) {
        absl::StatusOr<CopyId> copy =
            wiring_.copy(d.origin, d.origin.op->operand(i), Major::kColumn, table_.lanes());
        if (!copy.ok()) return copy.status();
        d.operands[i] = *copy;
      }
    }
    return absl::OkStatus();
  }

  std::vector<const TableKind*> tables() const override { return {&table_}; }

  void trace(TraceWriter& t, const ir::Op& op) const override {
    const Step step = t.step("divide", {{"a", t.find(op.operand(0))}, {"b", t.find(op.operand(1))}},
                             {{"shift", op.intAttr("shift")}, {"bits", op.intAttr("bits")}});
    t.keep(op.result(), "", step["quotient"]);
    t.keepAll(op.result(), step, {"remainder", "negative"});
  }

 private:
  Wiring& wiring_;
  DivideTable table_;
};

}  // namespace

std::unique_ptr<Gadget> makeDivide(Wiring& wiring) { return std::make_unique<Divide>(wiring); }

}  // namespace lindero::passes
