// LayerNorm and RMSNorm, token-major: a row holds some features of a token.
//   d = x - mu;  v = SQ[d];  sums of d and v run over the token's rows;
//   d R = z 2^t + r - 2^(t-1);  RANGE(zb, z + 2^(zb-1)), RANGE(t, r).
// mu, R, t and 2^t stay the same over a token's rows. The sums, R, t and 2^t go to the table of
// statistics, a row per token:
//   2 sum d + n in [0, 2n) fixes mu;
//   V = sum v + eps = m 4^j + rem;  m in [2^14, 2^16) or j = 0;  rem < 4^j;
//   (R, t - j) = RSQRT[m].
// GADGETS.md, sections 7 and 8, has the interval arguments.
#include <optional>

#include "passes/lower_air/lower_to_air/tables.h"

namespace lindero::passes {
namespace {

// The statistics of a token as one element: sum d, sum v, R, t, 2^t.
void statisticsTerm(TableBuilder& t, Expr on, Expr address, const Lanes& values, int sign) {
  CircuitBuilder& c = t.circuit();
  Expr sum = on * t.dot(values, c.reciprocals(c.columnPoint(), values.size()));
  t.term("statistics", sign > 0 ? sum : t.zero() - sum, t.outside(c.addressPoint()) - address,
         TableBuilder::Kind::kContinuity);
}

}  // namespace

void buildNorms(Lowering& l, const Stack<Norm>& stack) {
  TableBuilder t(l.circuit, stack.name, stack.rows);
  int64_t lanes = l.plan.lanes.features;
  Expr on = t.fixed("on"), within = t.fixed("within"), last = t.fixed("last");
  Expr square = t.fixed("square"), tag = t.fixed("output_tag"), offset = t.fixed("output_offset");
  Expr statistics = t.fixed("statistics");
  std::optional<Expr> uncentered;  // rows of an RMSNorm
  EdgeSlots in(t, "in"), forward(t, "forward"), out(t, "out");
  Lanes x = t.mainLanes("x", lanes), v = t.mainLanes("v", lanes);
  Lanes z = t.mainLanes("z", lanes), r = t.mainLanes("r", lanes);
  Expr mean = t.main("mean"), root = t.main("root"), shift = t.main("shift"),
       power = t.main("power");
  Expr sum_d = t.main("sum_d"), sum_v = t.main("sum_v");

  for (const auto& e : stack.entries) {
    const Norm& n = *e.item;
    const ir::Op& op = *n.origin.op;
    int64_t blocks = n.width / lanes, first = e.first_row;
    t.fillConstant(on, first, e.rows, 1);
    if (blocks > 1) t.fill(within, {first + 1, {{n.rows, blocks, 0}, {blocks - 1, 1, 0}}, 1, 0});
    t.fill(last, {first + blocks - 1, {{n.rows, blocks, 0}}, 1, 0});
    t.fill(statistics, {first + blocks - 1, {{n.rows, blocks, 1}}, n.statistics, 0});
    if (!op.boolAttr("has_mean")) {
      if (!uncentered) uncentered = t.fixed("uncentered");
      t.fillConstant(*uncentered, first, e.rows, 1);
    }
    int64_t bits = op.intAttr("output_bits");
    t.fillConstant(square, first, e.rows, l.tables.square(op.intAttr("square_shift")));
    t.fillConstant(tag, first, e.rows, bits);
    t.fillConstant(offset, first, e.rows, int64_t{1} << (bits - 1));
    l.tables.useRange(bits);
    auto fill = [&](EdgeSlots& slots, llvm::ArrayRef<Edge> edges) {
      for (auto [slot, edge] : llvm::zip(slots.of(edges), edges)) {
        fillTokenMajor(t, *slot, first, n.rows, edge);
      }
    };
    fill(in, n.in), fill(forward, n.forward), fill(out, n.out);

    Cells elements{first, {{n.rows, blocks, n.width}, {blocks, 1, lanes}}, 0, 1};
    Cells rows{first, {{n.rows, blocks, 1}, {blocks, 1, 0}}, 0, 0};
    Cells row_blocks{first, {{n.rows * blocks, 1, 1}}, 0, 0};
    const ir::Value* result = op.result();
    t.place(x, {op.operand(0), ""}, elements);
    t.place(v, {result, "square"}, elements);
    t.place(z, {result, ""}, elements);
    t.place(r, {result, "remainder"}, elements);
    t.place(mean, {result, "mean"}, rows);
    t.place(root, {result, "reciprocal"}, rows);
    t.place(shift, {result, "shift"}, rows);
    t.place(power, {result, "shift_power"}, rows);
    t.place(sum_d, {result, "deviation_sums"}, row_blocks);
    t.place(sum_v, {result, "square_sums"}, row_blocks);
    t.instance(first, e.rows, n.origin.region, op.location());
  }

  Lanes d;
  for (int64_t i = 0; i < lanes; ++i) d.push_back(x[i] - mean);
  using enum TableBuilder::Kind;
  t.constrain(sum_d - within * t.previous(sum_d) - on * t.sum(d), "sum of deviations", kContinuity);
  t.constrain(sum_v - within * t.previous(sum_v) - t.sum(v), "sum of squares", kContinuity);
  if (uncentered) t.constrain(*uncentered * mean, "no mean");
  t.constrain(within * (mean - t.previous(mean)), "one mean per token", kContinuity);
  t.constrain(within * (root - t.previous(root)), "one root per token", kContinuity);
  t.constrain(within * (shift - t.previous(shift)), "one shift per token", kContinuity);
  t.constrain(within * (power - t.previous(power)), "one power per token", kContinuity);
  Expr half = power * t.constant(int64_t{1} << 30);
  for (int64_t i = 0; i < lanes; ++i) {
    std::string lane = "." + std::to_string(i);
    t.constrain(on * (d[i] * root - z[i] * power - r[i] + half), "normalize" + lane);
    t.lookup("square" + lane, "function", on, {square, d[i], v[i]});
    t.range("output" + lane, on, tag, z[i] + offset);
    t.range("remainder" + lane, on, shift, r[i]);
  }
  statisticsTerm(t, last, statistics, {sum_d, sum_v, root, shift, power}, 1);
  for (EdgeColumns& slot : in.all()) tokenMajorTerm(t, "in", slot, {{slot.on, x}}, -1);
  for (EdgeColumns& slot : forward.all()) tokenMajorTerm(t, "forward", slot, {{slot.on, x}}, 1);
  for (EdgeColumns& slot : out.all()) tokenMajorTerm(t, "out", slot, {{slot.on, z}}, 1);
}

void buildNormStatistics(Lowering& l, const Plan& plan) {
  int64_t tokens = 0;
  for (const Norm& n : plan.norms) tokens += n.rows;
  TableBuilder t(l.circuit, "norm_statistics", tokens);
  for (int tag = 0; tag <= 16; ++tag) l.tables.useRange(tag);
  Expr on = t.fixed("on"), width = t.fixed("width"), epsilon = t.fixed("epsilon");
  Expr table = t.fixed("table"), address = t.fixed("address"), centered = t.fixed("centered");
  Expr limit = t.fixed("exponent_limit");
  Expr sum_d = t.main("sum_d"), sum_v = t.main("sum_v"), mantissa = t.main("mantissa");
  Expr exponent = t.main("exponent"), power_four = t.main("power_four"), low = t.main("low");
  Expr remainder = t.main("remainder"), root = t.main("root");
  Expr shift = t.main("shift"), power = t.main("power");
  int64_t first = 0;
  for (const Norm& n : plan.norms) {
    const ir::Op& op = *n.origin.op;
    const ir::Value* result = op.result();
    int64_t blocks = n.width / plan.lanes.features;
    bool has_mean = op.boolAttr("has_mean");
    t.fillConstant(on, first, n.rows, 1);
    if (has_mean) t.fillConstant(centered, first, n.rows, 1);
    t.fillConstant(width, first, n.rows, n.width);
    t.fillConstant(epsilon, first, n.rows, op.intAttr("epsilon"));
    t.fillConstant(table, first, n.rows, l.tables.root(op.operand(1)));
    t.fillConstant(limit, first, n.rows, op.intAttr("max_exponent"));
    l.tables.usePowers(op.intAttr("max_exponent"));
    t.fill(address, {first, {{n.rows, 1, 1}}, n.statistics, 0});
    Cells rows{first, {{n.rows, 1, 1}}, 0, 0};
    Cells totals{first, {{n.rows, 1, blocks}}, blocks - 1, 0};
    t.place(sum_d, {result, "deviation_sums"}, totals);
    t.place(sum_v, {result, "square_sums"}, totals);
    t.place(mantissa, {result, "mantissa"}, rows);
    t.place(exponent, {result, "exponent"}, rows);
    t.place(power_four, {result, "exponent_power"}, rows);
    t.place(low, {result, "mantissa_low"}, rows);
    t.place(remainder, {result, "variance_remainder"}, rows);
    t.place(root, {result, "reciprocal"}, rows);
    t.place(shift, {result, "shift"}, rows);
    t.place(power, {result, "shift_power"}, rows);
    t.instance(first, n.rows, n.origin.region, op.location());
    first += n.rows;
  }
  Expr two = t.constant(2), sixteen = t.constant(16);
  Expr slack = sum_d * two + width;
  Expr variance = sum_v + epsilon;
  t.constrain(on * (variance - remainder - mantissa * power_four), "variance");
  t.range("mean low", centered, sixteen, slack);
  t.range("mean high", centered, sixteen, width * two - t.constant(1) - slack);
  t.lookup("power of four", "four", on, {limit, exponent, power_four, low});
  t.range("mantissa", on, sixteen, mantissa - low);
  t.lookup("root", "root", on, {table, mantissa, root, shift - exponent});
  t.range("variance remainder", on, exponent * two, remainder);
  t.lookup("power of two", "two", on, {shift, power});
  statisticsTerm(t, on, address, {sum_d, sum_v, root, shift, power}, -1);
}

}  // namespace lindero::passes
