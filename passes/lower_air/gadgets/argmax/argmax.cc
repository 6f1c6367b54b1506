#include "passes/lower_air/gadgets/argmax/argmax.h"

#include <map>

#include "llvm/Support/MathExtras.h"

namespace lindero::passes {
namespace {

// Entries beyond the last column, which pad the last tile, can never be chosen.
constexpr int64_t kNever = -((int64_t{1} << 29) - 1);

class ArgmaxBuilder {
 public:
  ArgmaxBuilder(AirLowering& l, TableBuilder& t, int64_t lanes, bool stored)
      : l_(l), t_(t), lanes_(lanes), stored_(stored) {}

  void add(const Choice& choice, const Placed& placed, bool alone) {
    const int64_t tiles = llvm::divideCeil(choice.columns, lanes_), first = placed.first_row;
    const int64_t last = first + tiles - 1, rows = choice.rows;
    t_.fillConstant(on_, first, placed.rows, 1);
    if (tiles > 1) t_.fill(within_, {first + 1, {{rows, tiles, 0}, {tiles - 1, 1, 0}}, 1, 0});
    t_.fill(first_, {first, {{rows, tiles, 0}}, 1, 0});
    if (choice.accumulator) fillProduct(*choice.accumulator, first, tiles);
    t_.fill(last_, {last, {{rows, tiles, 0}}, 1, 0});
    t_.fill(address_, {last, {{rows, tiles, 1}}, l_.layout.address(choice.indices), 0});
    if (!l_.wiring.decode()) publish(choice, last, tiles, alone);
    place(choice, first, tiles);
    const ir::Op& op = choice.accumulator ? *choice.accumulator->origin.op : *choice.origin.op;
    t_.instance(first, placed.rows, choice.origin.region, op.location());
    if (!stored_) return;
    const Edge edge = l_.layout.edge(choice.in);
    fillRowMajor(t_, *in_.of(edge)[0], first, rows, edge, End::kTakes);
    t_.place(x_, {choice.origin.op->operand(0), ""}, {first, {{rows * tiles, 1, lanes_}}, 0, 1});
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
      if (stored_) {
        t_.constrain(on_ * (maximum_ - gap - x_[i]), "gap" + lane);
      } else {
        values.push_back(maximum_ - gap - bias_[i]);
      }
      previous = before_[i];
    }
    t_.constrain(last_ * before_.back(), "something is chosen");
    t_.constrain(chosen_ - within_ * t_.previous(chosen_) - t_.sum(before_), "index of the chosen",
                 kContinuity);
    t_.constrain(within_ * (maximum_ - t_.previous(maximum_)), "one maximum per token",
                 kContinuity);
    if (!stored_) addProduct(values);
    rowMajorTerms(t_, "in", in_, x_, -1);
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
    publics_.push_back({choice.name, alone ? last_ : t_.fixed("index." + choice.name)});
    if (!alone) t_.fill(publics_.back().second, {last, {{choice.rows, tiles, 0}}, 1, 0});
    l_.circuit.publicTensor({choice.name, true, choice.rows, 1, 0, choice.columns - 1, 0,
                             l_.layout.address(choice.indices), 1, 1});
  }

  Expr ofProduct(const char* name) { return stored_ ? Expr() : t_.fixed(name); }

  void fillProduct(const Accumulator& a, int64_t first, int64_t tiles) {
    const int64_t end = first + a.rows * tiles - 1;
    longest_ = std::max(longest_, a.rows * tiles);
    auto [step, made] = next_.try_emplace(l_.layout.columns(*a.product));
    if (made) step->second = t_.fixed("next_token." + std::to_string(step->first));
    if (a.rows > 1) t_.fill(step->second, {first + tiles, {{a.rows - 1, tiles, 0}}, 1, 0});
    t_.fillConstant(end_, end, 1, 1);
    t_.fillConstant(product_, end, 1, a.product->id);
    fillBias(a, first, tiles);
  }

