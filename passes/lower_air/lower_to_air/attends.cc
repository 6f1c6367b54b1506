// Softmax over attention scores, token-major: a row holds some keys of a query. No
// maximum, no reciprocal: a query's one integer is L, a fixed-point log-sum-exp, the least with
// sum_i EXP(L - sigma_i) <= 2^P.
//   S_i = (L - k_i) 2^s + 2^(s-1) - r_i is an expression;
//   `exponential`: k -> (w, p, p-);  RANGE(s + w, r);
//   A = sum p and C = sum p- run over the query's rows;
//   at the last, 2^P - A and C - 2^P - 1 are in [0, 2^16): L is unique.
// A masked score is one cell, the key's, which only the product check of Q K^T reads; its p and p-
// are zero. GADGETS.md, section 9, has the interval argument.
#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

// Lane l of the block of keys kb is live for the queries t >= kb lanes + l.
void fillCausalMask(TableBuilder& t, const Lanes& live, const Attend& a, int64_t first_row) {
  int64_t lanes = live.size(), blocks = a.keys / lanes;
  for (int64_t key = 0; key < a.keys; ++key) {
    int64_t from = key;
    if (from >= a.queries) continue;
    t.fill(live[key % lanes], {first_row + from * blocks + key / lanes,
                               {{a.heads, a.queries * blocks, 0}, {a.queries - from, blocks, 0}},
                               1,
                               0});
  }
}

// (L - k) 2^s + 2^(s-1) - r, where L = normalizer_low + 2^16 normalizer_high + a constant that the
// offset holds.
Expr scoreOf(TableBuilder& t, Expr low, Expr high, Expr k, Expr r, Expr power, Expr offset) {
  return (low + high * t.constant(65536) - k) * power + offset - r;
}

}  // namespace

