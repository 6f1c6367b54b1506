#include "passes/lower_air/gadgets/softmax/softmax.h"

#include <map>
#include <optional>

#include "passes/lower_air/gadgets/partial_rows.h"
#include "passes/lower_air/gadgets/steps/public_inputs.h"

namespace lindero::passes {
namespace {

// A key is live for the queries t >= key - earlier keys.
void fillCausalMask(TableBuilder& t, const Lanes& live, const Softmax& a, int64_t first_row) {
  const ColumnTiles line{a.keys, static_cast<int64_t>(live.size())};
  const int64_t lanes = line.lanes, tiles = line.count();
  for (int64_t key = a.earlier(); key < a.keys; ++key) {
    int64_t from = key - a.earlier();
    if (from >= a.queries) continue;
    const int64_t skipped = key / lanes < line.full() ? 0 : lanes - line.rest();
    t.fill(live[skipped + key % lanes],
           {first_row + from * tiles + key / lanes,
            {{a.heads, a.queries * tiles, 0}, {a.queries - from, tiles, 0}},
            1,
            0});
  }
}

ir::Location nodesOf(const Softmax& a) {
  ir::Location nodes = a.stored() ? ir::Location() : a.scores->location();
  for (const std::string& node : a.origin.op->location()) {
    if (!llvm::is_contained(nodes, node)) nodes.push_back(node);
  }
  return nodes;
}

// Fixed: rows of keys of the windows before, their window, the id of the function that opens it,
// the first dead bin. Main: the windows before, the same on all rows; whether this one is open.
struct ContextColumns {
  explicit ContextColumns(TableBuilder& t)
      : on(t.fixed("context")),
        slot(t.fixed("context.slot")),
        opens(t.fixed("context.opens")),
        dead(t.fixed("context.dead")),
        next(t.fixed("context.next")),
        end(t.fixed("context.end")),
        open_windows(t.main("open_windows")),
        open(t.main("open")) {}
  Expr on, slot, opens, dead, next, end, open_windows, open;
};

class SoftmaxBuilder {
 public:
  SoftmaxBuilder(AirLowering& l, TableBuilder& t, int64_t lanes, int64_t number, bool windows,
                 bool stored)
      : l_(l), t_(t), lanes_(lanes), number_(number), stored_(stored) {
    if (windows) context_.emplace(t_);
  }

  void add(const Softmax& a, int64_t first, int64_t rows) {
    fill(a, first, rows);
    place(a, first);
    t_.instance(first, rows, a.origin.region, nodesOf(a));
  }

  // `rows` of the table are in use; `windows`: the address of the number of windows before.
  void constrain(int64_t rows, int64_t windows) {
    holdPadding();
    addSums();
    addElements();
    if (context_) constrainWindows(rows, windows);
    if (stored_) {
      takeScores();
    } else {
      addProduct();
    }
    rowMajorTerm(t_, "out", out_, {{out_.on, p_}}, 1);
    rowMajorTerms(t_, "out", more_out_, p_, 1);
  }

 private:
  Expr ofProduct(const char* name) { return stored_ ? Expr() : t_.fixed(name); }

  void fill(const Softmax& a, int64_t first, int64_t rows) {
    const ir::Op& op = *a.origin.op;
    const ColumnTiles line{a.keys, lanes_};
    const int64_t tiles = line.count(), queries = a.heads * a.queries;
    const int64_t shift = op.intAttr("score_shift"), bits = op.intAttr("normalizer_bits");
    const int64_t half = shift > 0 ? int64_t{1} << (shift - 1) : 0;
    longest_ = std::max(longest_, a.queries * tiles);
    t_.fillConstant(power_, first, rows, int64_t{1} << shift);
    t_.fillConstant(tag_, first, rows, shift);
    t_.fillConstant(offset_, first, rows, (op.intAttr("normalizer_low") << shift) + half);
    t_.fillConstant(table_, first, rows, l_.tables.exponential(op));
    auto atLast = [&](Expr column, int64_t value) {
      t_.fill(column, {first + tiles - 1, {{queries, tiles, 0}}, value, 0});
    };
    atLast(mass_, int64_t{1} << op.intAttr("probability_bits"));
    atLast(low_tag_, std::min<int64_t>(bits, 16));
    atLast(high_tag_, std::max<int64_t>(bits - 16, 0));
    atLast(last_, 1);
    if (tiles > 1) {
      t_.fill(within_, {first + 1, {{queries, tiles, 0}, {tiles - 1, 1, 0}}, 1, 0});
    }
    partial_.fill(first, queries, a.keys);
    if (!a.stored()) fillFold(a, first, tiles);
    fillCopies(a, first);
    if (op.boolAttr("causal")) {
      fillCausalMask(t_, live_, a, first);
    } else if (stored_) {
      t_.fillConstant(live_[0], first, rows, 1);
    } else if (line.rest() == 0) {
      t_.fill(live_, {first, {{rows, 1, 0}}, 1, 0});
    } else {
      if (line.full() > 0) {
        t_.fill(live_, {first, {{queries, tiles, 0}, {line.full(), 1, 0}}, 1, 0});
      }
      t_.fill(Lanes(live_.end() - line.rest(), live_.end()),
              {first + line.full(), {{queries, tiles, 0}}, 1, 0});
    }
    if (a.open_windows) fillWindows(a, first);
    for (int64_t b : {int64_t{16}, std::min<int64_t>(bits, 16), bits - 16}) l_.tables.useRange(b);
    l_.tables.useRange(shift + op.intAttr("dead_width"));
  }

