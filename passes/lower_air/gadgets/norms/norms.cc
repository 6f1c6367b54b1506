#include "passes/lower_air/gadgets/norms/norms.h"

namespace lindero::passes {
namespace {

class NormsBuilder : public NormColumns {
 public:
  using NormColumns::NormColumns;

  void add(const Norm& n, const Placed& placed) {
    const ir::Op& op = *n.origin.op;
    fill(n, placed, l_.tables.square(op.intAttr("square_shift")));
    place(n, placed.first_row);
    t_.instance(placed.first_row, placed.rows, n.origin.region, op.location());
  }

  void constrain() {
    Lanes d;
    for (int64_t i = 0; i < lanes_; ++i) d.push_back(x_[i] - mean_);
    addSum(sum_d_, on_ * t_.sum(d), "sum of deviations");
    addSum(sum_v_, t_.sum(v_), "sum of squares");
    if (uncentered_) t_.constrain(*uncentered_ * mean_, "no mean");
    addScalar(mean_, "one mean per token");
    addScalar(root_, "one root per token");
    addScalar(shift_, "one shift per token");
    addScalar(power_, "one power per token");
    Expr half = power_ * t_.constant(int64_t{1} << 30);  // 2^(t-1): 1/2 in the field
    for (int64_t i = 0; i < lanes_; ++i) {
      std::string lane = "." + std::to_string(i);
      t_.constrain(on_ * (d[i] * root_ - z_[i] * power_ - r_[i] + half), "normalize" + lane);
      t_.lookup("square" + lane, "function", on_, {square_, d[i], v_[i]});
      t_.range("output" + lane, on_, tag_, z_[i] + offset_);
      t_.range("remainder" + lane, on_, shift_, r_[i]);
    }
    statisticsTerm(t_, last_, statistics_, {sum_d_, sum_v_, root_, shift_, power_}, 1);
    addCopies(x_, z_);
  }

 private:
  void place(const Norm& n, int64_t first) {
    const auto [elements, rows, row_tiles] = placesOf(n, first);
    const ir::Value* result = n.origin.op->result();
    t_.place(x_, {n.origin.op->operand(0), ""}, elements);
    t_.place(v_, {result, "square"}, elements);
    t_.place(z_, {result, ""}, elements);
    t_.place(r_, {result, "remainder"}, elements);
    t_.place(mean_, {result, "mean"}, rows);
    t_.place(root_, {result, "reciprocal"}, rows);
    t_.place(shift_, {result, "shift"}, rows);
    t_.place(power_, {result, "shift_power"}, rows);
    t_.place(sum_d_, {result, "deviation_sums"}, row_tiles);
    t_.place(sum_v_, {result, "square_sums"}, row_tiles);
  }

  Lanes x_ = t_.mainLanes("x", lanes_), v_ = t_.mainLanes("v", lanes_);
  Lanes z_ = t_.mainLanes("z", lanes_), r_ = t_.mainLanes("r", lanes_);
  Expr mean_ = t_.main("mean"), root_ = t_.main("root"), shift_ = t_.main("shift"),
       power_ = t_.main("power");
  Expr sum_d_ = t_.main("sum_d"), sum_v_ = t_.main("sum_v");
};

}  // namespace

void NormsTable::build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const {
  NormsBuilder builder(l, t, lanesOf(l, items));
  for (const Placed& placed : items) builder.add(norms[placed.item], placed);
  builder.constrain();
}

void NormStatisticsTable::build(AirLowering& l, TableBuilder& t,
                                llvm::ArrayRef<Placed> items) const {
  for (int tag = 0; tag <= 16; ++tag) l.tables.useRange(tag);
  Expr on = t.fixed("on"), width = t.fixed("width"), epsilon = t.fixed("epsilon");
  Expr table = t.fixed("table"), address = t.fixed("address"), centered = t.fixed("centered");
  Expr limit = t.fixed("exponent_limit");
  Expr sum_d = t.main("sum_d"), sum_v = t.main("sum_v"), mantissa = t.main("mantissa");
  Expr exponent = t.main("exponent"), power_four = t.main("power_four"), low = t.main("low");
  Expr remainder = t.main("remainder"), root = t.main("root");
  Expr shift = t.main("shift"), power = t.main("power");
  for (const Placed& placed : items) {
    const Norm& n = norms_.norms[placed.item];
    const ir::Op& op = *n.origin.op;
    const ir::Value* result = op.result();
    const int64_t first = placed.first_row, tiles = NormTable::tiles(n, l.layout);
    t.fillConstant(on, first, n.rows, 1);
    if (op.boolAttr("has_mean")) t.fillConstant(centered, first, n.rows, 1);
    t.fillConstant(width, first, n.rows, n.width);
    t.fillConstant(epsilon, first, n.rows, op.intAttr("epsilon"));
    t.fillConstant(table, first, n.rows, l.tables.root(op.operand(1)));
    t.fillConstant(limit, first, n.rows, op.intAttr("max_exponent"));
    l.tables.usePowers(op.intAttr("max_exponent"));
    t.fill(address, {first, {{n.rows, 1, 1}}, l.layout.address(n.statistics), 0});
    Cells rows{first, {{n.rows, 1, 1}}, 0, 0};
    Cells totals{first, {{n.rows, 1, tiles}}, tiles - 1, 0};
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

llvm::ArrayRef<llvm::StringLiteral> Norms::ops() const {
  static constexpr llvm::StringLiteral kOps[] = {"integer.layernorm"};
  return kOps;
}

void Norms::trace(TraceWriter& t, const ir::Op& op) const {
  const auto [rows, width] = matrixOf(op.result()->type());
  const auto& root = t.tables().place("root", t.tables().root(op.operand(1)));
  const Step step = t.step("layer_norm", {{"x", t.find(op.operand(0))}},
                           {{"rows", rows},
                            {"width", width},
                            {"lanes", t.layout().lanes(norms_.find(op)->lanes)},
                            {"has_mean", op.boolAttr("has_mean")},
                            {"square_shift", op.intAttr("square_shift")},
                            {"epsilon", op.intAttr("epsilon")},
                            {"output_bits", op.intAttr("output_bits")},
                            {"max_exponent", op.intAttr("max_exponent")},
                            {"rsqrt_table", ir::Symbol{root.table}},
                            {"rsqrt_column", root.sibling("R")},
                            {"rsqrt_first_row", root.first_row}});
  t.keep(op.result(), "", step["out"]);
  t.keepAll(op.result(), step,
            {"mean", "reciprocal", "shift", "shift_power", "mantissa", "exponent", "exponent_power",
             "variance_remainder", "square", "remainder", "deviation_sums", "square_sums"});
  const auto& four = t.tables().place("four", op.intAttr("max_exponent"));
  t.keep(op.result(), "mantissa_low", t.lookUp(step["exponent"], four, "low", 0));
}

}  // namespace lindero::passes
