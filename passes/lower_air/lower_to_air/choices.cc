// Argmax over logits, token-major: a row holds some of a token's vocabulary entries.
//   a_i = M - (b_i + hi_i 2^15 + lo_i) is an expression;  RANGE(15, hi), RANGE(15, lo);
//   b_i = 1 before the chosen entry J, 0 from it on;  J = sum b;
//   o_i = b_(i-1) - b_i is 1 at J alone;  o_i (M - a_i) = 0: the maximum is attained, and b_i = 1
//   never follows 0, for M - a_i > 0 there.
// Entries before J are strictly smaller than M. GADGETS.md, section 10, has the interval argument.
#include <map>

#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

// Entries beyond the vocabulary, which pad the last block, can never be chosen.
constexpr int64_t kNever = -((int64_t{1} << 29) - 1);

}  // namespace

void buildChoices(Lowering& l, const Stack<Choice>& stack) {
  CircuitBuilder& c = l.circuit;
  TableBuilder t(c, stack.name, stack.rows);
  int64_t lanes = l.plan.lanes.entries;
  l.tables.useRange(15);
  Expr on = t.fixed("on"), within = t.fixed("within"), first_block = t.fixed("first");
  std::map<int64_t, Expr> next;  // by a token's entries: where a fold goes on to the next token
  Expr last = t.fixed("last");
  Expr end = t.fixed("end"), product = t.fixed("product"), address = t.fixed("address");
  Lanes bias = t.fixedLanes("bias", lanes);
  Lanes before = t.mainLanes("before", lanes), high = t.mainLanes("high", lanes),
        low = t.mainLanes("low", lanes);
  Expr maximum = t.main("maximum"), chosen = t.main("chosen");
  std::vector<std::pair<std::string, Expr>> publics;  // the rows of each output's indices
  int64_t longest = 1;
  for (const auto& e : stack.entries) {
    const Choice& a = *e.item;
    longest = std::max(longest, e.rows);
    int64_t blocks = (a.columns + lanes - 1) / lanes, first = e.first_row;
    t.fillConstant(on, first, e.rows, 1);
    if (blocks > 1) t.fill(within, {first + 1, {{a.rows, blocks, 0}, {blocks - 1, 1, 0}}, 1, 0});
    t.fill(first_block, {first, {{a.rows, blocks, 0}}, 1, 0});
    auto [step, made] = next.try_emplace(a.product->columns);
    if (made) step->second = t.fixed("next_token." + std::to_string(a.product->columns));
    if (a.rows > 1) t.fill(step->second, {first + blocks, {{a.rows - 1, blocks, 0}}, 1, 0});
    t.fill(last, {first + blocks - 1, {{a.rows, blocks, 0}}, 1, 0});
    t.fill(address, {first + blocks - 1, {{a.rows, blocks, 1}}, a.address, 0});
    if (!l.plan.steps) {
      publics.push_back({a.name, stack.entries.size() == 1 ? last : t.fixed("index." + a.name)});
      if (stack.entries.size() > 1) {
        t.fill(publics.back().second, {first + blocks - 1, {{a.rows, blocks, 0}}, 1, 0});
      }
    }
    t.fillConstant(end, first + e.rows - 1, 1, 1);
    t.fillConstant(product, first + e.rows - 1, 1, a.product->id);
    int64_t rest = a.columns % lanes;
    if (a.bias) {
      t.fill(bias, {first, {{a.rows, blocks, 0}, {blocks, 1, lanes}}, 0, 1},
             a.bias->definingOp()->symbolAttr("value"));
      l.constants[a.bias] = {
          t.name(), "bias.0", lanes, {first, {{blocks, 1, lanes}}, 0, 1}, a.columns};
    }
    if (rest) {
      t.fill(Lanes(bias.begin() + rest, bias.end()),
             {first + blocks - 1, {{a.rows, blocks, 0}}, kNever, 0});
    }
    const ir::Value* result = a.origin.op->result();
    // The lanes beyond the vocabulary hold M - kNever.
    Cells elements{first, {{a.rows * blocks, 1, lanes}}, 0, 1};
    t.place(before, {result, "before"}, elements);
    t.place(high, {result, "high"}, elements);
    t.place(low, {result, "low"}, elements);
    t.place(maximum, {result, "maximum"}, {first, {{a.rows, blocks, 1}, {blocks, 1, 0}}, 0, 0});
    t.place(chosen, {result, "index_sums"}, {first, {{a.rows * blocks, 1, 1}}, 0, 0});
    t.instance(first, e.rows, a.origin.region, a.linear->location());
    if (l.plan.steps) continue;
    c.publicTensor({a.name, true, a.rows, 1, 0, a.columns - 1, 0, a.address, 1, 1});
  }

  using enum TableBuilder::Kind;
  Expr previous = within * t.previous(before.back()) + first_block;
  Lanes logits;
  for (int64_t i = 0; i < lanes; ++i) {
    std::string lane = "." + std::to_string(i);
    Expr gap = before[i] + high[i] * t.constant(1 << 15) + low[i];
    Expr here = previous - before[i];
    t.constrain(before[i] * (on - before[i]), "before is a bit" + lane);
    t.constrain(here * gap, "the maximum is attained" + lane, i ? kLocal : kContinuity);
    t.range("high" + lane, on, t.constant(15), high[i]);
    t.range("low" + lane, on, t.constant(15), low[i]);
    logits.push_back(maximum - gap - bias[i]);
    previous = before[i];
  }
  t.constrain(last * before.back(), "something is chosen");
  t.constrain(chosen - within * t.previous(chosen) - t.sum(before), "index of the chosen",
              kContinuity);
  t.constrain(within * (maximum - t.previous(maximum)), "one maximum per token", kContinuity);

  Expr mul = within * t.outside(c.power(c.sigma(), lanes));
  for (auto& [columns, selector] : next) {
    ir::Value* step = c.rho();
    if (columns > lanes) step = c.multiply(step, c.power(c.sigma(), lanes - columns));
    mul = mul + selector * t.outside(step);
  }
  Expr fold = t.scan("fold", longest, mul, t.dot(logits, c.descendingPowers(c.sigma(), lanes)));
  t.term("product", t.zero() - end * fold, t.outside(c.productPoint()) - product);
  if (l.plan.steps) {
    scalarTerm(t, "index", last, address, chosen, 1);
  } else {
    for (auto& [name, rows] : publics) scalarTerm(t, "index", rows, address, chosen, 1, name);
  }
}

}  // namespace lindero::passes