  void fillFold(const Softmax& a, int64_t first, int64_t tiles) {
    const int64_t head_rows = a.queries * tiles;
    auto [next, made] = next_.try_emplace(a.keys);
    if (made) next->second = t_.fixed("next_query." + std::to_string(a.keys));
    if (a.queries > 1) {
      t_.fill(next->second,
              {first + tiles, {{a.heads, head_rows, 0}, {a.queries - 1, tiles, 0}}, 1, 0});
    }
    t_.fill(end_, {first + head_rows - 1, {{a.heads, head_rows, 0}}, 1, 0});
    t_.fill(product_, {first + head_rows - 1, {{a.heads, head_rows, 1}}, a.product->id, 0});
  }

  // The first copy has columns in all tables.
  void fillCopies(const Softmax& a, int64_t first) {
    const int64_t rows = a.heads * a.queries;
    std::vector<Edge> more;
    bool given = false;
    for (const Edge& edge : l_.layout.edges(a.out)) {
      if (given || !edge.group.empty()) {
        more.push_back(edge);
        continue;
      }
      fillRowMajor(t_, out_, first, rows, edge, End::kGives);
      given = true;
    }
    fillRowMajor(t_, more_out_, first, rows, more, End::kGives);
    if (!a.stored()) return;
    fillRowMajor(t_, in_, first, rows, l_.layout.edges(a.in), End::kTakes);
    placeElements(s_, {a.origin.op->operand(0), ""}, a, first);
  }

  // A sum of each table row; of partial rows, the trace has one of each key (summedLanes).
  void placeSums(Expr sum, const Witness& witness, const Softmax& a, int64_t first) {
    const ColumnTiles line{a.keys, lanes_};
    const int64_t queries = a.heads * a.queries, tiles = line.count();
    if (line.rest() == 0) {
      t_.place(sum, witness, {first, {{queries * tiles, 1, 1}}, 0, 0});
      return;
    }
    if (line.full() > 0) {
      t_.place(sum, witness,
               {first, {{queries, tiles, a.keys}, {line.full(), 1, lanes_}}, lanes_ - 1, 0});
    }
    t_.place(sum, witness, {first + line.full(), {{queries, tiles, a.keys}}, a.keys - 1, 0});
  }

  void placeElements(const Lanes& lanes, const Witness& witness, const Softmax& a, int64_t first) {
    const ColumnTiles line{a.keys, lanes_};
    const int64_t queries = a.heads * a.queries, full = line.full();
    if (line.rest() == 0) {
      t_.place(lanes, witness, {first, {{queries * full, 1, lanes_}}, 0, 1});
      return;
    }
    if (full > 0) {
      t_.place(lanes, witness, {first, {{queries, line.count(), a.keys}, {full, 1, lanes_}}, 0, 1});
    }
    t_.place(Lanes(lanes.end() - line.rest(), lanes.end()), witness,
             {first + full, {{queries, line.count(), a.keys}}, full * lanes_, 1});
  }

  void place(const Softmax& a, int64_t first) {
    const ir::Value* result = a.origin.op->result();
    const int64_t tiles = ColumnTiles{a.keys, lanes_}.count(), queries = a.heads * a.queries;
    Cells rows{first, {{queries, tiles, 1}, {tiles, 1, 0}}, 0, 0};
    placeElements(k_, {result, "bin"}, a, first);
    placeElements(w_, {result, "width"}, a, first);
    placeElements(r_, {result, "remainder"}, a, first);
    placeElements(p_, {result, ""}, a, first);
    placeElements(previous_, {result, "previous_probability"}, a, first);
    t_.place(low_, {result, "normalizer_low_limb"}, rows);
    t_.place(high_, {result, "normalizer_high_limb"}, rows);
    placeSums(sum_, {result, "probability_sums"}, a, first);
    placeSums(previous_sum_, {result, "previous_probability_sums"}, a, first);
  }

