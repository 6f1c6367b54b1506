#include "passes/lower_air/gadgets/argmax/argmax.h"

#include <map>

#include "llvm/Support/MathExtras.h"

namespace lindero::passes {
namespace {

// Entries beyond the last column, which pad the last tile, can never be chosen.
constexpr int64_t kNever = -((int64_t{1} << 29) - 1);

class ArgmaxBuilder {
 public:
  ArgmaxBuilder(Lowering& l, TableBuilder& t, int64_t lanes) : l_(l), t_(t), lanes_(lanes) {}

  void add(const Choice& choice, const Placed& placed, bool alone) {
    const Accumulator& a = *choice.accumulator;
    const int64_t tiles = llvm::divideCeil(a.columns, lanes_), first = placed.first_row;
    const int64_t last = first + tiles - 1, end = first + placed.rows - 1;
    longest_ = std::max(longest_, placed.rows);
    t_.fillConstant(on_, first, placed.rows, 1);
    if (tiles > 1) t_.fill(within_, {first + 1, {{a.rows, tiles, 0}, {tiles - 1, 1, 0}}, 1, 0});
    t_.fill(first_, {first, {{a.rows, tiles, 0}}, 1, 0});
    auto [step, made] = next_.try_emplace(l_.layout.columns(*a.product));
    if (made) step->second = t_.fixed("next_token." + std::to_string(step->first));
    if (a.rows > 1) t_.fill(step->second, {first + tiles, {{a.rows - 1, tiles, 0}}, 1, 0});
    t_.fill(last_, {last, {{a.rows, tiles, 0}}, 1, 0});
    t_.fill(address_, {last, {{a.rows, tiles, 1}}, l_.layout.address(choice.indices), 0});
    if (!l_.wiring.decode()) publish(choice, last, tiles, alone);
    t_.fillConstant(end_, end, 1, 1);
    t_.fillConstant(product_, end, 1, a.product->id);
    fillBias(a, first, tiles);
    place(choice, first, tiles);
    t_.instance(first, placed.rows, choice.origin.region, a.origin.op->location());
  }

  void constrain() {
    using enum TableBuilder::Kind;
    Expr previous = within_ * t_.previous(before_.back()) + first_;
    Lanes values;
    for (int64_t i = 0; i < lanes_; ++i) {
      std::string lane = "." + std::to_string(i);
      Expr gap = before_[i] + high_[i] * t_.constant(1 << 15) + low_[i];
      Expr here = previous - before_[i];
      t_.constrain(before_[i] * (on_ - before_[i]), "before is a bit" + lane);
      t_.constrain(here * gap, "the maximum is attained" + lane, i ? kLocal : kContinuity);
      t_.range("high" + lane, on_, t_.constant(15), high_[i]);
      t_.range("low" + lane, on_, t_.constant(15), low_[i]);
      values.push_back(maximum_ - gap - bias_[i]);
      previous = before_[i];
    }
    t_.constrain(last_ * before_.back(), "something is chosen");
    t_.constrain(chosen_ - within_ * t_.previous(chosen_) - t_.sum(before_), "index of the chosen",
                 kContinuity);
    t_.constrain(within_ * (maximum_ - t_.previous(maximum_)), "one maximum per token",
                 kContinuity);
    addProduct(values);
    if (l_.wiring.decode()) {
      scalarTerm(t_, "index", last_, address_, chosen_, 1);
    } else {
      for (auto& [name, rows] : publics_) {
        scalarTerm(t_, "index", rows, address_, chosen_, 1, name);
      }
    }
  }

 private:
  void publish(const Choice& choice, int64_t last, int64_t tiles, bool alone) {
    const Accumulator& a = *choice.accumulator;
    publics_.push_back({choice.name, alone ? last_ : t_.fixed("index." + choice.name)});
    if (!alone) t_.fill(publics_.back().second, {last, {{a.rows, tiles, 0}}, 1, 0});
    l_.circuit.publicTensor({choice.name, true, a.rows, 1, 0, a.columns - 1, 0,
                             l_.layout.address(choice.indices), 1, 1});
  }

  void fillBias(const Accumulator& a, int64_t first, int64_t tiles) {
    const int64_t rest = a.columns % lanes_;
    if (a.bias) {
      t_.fill(bias_, {first, {{a.rows, tiles, 0}, {tiles, 1, lanes_}}, 0, 1},
              a.bias->definingOp()->symbolAttr("value"));
      l_.constants[a.bias] = {
          t_.name(), "bias.0", lanes_, {first, {{tiles, 1, lanes_}}, 0, 1}, a.columns};
    }
    if (rest) {
      t_.fill(Lanes(bias_.begin() + rest, bias_.end()),
              {first + tiles - 1, {{a.rows, tiles, 0}}, kNever, 0});
    }
  }

  // The lanes beyond the last column hold M - kNever.
  void place(const Choice& choice, int64_t first, int64_t tiles) {
    const ir::Value* result = choice.origin.op->result();
    const int64_t rows = choice.accumulator->rows;
    Cells elements{first, {{rows * tiles, 1, lanes_}}, 0, 1};
    t_.place(before_, {result, "before"}, elements);
    t_.place(high_, {result, "high"}, elements);
    t_.place(low_, {result, "low"}, elements);
    t_.place(maximum_, {result, "maximum"}, {first, {{rows, tiles, 1}, {tiles, 1, 0}}, 0, 0});
    t_.place(chosen_, {result, "index_sums"}, {first, {{rows * tiles, 1, 1}}, 0, 0});
  }