void buildAttends(Lowering& l, const Stack<Attend>& stack) {
  CircuitBuilder& c = l.circuit;
  TableBuilder t(c, stack.name, stack.rows);
  int64_t lanes = l.plan.lanes.keys;
  Expr power = t.fixed("power"), tag = t.fixed("score_tag"), offset = t.fixed("score_offset");
  Expr table = t.fixed("table"), mass = t.fixed("mass");
  Expr low_tag = t.fixed("low_tag"), high_tag = t.fixed("high_tag");
  Expr within = t.fixed("within"), next = t.fixed("next_query"), last = t.fixed("last");
  Expr end = t.fixed("end"), product = t.fixed("product");
  EdgeColumns out = edgeColumns(t, "out");
  Lanes live = t.fixedLanes("live", lanes);
  Lanes k = t.mainLanes("k", lanes), w = t.mainLanes("w", lanes), r = t.mainLanes("r", lanes);
  Lanes p = t.mainLanes("p", lanes), previous = t.mainLanes("previous", lanes);
  Expr low = t.main("normalizer_low"), high = t.main("normalizer_high");
  Expr sum = t.main("sum"), previous_sum = t.main("previous_sum");

  for (const auto& e : stack.entries) {
    const Attend& a = *e.item;
    const ir::Op& op = *a.origin.op;
    int64_t blocks = a.keys / lanes, first = e.first_row, queries = a.heads * a.queries;
    int64_t shift = op.intAttr("score_shift"), bits = op.intAttr("normalizer_bits");
    t.fillConstant(power, first, e.rows, int64_t{1} << shift);
    t.fillConstant(tag, first, e.rows, shift);
    int64_t half = shift > 0 ? int64_t{1} << (shift - 1) : 0;
    t.fillConstant(offset, first, e.rows, (op.intAttr("normalizer_low") << shift) + half);
    t.fillConstant(table, first, e.rows, l.tables.exponential(op));
    int64_t last_row = first + blocks - 1;
    t.fill(mass,
           {last_row, {{queries, blocks, 0}}, int64_t{1} << op.intAttr("probability_bits"), 0});
    t.fill(low_tag, {last_row, {{queries, blocks, 0}}, std::min<int64_t>(bits, 16), 0});
    t.fill(high_tag, {last_row, {{queries, blocks, 0}}, std::max<int64_t>(bits - 16, 0), 0});
    t.fill(last, {last_row, {{queries, blocks, 0}}, 1, 0});
    if (blocks > 1) t.fill(within, {first + 1, {{queries, blocks, 0}, {blocks - 1, 1, 0}}, 1, 0});
    int64_t head_rows = a.queries * blocks;
    if (a.queries > 1) {
      t.fill(next, {first + blocks, {{a.heads, head_rows, 0}, {a.queries - 1, blocks, 0}}, 1, 0});
    }
    t.fill(end, {first + head_rows - 1, {{a.heads, head_rows, 0}}, 1, 0});
    t.fill(product, {first + head_rows - 1, {{a.heads, head_rows, 1}}, a.product->id, 0});
    for (int64_t h = 0; h < a.heads; ++h) {
      fillTokenMajor(t, out, first + h * head_rows, a.queries, a.out[h]);
    }
    if (op.boolAttr("causal")) {
      fillCausalMask(t, live, a, first);
    } else {
      t.fill(live, {first, {{e.rows, 1, 0}}, 1, 0});
    }

    const ir::Value* result = op.result();
    Cells elements{first, {{queries * blocks, 1, lanes}}, 0, 1};
    Cells rows{first, {{queries, blocks, 1}, {blocks, 1, 0}}, 0, 0};
    Cells row_blocks{first, {{queries * blocks, 1, 1}}, 0, 0};
    t.place(k, {result, "key"}, elements);
    t.place(w, {result, "width"}, elements);
    t.place(r, {result, "remainder"}, elements);
    t.place(p, {result, ""}, elements);
    t.place(previous, {result, "previous_probability"}, elements);
    t.place(low, {result, "normalizer_low_limb"}, rows);
    t.place(high, {result, "normalizer_high_limb"}, rows);
    t.place(sum, {result, "probability_sums"}, row_blocks);
    t.place(previous_sum, {result, "previous_probability_sums"}, row_blocks);
    for (int64_t b : {int64_t{16}, std::min<int64_t>(bits, 16), bits - 16}) l.tables.useRange(b);
    l.tables.useRange(shift + op.intAttr("dead_width"));
    ir::Location nodes = a.scores->location();
    for (const std::string& node : op.location()) {
      if (!llvm::is_contained(nodes, node)) nodes.push_back(node);
    }
    t.instance(first, e.rows, a.origin.region, nodes);
  }

  using enum TableBuilder::Kind;
  t.constrain(sum - within * t.previous(sum) - t.sum(p), "sum of probabilities", kContinuity);
  t.constrain(previous_sum - within * t.previous(previous_sum) - t.sum(previous),
              "sum one step before", kContinuity);
  t.constrain(within * (low - t.previous(low)), "one normalizer per query, low", kContinuity);
  t.constrain(within * (high - t.previous(high)), "one normalizer per query, high", kContinuity);
  Expr one = t.constant(1);
  Lanes scores;
  for (int64_t i = 0; i < lanes; ++i) {
    std::string lane = "." + std::to_string(i);
    Expr masked = one - live[i];
    t.constrain(masked * p[i], "masked probability" + lane);
    t.constrain(masked * w[i], "masked width" + lane);
    t.constrain(masked * r[i], "masked remainder" + lane);
    t.constrain(masked * previous[i], "masked previous probability" + lane);
    t.lookup("exponential" + lane, "exponential", live[i], {table, k[i], w[i], p[i], previous[i]});
    t.range("score remainder" + lane, live[i], tag + w[i], r[i]);
    scores.push_back(live[i] * scoreOf(t, low, high, k[i], r[i], power, offset) + masked * k[i]);
  }
  Expr sixteen = t.constant(16);
  t.range("mass", last, sixteen, mass - sum);
  t.range("mass one step before", last, sixteen, previous_sum - mass - one);
  t.range("normalizer low", last, low_tag, low);
  t.range("normalizer high", last, high_tag, high);

  int64_t keys = stack.entries.front().item->keys;
  ir::Value* step = c.multiply(c.rho(), c.power(c.sigma(), lanes - keys));
  if (keys == lanes) step = c.rho();
  Expr fold = t.scan("fold", within * t.outside(c.power(c.sigma(), lanes)) + next * t.outside(step),
                     t.dot(scores, c.descendingPowers(c.sigma(), lanes)));
  t.term("product", t.zero() - end * fold, t.outside(c.productPoint()) - product);
  tokenMajorTerm(t, "out", out, {{out.on, p}}, 1);
}

}  // namespace lindero::passes