  void fillWindows(const Softmax& a, int64_t first) {
    const int64_t tiles = a.keys / lanes_, queries = a.heads * a.queries;
    const int64_t earlier = a.earlier() / a.queries, rows = a.queries / lanes_;
    ContextColumns& c = *context_;
    auto fill = [&](Expr column, int64_t value, int64_t stride) {
      t_.fill(column,
              {first, {{queries, tiles, 0}, {earlier, rows, stride}, {rows, 1, 0}}, value, 0});
    };
    fill(c.on, 1, 0);
    fill(c.slot, 0, 1);
    fill(c.opens, l_.tables.opened(earlier), 0);
    fill(c.dead, a.origin.op->intAttr("live_rows"), 0);
    const ir::Value* result = a.origin.op->result();
    t_.place(c.open, {result, "open"}, {first, {{queries * tiles, 1, 1}}, 0, 0});
    t_.place(c.open_windows, {a.open_windows, ""}, {first, {{queries * tiles, 1, 0}}, number_, 0});
  }

  void constrainWindows(int64_t rows, int64_t address) {
    using enum TableBuilder::Kind;
    ContextColumns& c = *context_;
    if (rows > 1) t_.fillConstant(c.next, 1, rows - 1, 1);
    t_.fillConstant(c.end, rows - 1, 1, 1);
    t_.constrain(c.next * (c.open_windows - t_.previous(c.open_windows)), "one number of windows",
                 kContinuity);
    t_.constrain(c.open - c.on * c.open, "only windows before are open or closed");
    t_.lookup("open", "function", c.on, {c.opens, c.open_windows + c.slot, c.open});
    Expr closed = c.on - c.open;
    for (int64_t i = 0; i < lanes_; ++i) {
      std::string lane = "." + std::to_string(i);
      t_.constrain(closed * (k_[i] - c.dead), "closed bin" + lane);
      t_.constrain(closed * r_[i], "closed remainder" + lane);
    }
    scalarTerm(t_, "open windows", c.end, t_.constant(address), c.open_windows, -1, kBlock);
  }

  // Of stored scores, padding is not masked.
  void holdPadding() {
    partial_.hold(k_, "k");
    if (!stored_) return;
    partial_.hold(w_, "w");
    partial_.hold(r_, "r");
    partial_.hold(p_, "p");
    partial_.hold(previous_, "previous");
  }

  void addSums() {
    using enum TableBuilder::Kind;
    t_.constrain(sum_ - within_ * t_.previous(sum_) - t_.sum(p_), "sum of probabilities",
                 kContinuity);
    t_.constrain(previous_sum_ - within_ * t_.previous(previous_sum_) - t_.sum(previous_),
                 "sum one step before", kContinuity);
    t_.constrain(within_ * (low_ - t_.previous(low_)), "one normalizer per query, low",
                 kContinuity);
    t_.constrain(within_ * (high_ - t_.previous(high_)), "one normalizer per query, high",
                 kContinuity);
  }

  void addElements() {
    const Expr one = t_.constant(1), sixteen = t_.constant(16);
    for (int64_t i = 0; i < lanes_; ++i) {
      std::string lane = "." + std::to_string(i);
      Expr seen = context_ ? live_[i] + context_->on : live_[i], masked = one - seen;
      if (stored_) seen = partial_.used(seen, i);
      if (!stored_) {
        t_.constrain(masked * p_[i], "masked probability" + lane);
        t_.constrain(masked * w_[i], "masked width" + lane);
        t_.constrain(masked * r_[i], "masked remainder" + lane);
        t_.constrain(masked * previous_[i], "masked previous probability" + lane);
      }
      t_.lookup("exponential" + lane, "exponential", seen,
                {table_, k_[i], w_[i], p_[i], previous_[i]});
      t_.range("score remainder" + lane, seen, tag_ + w_[i], r_[i]);
    }
    t_.range("mass", last_, sixteen, mass_ - sum_);
    t_.range("mass one step before", last_, sixteen, previous_sum_ - mass_ - one);
    t_.range("normalizer low", last_, low_tag_, low_);
    t_.range("normalizer high", last_, high_tag_, high_);
  }