  void addProduct(const Lanes& values) {
    CircuitBuilder& c = l_.circuit;
    Expr mul = within_ * t_.outside(c.power(c.sigma(), lanes_));
    for (auto& [columns, selector] : next_) {
      mul = mul + selector * t_.outside(nextRow(c, lanes_, columns));
    }
    Expr fold =
        t_.scan("fold", longest_, mul, t_.dot(values, c.descendingPowers(c.sigma(), lanes_)));
    t_.term("product", t_.zero() - end_ * fold, t_.outside(c.productPoint()) - product_);
  }

  Lowering& l_;
  TableBuilder& t_;
  const int64_t lanes_;
  int64_t longest_ = 1;  // rows of a fold
  Expr on_ = t_.fixed("on"), within_ = t_.fixed("within"), first_ = t_.fixed("first");
  std::map<int64_t, Expr> next_;  // by the columns of a row: where a fold goes on to the next row
  Expr last_ = t_.fixed("last");
  Expr end_ = t_.fixed("end"), product_ = t_.fixed("product"), address_ = t_.fixed("address");
  Lanes bias_ = t_.fixedLanes("bias", lanes_);
  Lanes before_ = t_.mainLanes("before", lanes_), high_ = t_.mainLanes("high", lanes_),
        low_ = t_.mainLanes("low", lanes_);
  Expr maximum_ = t_.main("maximum"), chosen_ = t_.main("chosen");
  std::vector<std::pair<std::string, Expr>> publics_;  // the rows of each output's indices
};

}  // namespace

int64_t ArgmaxTable::rows(size_t item, const Layout& layout) const {
  const Accumulator& a = *choices[item].accumulator;
  return a.rows * int64_t(llvm::divideCeil(a.columns, layout.lanes(lanes_)));
}

void ArgmaxTable::build(Lowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const {
  l.tables.useRange(15);
  ArgmaxBuilder builder(l, t, l.layout.lanes(lanes_));
  for (const Placed& placed : items) builder.add(choices[placed.item], placed, items.size() == 1);
  builder.constrain();
}

Argmax::Argmax(Wiring& wiring, Products& products)
    : wiring_(wiring),
      products_(products),
      table_(wiring.addLanes({.pads = true, .most = wiring.options().lanes})) {}

llvm::ArrayRef<llvm::StringLiteral> Argmax::ops() const {
  static constexpr llvm::StringLiteral kOps[] = {"integer.argmax"};
  return kOps;
}

absl::Status Argmax::plan(const Origin& origin) {
  const ir::Op& op = *origin.op;
  auto of = products_.accumulatorOf(op);
  if (!of.ok()) return of.status();
  auto& [accumulator, view] = *of;
  if (accumulator->columns != view.size || !accumulator->matrix) {
    return cannotLower(op, "only all columns of a linear op have an argmax");
  }
  accumulator->parts.push_back({origin, 0, view.size});
  // What it reads is as wide as its tiles.
  accumulator->product->padded_to = table_.lanes();
  table_.choices.push_back({origin, accumulator});
  return absl::OkStatus();
}

const Choice* Argmax::choiceOf(const ir::Value* value) const {
  auto at = llvm::find_if(table_.choices,
                          [&](const Choice& c) { return c.origin.op->result() == value; });
  return at == table_.choices.end() ? nullptr : &*at;
}

absl::StatusOr<bool> Argmax::planOutput(const Origin& origin, const ir::Value* value,
                                        const std::string& name) {
  for (Choice& choice : table_.choices) {
    if (choice.origin.op->result() != value) continue;
    choice.name = name;
    return true;
  }
  return false;
}

absl::Status Argmax::connect() {
  for (Choice& choice : table_.choices) choice.indices = wiring_.scalars(choice.accumulator->rows);
  return absl::OkStatus();
}

void Argmax::trace(TraceWriter& t, const ir::Op& op) const {
  const Accumulator& a = *choiceOf(op.result())->accumulator;
  const Step step =
      t.step("argmax", {{"values", products_.traceColumns(t, a, 0, a.columns)}},
             {{"rows", a.rows}, {"width", a.columns}, {"lanes", t.layout().lanes(table_.lanes())}});
  t.keep(op.result(), "", step["index"]);
  t.keepAll(op.result(), step, {"maximum", "before", "high", "low", "index_sums"});
  // Of a decode run, the rows that are none of its steps show 0.
  ir::Value* active = t.find(op.result(), "active");
  if (!active) return;
  t.keep(op.result(), "shown", t.step("mask", {{"keep", active}, {"value", step["index"]}})["out"]);
}

ir::Value* Argmax::traceOutput(TraceWriter& t, const ir::Value* value) const {
  ir::Value* shown = t.find(value, "shown");
  return shown ? shown : t.find(value);
}

}  // namespace lindero::passes
