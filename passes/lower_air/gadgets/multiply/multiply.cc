#include "passes/lower_air/gadgets/multiply/multiply.h"

#include "passes/lower_air/gadgets/elementwise.h"

namespace lindero::passes {
namespace {

class MultiplyBuilder {
 public:
  MultiplyBuilder(AirLowering& l, TableBuilder& t, int64_t lanes) : l_(l), t_(t), lanes_(lanes) {}

  void add(const Elementwise& item, const Placed& placed) {
    const ir::Op& op = *item.origin.op;
    const int64_t first = placed.first_row, rows = placed.rows;
    const int64_t shift = op.intAttr("shift"), bits = op.intAttr("bits");
    t_.fillConstant(on_, first, rows, 1);
    t_.fillConstant(power_, first, rows, int64_t{1} << shift);
    t_.fillConstant(remainder_tag_, first, rows, shift);
    t_.fillConstant(quotient_tag_, first, rows, bits);
    t_.fillConstant(offset_, first, rows, int64_t{1} << (bits - 1));
    l_.tables.useRange(shift);
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
    t_.instance(first, rows, item.origin.region, op.location());
  }

  void constrain() {
    Expr half = power_ * t_.constant(int64_t{1} << 30);  // 2^(s-1): 1/2 in the field
    for (int64_t i = 0; i < lanes_; ++i) {
      const std::string lane = "." + std::to_string(i);
      const Expr on = partial_.used(on_, i);
      t_.constrain(on * (a_[i] * b_[i] - q_[i] * power_ - r_[i] + half), "multiply" + lane);
      t_.range("quotient" + lane, on, quotient_tag_, q_[i] + offset_);
      t_.range("remainder" + lane, on, remainder_tag_, r_[i]);
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
  Expr remainder_tag_ = t_.fixed("remainder_tag"), quotient_tag_ = t_.fixed("quotient_tag"),
       offset_ = t_.fixed("offset");
  PartialRows partial_{t_, lanes_};
  EdgeSlots a_in_{t_, "a_in"}, b_in_{t_, "b_in"}, out_{t_, "out"};
  Lanes a_ = t_.mainLanes("a", lanes_), b_ = t_.mainLanes("b", lanes_);
  Lanes q_ = t_.mainLanes("q", lanes_), r_ = t_.mainLanes("r", lanes_);
};

class Multiply : public ElementwiseGadget<MultiplyBuilder> {
 public:
  explicit Multiply(Wiring& wiring) : ElementwiseGadget(wiring, "multiply") {}

  llvm::ArrayRef<llvm::StringLiteral> ops() const override {
    static constexpr llvm::StringLiteral kOps[] = {"integer.multiply"};
    return kOps;
  }

  void trace(TraceWriter& t, const ir::Op& op) const override {
    const Step step =
        t.step("multiply", {{"a", t.find(op.operand(0))}, {"b", t.find(op.operand(1))}},
               {{"shift", op.intAttr("shift")}, {"bits", op.intAttr("bits")}});
    t.keep(op.result(), "", step["quotient"]);
    t.keep(op.result(), "remainder", step["remainder"]);
  }
};

}  // namespace

std::unique_ptr<Gadget> makeMultiply(Wiring& wiring) { return std::make_unique<Multiply>(wiring); }

}  // namespace lindero::passes