  // (L - k) 2^s + 2^(s-1) - r, where L = normalizer_low + 2^16 normalizer_high + a constant that
  // the offset holds.
  Expr score(int64_t lane) {
    return (low_ + high_ * t_.constant(65536) - k_[lane]) * power_ + offset_ - r_[lane];
  }

  // None of them is masked.
  void takeScores() {
    for (int64_t i = 0; i < lanes_; ++i) {
      t_.constrain(partial_.used(live_[i], i) * (score(i) - s_[i]), "score." + std::to_string(i));
    }
    rowMajorTerms(t_, "in", in_, s_, -1);
  }

  // The fold of the scores, which the product check of Q K^T reads. A masked one is k itself.
  void addProduct() {
    CircuitBuilder& c = l_.circuit;
    Lanes scores;
    for (int64_t i = 0; i < lanes_; ++i) {
      Expr value = score(i), live = live_[i], masked = partial_.used(t_.constant(1), i) - live_[i];
      if (context_) live = live + context_->open, masked = masked - context_->on;
      scores.push_back(live * value + masked * k_[i]);
    }
    Expr mul = within_ * t_.outside(c.power(c.sigma(), lanes_));
    partial_.addMultipliers(mul, c.sigma(), /*instead=*/true);
    for (auto& [keys, selector] : next_) {
      mul = mul + selector * t_.outside(nextRow(c, lanes_, keys));
    }
    Expr fold =
        t_.scan("fold", longest_, mul, t_.dot(scores, c.descendingPowers(c.sigma(), lanes_)));
    t_.term("product", t_.zero() - end_ * fold, t_.outside(c.productPoint()) - product_);
  }