  void fillBias(const Accumulator& a, int64_t first, int64_t tiles) {
    const int64_t rest = a.columns % lanes_;
    if (a.bias) {
      t_.fill(bias_, {first, {{a.rows, tiles, 0}, {tiles, 1, lanes_}}, 0, 1},
              a.bias->definingOp()->symbolAttr("value"));
      l_.constants[{a.bias, ""}] = {
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
    const int64_t rows = choice.rows;
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

  AirLowering& l_;
  TableBuilder& t_;
  const int64_t lanes_;
  const bool stored_;
  int64_t longest_ = 1;  // rows of a fold
  Expr on_ = t_.fixed("on"), within_ = t_.fixed("within"), first_ = t_.fixed("first");
  std::map<int64_t, Expr> next_;  // by the columns of a row: where a fold goes on to the next row
  Expr last_ = t_.fixed("last");
  Expr end_ = ofProduct("end"), product_ = ofProduct("product"), address_ = t_.fixed("address");
  Lanes bias_ = stored_ ? Lanes() : t_.fixedLanes("bias", lanes_);
  Lanes before_ = t_.mainLanes("before", lanes_), high_ = t_.mainLanes("high", lanes_),
        low_ = t_.mainLanes("low", lanes_);
  Expr maximum_ = t_.main("maximum"), chosen_ = t_.main("chosen");
  Lanes x_ = stored_ ? t_.mainLanes("x", lanes_) : Lanes();
  EdgeSlots in_{t_, "in"};
  std::vector<std::pair<std::string, Expr>> publics_;  // the rows of each output's indices
};

}  // namespace

int64_t ArgmaxTable::rows(size_t item, const Layout& layout) const {
  const Choice& choice = choices[item];
  return choice.rows * int64_t(llvm::divideCeil(choice.columns, layout.lanes(choice.lanes)));
}

void ArgmaxTable::build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const {
  l.tables.useRange(15);
  ArgmaxBuilder builder(l, t, lanesOf(l, items), !choices.front().accumulator);
  for (const Placed& placed : items) builder.add(choices[placed.item], placed, items.size() == 1);
  builder.constrain();
}

Argmax::Argmax(Wiring& wiring, Products& products)
    : wiring_(wiring),
      products_(products),
      table_(wiring.addLanes({.pads = true, .most = wiring.options().lanes}), "argmax"),
      stored_(wiring.addLanes({.most = wiring.options().lanes}), "stored_argmax") {}

llvm::ArrayRef<llvm::StringLiteral> Argmax::ops() const {
  static constexpr llvm::StringLiteral kOps[] = {"integer.argmax"};
  return kOps;
}

absl::Status Argmax::plan(const Origin& origin) {
  const ir::Op& op = *origin.op;
  const auto [rows, columns] = matrixOf(op.operand(0)->type());
  if (columns == 1) return cannotLower(op, "of one element there is nothing to choose");
  Choice choice{.origin = origin, .rows = rows, .columns = columns};
  if (Accumulator* a = products_.findAccumulator(op.operand(0))) {
    a->parts.push_back({origin, 0, columns});
    // What it reads is as wide as its tiles.
    a->product->padded_to = choice.lanes = table_.family();
    choice.accumulator = a;
    table_.choices.push_back(std::move(choice));
  } else {
    choice.lanes = wiring_.ofLength(stored_.family(), columns);
    stored_.choices.push_back(std::move(choice));
  }
  return absl::OkStatus();
}

Choice* Argmax::choiceOf(const ir::Value* value) {
  for (ArgmaxTable* table : {&table_, &stored_}) {
    for (Choice& c : table->choices) {
      if (c.origin.op->result() == value) return &c;
    }
  }
  return nullptr;
}

const Choice* Argmax::onlyChoice() const {
  if (table_.choices.size() + stored_.choices.size() != 1) return nullptr;
  return table_.choices.empty() ? &stored_.choices.front() : &table_.choices.front();
}

absl::StatusOr<bool> Argmax::planOutput(const Origin& origin, const ir::Value* value,
                                        const std::string& name) {
  Choice* choice = choiceOf(value);
  if (!choice) return false;
  if (!choice->name.empty()) {
    return cannotLower(*origin.op, "outputs " + choice->name + " and " + name + " are one argmax");
  }
  choice->name = name;
  return true;
}

absl::Status Argmax::connect() {
  for (ArgmaxTable* table : {&table_, &stored_}) {
    for (Choice& choice : table->choices) {
      if (choice.name.empty()) return cannotLower(*choice.origin.op, "its result is no output");
      choice.indices = wiring_.scalars(choice.rows);
    }
  }
  for (Choice& choice : stored_.choices) {
    absl::StatusOr<CopyId> in =
        wiring_.copy(choice.origin, choice.origin.op->operand(0), Major::kRow, choice.lanes);
    if (!in.ok()) return in.status();
    choice.in = *in;
  }
  return absl::OkStatus();
}

void Argmax::trace(TraceWriter& t, const ir::Op& op) const {
  const auto [rows, columns] = matrixOf(op.operand(0)->type());
  const Accumulator* a = products_.findAccumulator(op.operand(0));
  ir::Value* values = a ? products_.traceColumns(t, *a, 0, columns) : t.find(op.operand(0));
  const auto& choices = (a ? table_ : stored_).choices;
  const Choice& choice =
      *llvm::find_if(choices, [&](const Choice& other) { return other.origin.op == &op; });
  const int64_t lanes = t.layout().lanes(choice.lanes);
  const Step step = t.step("argmax", {{"values", values}},
                           {{"rows", rows}, {"width", columns}, {"lanes", lanes}});
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
