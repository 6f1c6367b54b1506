#include "passes/lower_air/gadgets/divide/divide.h"

#include "passes/lower_air/gadgets/elementwise.h"

namespace lindero::passes {
namespace {

// Twice as wide as denominators: that of remainders.
constexpr int64_t kTag = 16;

class DivideBuilder {
 public:
  DivideBuilder(AirLowering& l, TableBuilder& t, int64_t lanes) : l_(l), t_(t), lanes_(lanes) {}

  void add(const Elementwise& item, const Placed& placed) {
    const ir::Op& op = *item.origin.op;
    const int64_t first = placed.first_row, rows = placed.rows;
    const int64_t shift = op.intAttr("shift"), bits = op.intAttr("bits");
    t_.fillConstant(on_, first, rows, 1);
    t_.fillConstant(power_, first, rows, int64_t{1} << shift);
    t_.fillConstant(quotient_tag_, first, rows, bits);
    t_.fillConstant(offset_, first, rows, int64_t{1} << (bits - 1));
    l_.tables.useRange(kTag);
    l_.tables.useRange(bits);
    fillColumnMajor(t_, a_in_, first, l_.layout.edges(item.operands[0]));
    fillColumnMajor(t_, b_in_, first, l_.layout.edges(item.operands[1]));
    fillColumnMajor(t_, out_, first, l_.layout.edges(item.out));
    partial_.fill(first, item.columns, item.rows);
    auto place = [&](const Lanes& lanes, Witness witness) {
      placeColumns(t_, lanes, witness, item.rows, item.columns, first);
    };
    place(a_, {op.operand(0), ""});
    place(b_, {op.operand(1), ""});
    place(q_, {op.result(), ""});
    place(r_, {op.result(), "remainder"});
    place(n_, {op.result(), "negative"});
    t_.instance(first, rows, item.origin.region, op.location());
  }

  void constrain() {
    const Expr two = t_.constant(2), tag = t_.constant(kTag);
    for (int64_t i = 0; i < lanes_; ++i) {
      const std::string lane = "." + std::to_string(i);
      const Expr on = partial_.used(on_, i);
      const Expr sign = on - n_[i] * two, twice = r_[i] * two;
      t_.constrain(n_[i] * (on - n_[i]), "negative is a bit" + lane);
      t_.constrain(on * (a_[i] * power_ - b_[i] * q_[i] - r_[i]), "divide" + lane);
      t_.range("quotient" + lane, on, quotient_tag_, q_[i] + offset_);
      t_.range("remainder low" + lane, on, tag, sign * (b_[i] + twice));
      t_.range("remainder high" + lane, on, tag, sign * (b_[i] - twice) - on);
    }
    partial_.hold(q_, "q");
    partial_.hold(r_, "r");
    columnMajorTerms(t_, "a", a_in_, a_, -1);
    columnMajorTerms(t_, "b", b_in_, b_, -1);
    columnMajorTerms(t_, "out", out_, q_, 1);
  }

 private:
  AirLowering& l_;
  TableBuilder& t_;
  const int64_t lanes_;
  Expr on_ = t_.fixed("on"), power_ = t_.fixed("power");
  Expr quotient_tag_ = t_.fixed("quotient_tag"), offset_ = t_.fixed("offset");
  PartialRows partial_{t_, lanes_};
  EdgeSlots a_in_{t_, "a_in"}, b_in_{t_, "b_in"}, out_{t_, "out"};
  Lanes a_ = t_.mainLanes("a", lanes_), b_ = t_.mainLanes("b", lanes_);
  Lanes q_ = t_.mainLanes("q", lanes_), r_ = t_.mainLanes("r", lanes_);
  Lanes n_ = t_.mainLanes("negative", lanes_);
};

class Divide : public ElementwiseGadget<DivideBuilder> {
 public:
  explicit Divide(Wiring& wiring) : ElementwiseGadget(wiring, "divide") {}

  llvm::ArrayRef<llvm::StringLiteral> ops() const override {
    static constexpr llvm::StringLiteral kOps[] = {"integer.divide"};
    return kOps;
  }

  void trace(TraceWriter& t, const ir::Op& op) const override {
    const Step step = t.step("divide", {{"a", t.find(op.operand(0))}, {"b", t.find(op.operand(1))}},
                             {{"shift", op.intAttr("shift")}, {"bits", op.intAttr("bits")}});
    t.keep(op.result(), "", step["quotient"]);
    t.keepAll(op.result(), step, {"remainder", "negative"});
  }
};

}  // namespace

std::unique_ptr<Gadget> makeDivide(Wiring& wiring) { return std::make_unique<Divide>(wiring); }

}  // namespace lindero::passes