  AirLowering& l_;
  TableBuilder& t_;
  const int64_t lanes_;
  const int64_t number_;  // which of the softmax tables it is
  const bool stored_;
  int64_t longest_ = 1;  // rows of a fold
  Expr power_ = t_.fixed("power"), tag_ = t_.fixed("score_tag"), offset_ = t_.fixed("score_offset");
  Expr table_ = t_.fixed("table"), mass_ = t_.fixed("mass");
  Expr low_tag_ = t_.fixed("low_tag"), high_tag_ = t_.fixed("high_tag");
  Expr within_ = t_.fixed("within"), last_ = t_.fixed("last");
  PartialRows partial_{t_, lanes_, "partial", /*last=*/true};
  Expr end_ = ofProduct("end"), product_ = ofProduct("product");
  // By the keys of a query: where a fold goes on to the next query.
  std::map<int64_t, Expr> next_;
  EdgeColumns out_ = edgeColumns(t_, "out");
  EdgeSlots more_out_{t_, "out"}, in_{t_, "in"};
  Lanes live_ = stored_ ? Lanes(lanes_, t_.fixed("live")) : t_.fixedLanes("live", lanes_);
  Lanes k_ = t_.mainLanes("k", lanes_), w_ = t_.mainLanes("w", lanes_),
        r_ = t_.mainLanes("r", lanes_), p_ = t_.mainLanes("p", lanes_),
        previous_ = t_.mainLanes("previous", lanes_);
  Expr low_ = t_.main("normalizer_low"), high_ = t_.main("normalizer_high");
  Expr sum_ = t_.main("sum"), previous_sum_ = t_.main("previous_sum");
  Lanes s_ = stored_ ? t_.mainLanes("s", lanes_) : Lanes();
  std::optional<ContextColumns> context_;
};

// How many elements the trace adds up in one sum.
int64_t summedLanes(const Softmax& a, const Layout& layout) {
  const int64_t lanes = layout.lanes(a.lanes);
  return a.keys % lanes == 0 ? lanes : 1;
}

struct Extent {
  int64_t heads, queries, keys;
};

// Of rank 3 or, as one head, of any.
Extent extentOf(const ir::Op& softmax) {
  const auto& shape = softmax.result()->type().shape;
  if (shape.size() == 3) return {shape[0], shape[1], shape[2]};
  const auto [rows, columns] = matrixOf(softmax.result()->type());
  return {1, rows, columns};
}

}  // namespace

int64_t SoftmaxTable::rows(size_t item, const Layout& layout) const {
  const Softmax& a = softmaxes[item];
  return a.heads * a.queries * ColumnTiles{a.keys, layout.lanes(a.lanes)}.count();
}

void SoftmaxTable::build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const {
  const bool windows =
      llvm::any_of(items, [&](const Placed& p) { return softmaxes[p.item].open_windows; });
  int64_t table = 0;
  for (const Stack& stack : l.layout.stacks(*this)) {
    if (stack.name == t.name()) break;
    ++table;
  }
  SoftmaxBuilder builder(l, t, lanesOf(l, items), table, windows,
                         softmaxes[items.front().item].stored());
  for (const Placed& p : items) builder.add(softmaxes[p.item], p.first_row, p.rows);
  const Placed& last = items.back();
  builder.constrain(last.first_row + last.rows, l.layout.address(this->windows) + table);
}

SoftmaxGadget::SoftmaxGadget(Wiring& wiring, Products& products)
    : wiring_(wiring),
      products_(products),
      table_(wiring.addLanes({.most = wiring.options().lanes}), "softmax"),
      stored_(wiring.addLanes({.most = wiring.options().lanes}), "stored_softmax") {}

llvm::ArrayRef<llvm::StringLiteral> SoftmaxGadget::ops() const {
  static constexpr llvm::StringLiteral kOps[] = {"integer.softmax"};
  return kOps;
}

absl::Status SoftmaxGadget::plan(const Origin& origin) {
  const ir::Op& op = *origin.op;
  const ir::Value* scores = wiring_.resolve(op.operand(0));
  const Product* product = products_.scoresOf(scores);
  SoftmaxTable& table = product ? table_ : stored_;
  if (!product && op.boolAttr("causal")) {
    return cannotLower(op, "only scores of one use can be masked");
  }
  const auto [heads, queries, keys] = extentOf(op);
  Softmax a{origin, scores->definingOp(), product, heads, queries, keys};
  if (op.numOperands() > 2) a.open_windows = wiring_.resolve(op.operand(2));
  if (a.open_windows && op.intAttr("dead_rows") == 0) {
    return cannotLower(op, "it has no dead bin, which keys of closed windows are");
  }
  a.lanes = wiring_.ofLength(table.family(), a.keys, /*partial=*/!a.open_windows);
  if (a.open_windows) wiring_.divides(a.lanes, a.queries);
  Softmax& kept = table.softmaxes.emplace_back(std::move(a));
  wiring_.gives(op.result(), Major::kRow, kept.lanes, &kept.out);
  return absl::OkStatus();
}

absl::Status SoftmaxGadget::connect() {
  for (Softmax& a : stored_.softmaxes) {
    absl::StatusOr<CopyId> in =
        wiring_.copy(a.origin, a.origin.op->operand(0), Major::kRow, a.lanes);
    if (!in.ok()) return in.status();
    a.in = *in;
  }
  return absl::OkStatus();
}

void SoftmaxGadget::trace(TraceWriter& t, const ir::Op& op) const {
  const auto [heads, queries, keys] = extentOf(op);
  const SoftmaxTable& table = products_.scoresOf(op.operand(0)) ? table_ : stored_;
  const Softmax& item =
      *llvm::find_if(table.softmaxes, [&](const Softmax& other) { return other.origin.op == &op; });
  const auto& exp = t.tables().place("exponential", t.tables().exponential(op));
  ir::Value* windows = op.numOperands() > 2 ? t.find(op.operand(2)) : nullptr;
  const Step step =
      t.step("softmax", {{"scores", t.find(op.operand(0))}, {"open_windows", windows}},
             {{"heads", heads},
              {"queries", queries},
              {"keys", keys},
              {"lanes", summedLanes(item, t.layout())},
              {"causal", op.boolAttr("causal")},
              {"score_shift", op.intAttr("score_shift")},
              {"probability_bits", op.intAttr("probability_bits")},
              {"normalizer_low", op.intAttr("normalizer_low")},
              {"normalizer_bits", op.intAttr("normalizer_bits")},
              {"exp_table", ir::Symbol{exp.table}},
              {"exp_column", exp.column},
              {"exp_first_row", exp.first_row},
              {"live_rows", op.intAttr("live_rows")},
              {"dead_rows", op.intAttr("dead_rows")},
              {"dead_width", op.intAttr("dead_width")},
              {"exp_at_minus_one", op.intAttr("exp_at_minus_one")}});
  t.keep(op.result(), "", step["probability"]);
  t.keepAll(op.result(), step,
            {"normalizer_low_limb", "normalizer_high_limb", "bin", "width", "remainder",
             "previous_probability", "probability_sums", "previous_probability_sums"});
  if (windows) t.keep(op.result(), "open", step["open"]);
}

}  // namespace lindero::passes
