// Softmax over attention scores, token-major: a row holds some keys of a query. No
// maximum, no reciprocal: a query's one integer is L, a fixed-point log-sum-exp, the least with
// sum_i EXP(L - sigma_i) <= 2^P.
//   S_i = (L - k_i) 2^s + 2^(s-1) - r_i is an expression;
//   `exponential`: k -> (w, p, p-);  RANGE(s + w, r);
//   A = sum p and C = sum p- run over the query's rows;
//   at the last, 2^P - A and C - 2^P - 1 are in [0, 2^16): L is unique.
// A masked score is one cell, the key's, which only the product check of Q K^T reads; its p and p-
// are zero.
// Of a block of steps, the first keys are of the blocks before, of which so many are open as there
// are: a key of a closed one is the first dead key, with r = 0, and its score is read by nothing.
// GADGETS.md, sections 9 and 13, has the interval arguments.
#include <map>
#include <optional>

#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

// Lane l of the block of keys kb is live for the queries t >= kb lanes + l - earlier keys.
void fillCausalMask(TableBuilder& t, const Lanes& live, const Attend& a, int64_t first_row) {
  int64_t lanes = live.size(), blocks = a.keys / lanes;
  for (int64_t key = a.earlier(); key < a.keys; ++key) {
    int64_t from = key - a.earlier();
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

class SoftmaxTable {
 public:
  SoftmaxTable(Lowering& l, const Stack<Attend>& stack)
      : l_(l), t_(l.circuit, stack.name, stack.rows), lanes_(l.plan.lanes.keys) {
    if (llvm::any_of(stack.entries, [](const auto& e) { return e.item->block; })) {
      context_ = ContextColumns(t_);
    }
    for (const auto& e : stack.entries) {
      fill(*e.item, e.first_row, e.rows);
      place(*e.item, e.first_row);
      t_.instance(e.first_row, e.rows, e.item->origin.region, nodes(*e.item));
    }
    constrain();
    if (context_) constrainBlocks(stack);
    addProduct();
    tokenMajorTerm(t_, "out", out_, {{out_.on, p_}}, 1);
  }

 private:
  void fill(const Attend& a, int64_t first, int64_t rows) {
    const ir::Op& op = *a.origin.op;
    const int64_t blocks = a.keys / lanes_, queries = a.heads * a.queries,
                  head_rows = a.queries * blocks;
    const int64_t shift = op.intAttr("score_shift"), bits = op.intAttr("normalizer_bits");
    const int64_t half = shift > 0 ? int64_t{1} << (shift - 1) : 0;
    longest_ = std::max(longest_, head_rows);
    t_.fillConstant(power_, first, rows, int64_t{1} << shift);
    t_.fillConstant(tag_, first, rows, shift);
    t_.fillConstant(offset_, first, rows, (op.intAttr("normalizer_low") << shift) + half);
    t_.fillConstant(table_, first, rows, l_.tables.exponential(op));
    auto atLast = [&](Expr column, int64_t value) {
      t_.fill(column, {first + blocks - 1, {{queries, blocks, 0}}, value, 0});
    };
    atLast(mass_, int64_t{1} << op.intAttr("probability_bits"));
    atLast(low_tag_, std::min<int64_t>(bits, 16));
    atLast(high_tag_, std::max<int64_t>(bits - 16, 0));
    atLast(last_, 1);
    if (blocks > 1) {
      t_.fill(within_, {first + 1, {{queries, blocks, 0}, {blocks - 1, 1, 0}}, 1, 0});
    }
    auto [next, made] = next_.try_emplace(a.keys);
    if (made) next->second = t_.fixed("next_query." + std::to_string(a.keys));
    if (a.queries > 1) {
      t_.fill(next->second,
              {first + blocks, {{a.heads, head_rows, 0}, {a.queries - 1, blocks, 0}}, 1, 0});
    }
    t_.fill(end_, {first + head_rows - 1, {{a.heads, head_rows, 0}}, 1, 0});
    t_.fill(product_, {first + head_rows - 1, {{a.heads, head_rows, 1}}, a.product->id, 0});
    for (int64_t h = 0; h < a.heads; ++h) {
      fillTokenMajor(t_, out_, first + h * head_rows, a.queries, a.out[h]);
    }
    if (op.boolAttr("causal")) {
      fillCausalMask(t_, live_, a, first);
    } else {
      t_.fill(live_, {first, {{rows, 1, 0}}, 1, 0});
    }
    if (a.block) fillBlocks(a, first);
    for (int64_t b : {int64_t{16}, std::min<int64_t>(bits, 16), bits - 16}) l_.tables.useRange(b);
    l_.tables.useRange(shift + op.intAttr("dead_width"));
  }

  void place(const Attend& a, int64_t first) {
    const ir::Value* result = a.origin.op->result();
    const int64_t blocks = a.keys / lanes_, queries = a.heads * a.queries;
    Cells elements{first, {{queries * blocks, 1, lanes_}}, 0, 1};
    Cells rows{first, {{queries, blocks, 1}, {blocks, 1, 0}}, 0, 0};
    Cells row_blocks{first, {{queries * blocks, 1, 1}}, 0, 0};
    t_.place(k_, {result, "key"}, elements);
    t_.place(w_, {result, "width"}, elements);
    t_.place(r_, {result, "remainder"}, elements);
    t_.place(p_, {result, ""}, elements);
    t_.place(previous_, {result, "previous_probability"}, elements);
    t_.place(low_, {result, "normalizer_low_limb"}, rows);
    t_.place(high_, {result, "normalizer_high_limb"}, rows);
    t_.place(sum_, {result, "probability_sums"}, row_blocks);
    t_.place(previous_sum_, {result, "previous_probability_sums"}, row_blocks);
  }

  // Fixed: rows of keys of the blocks before, their block, the id of the function that opens it,
  // the first dead key. Main: the blocks before, the same on all rows; whether this one is open.
  struct ContextColumns {
    explicit ContextColumns(TableBuilder& t)
        : on(t.fixed("context")),
          slot(t.fixed("context.slot")),
          opens(t.fixed("context.opens")),
          dead(t.fixed("context.dead")),
          next(t.fixed("context.next")),
          end(t.fixed("context.end")),
          block(t.main("block")),
          open(t.main("open")) {}
    Expr on, slot, opens, dead, next, end, block, open;
  };

  void fillBlocks(const Attend& a, int64_t first) {
    const int64_t blocks = a.keys / lanes_, queries = a.heads * a.queries;
    const int64_t earlier = a.earlier() / a.queries, rows = a.queries / lanes_;
    ContextColumns& c = *context_;
    auto fill = [&](Expr column, int64_t value, int64_t stride) {
      t_.fill(column,
              {first, {{queries, blocks, 0}, {earlier, rows, stride}, {rows, 1, 0}}, value, 0});
    };
    fill(c.on, 1, 0);
    fill(c.slot, 0, 1);
    fill(c.opens, l_.tables.opened(earlier), 0);
    fill(c.dead, a.origin.op->intAttr("live_rows"), 0);
    const ir::Value* result = a.origin.op->result();
    t_.place(c.open, {result, "open"}, {first, {{queries * blocks, 1, 1}}, 0, 0});
    t_.place(c.block, {a.block, ""}, {first, {{queries * blocks, 1, 0}}, 0, 0});
  }

  void constrainBlocks(const Stack<Attend>& stack) {
    using enum TableBuilder::Kind;
    ContextColumns& c = *context_;
    if (stack.rows > 1) t_.fillConstant(c.next, 1, stack.rows - 1, 1);
    t_.fillConstant(c.end, stack.rows - 1, 1, 1);
    t_.constrain(c.next * (c.block - t_.previous(c.block)), "one block", kContinuity);
    t_.constrain(c.open - c.on * c.open, "only blocks before are open or closed");
    t_.lookup("open", "function", c.on, {c.opens, c.block + c.slot, c.open});
    Expr closed = c.on - c.open;
    for (int64_t i = 0; i < lanes_; ++i) {
      std::string lane = "." + std::to_string(i);
      t_.constrain(closed * (k_[i] - c.dead), "closed key" + lane);
      t_.constrain(closed * r_[i], "closed remainder" + lane);
    }
    scalarTerm(t_, "block", c.end, t_.constant(l_.plan.steps->block + l_.score_tables++), c.block,
               -1, kBlock);
  }

  static ir::Location nodes(const Attend& a) {
    ir::Location nodes = a.scores->location();
    for (const std::string& node : a.origin.op->location()) {
      if (!llvm::is_contained(nodes, node)) nodes.push_back(node);
    }
    return nodes;
  }

  void constrain() {
    using enum TableBuilder::Kind;
    t_.constrain(sum_ - within_ * t_.previous(sum_) - t_.sum(p_), "sum of probabilities",
                 kContinuity);
    t_.constrain(previous_sum_ - within_ * t_.previous(previous_sum_) - t_.sum(previous_),
                 "sum one step before", kContinuity);
    t_.constrain(within_ * (low_ - t_.previous(low_)), "one normalizer per query, low",
                 kContinuity);
    t_.constrain(within_ * (high_ - t_.previous(high_)), "one normalizer per query, high",
                 kContinuity);
    const Expr one = t_.constant(1), sixteen = t_.constant(16);
    for (int64_t i = 0; i < lanes_; ++i) {
      std::string lane = "." + std::to_string(i);
      Expr seen = context_ ? live_[i] + context_->on : live_[i], masked = one - seen;
      t_.constrain(masked * p_[i], "masked probability" + lane);
      t_.constrain(masked * w_[i], "masked width" + lane);
      t_.constrain(masked * r_[i], "masked remainder" + lane);
      t_.constrain(masked * previous_[i], "masked previous probability" + lane);
      t_.lookup("exponential" + lane, "exponential", seen,
                {table_, k_[i], w_[i], p_[i], previous_[i]});
      t_.range("score remainder" + lane, seen, tag_ + w_[i], r_[i]);
    }
    t_.range("mass", last_, sixteen, mass_ - sum_);
    t_.range("mass one step before", last_, sixteen, previous_sum_ - mass_ - one);
    t_.range("normalizer low", last_, low_tag_, low_);
    t_.range("normalizer high", last_, high_tag_, high_);
  }

  // The fold of the scores, which the product check of Q K^T reads.
  void addProduct() {
    CircuitBuilder& c = l_.circuit;
    Lanes scores;
    for (int64_t i = 0; i < lanes_; ++i) {
      Expr score = scoreOf(t_, low_, high_, k_[i], r_[i], power_, offset_);
      Expr live = live_[i], masked = t_.constant(1) - live_[i];
      if (context_) live = live + context_->open, masked = masked - context_->on;
      scores.push_back(live * score + masked * k_[i]);
    }
    Expr mul = within_ * t_.outside(c.power(c.sigma(), lanes_));
    for (auto& [keys, selector] : next_) {
      ir::Value* step = c.rho();
      if (keys > lanes_) step = c.multiply(step, c.power(c.sigma(), lanes_ - keys));
      mul = mul + selector * t_.outside(step);
    }
    Expr fold =
        t_.scan("fold", longest_, mul, t_.dot(scores, c.descendingPowers(c.sigma(), lanes_)));
    t_.term("product", t_.zero() - end_ * fold, t_.outside(c.productPoint()) - product_);
  }

  Lowering& l_;
  TableBuilder t_;
  const int64_t lanes_;
  int64_t longest_ = 1;  // rows of a fold
  Expr power_ = t_.fixed("power"), tag_ = t_.fixed("score_tag"), offset_ = t_.fixed("score_offset");
  Expr table_ = t_.fixed("table"), mass_ = t_.fixed("mass");
  Expr low_tag_ = t_.fixed("low_tag"), high_tag_ = t_.fixed("high_tag");
  Expr within_ = t_.fixed("within"), last_ = t_.fixed("last");
  Expr end_ = t_.fixed("end"), product_ = t_.fixed("product");
  // By the keys of a query: where a fold goes on to the next query.
  std::map<int64_t, Expr> next_;
  EdgeColumns out_ = edgeColumns(t_, "out");
  Lanes live_ = t_.fixedLanes("live", lanes_);
  Lanes k_ = t_.mainLanes("k", lanes_), w_ = t_.mainLanes("w", lanes_),
        r_ = t_.mainLanes("r", lanes_), p_ = t_.mainLanes("p", lanes_),
        previous_ = t_.mainLanes("previous", lanes_);
  Expr low_ = t_.main("normalizer_low"), high_ = t_.main("normalizer_high");
  Expr sum_ = t_.main("sum"), previous_sum_ = t_.main("previous_sum");
  std::optional<ContextColumns> context_;
};

}  // namespace

void buildAttends(Lowering& l, const Stack<Attend>& stack) { SoftmaxTable(l, stack); }

}  // namespace lindero::passes
