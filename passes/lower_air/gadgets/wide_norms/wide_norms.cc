#include "passes/lower_air/gadgets/wide_norms/wide_norms.h"

#include <optional>

#include "ir/core/field.h"
#include "passes/lower_air/gadgets/norms/norm_rows.h"

namespace lindero::passes {
namespace {

// Added to sum u, it is in 16 bits for any row of at most 2^15 elements: README.md.
constexpr int64_t kLeastSum = 3 << 14;

// Whether 2 sum d + n might wrap around the modulus, by what u and the remainders may be.
bool sumCouldWrap(const Norm& n) {
  const int64_t limit = n.origin.op->intAttr("row_shift");
  return n.origin.op->boolAttr("has_mean") &&
         (2 * n.width * ((int64_t{1} << 15) + 1) << limit) + n.width >= ir::kFieldModulus;
}

class WideNormsBuilder : public NormColumns {
 public:
  using NormColumns::NormColumns;

  void add(const Norm& n, const Placed& placed) {
    const ir::Op& op = *n.origin.op;
    fill(n, placed, l_.tables.rowSquare(op.intAttr("square_shift")));
    place(n, placed.first_row);
    t_.instance(placed.first_row, placed.rows, n.origin.region, op.location());
  }

  void constrain() {
    addSum(sum_u_, t_.sum(u_), "sum of shifted");
    addSum(sum_q_, t_.sum(q_), "sum of remainders");
    addSum(sum_v_, t_.sum(v_), "sum of squares");
    addSum(count_, t_.sum(c_), "large elements");
    if (uncentered_) t_.constrain(*uncentered_ * mean_, "no mean");
    addScalar(mean_, "one mean per token");
    addScalar(row_shift_, "one row shift per token");
    addScalar(row_power_, "one row power per token");
    addScalar(coarse_, "one offset per token");
    addScalar(root_, "one root per token");
    addScalar(shift_, "one shift per token");
    addScalar(power_, "one power per token");
    Expr half = power_ * t_.constant(int64_t{1} << 30), two = t_.constant(2);  // 2^(t-1)
    for (int64_t i = 0; i < lanes_; ++i) {
      std::string lane = "." + std::to_string(i);
      t_.constrain(on_ * (x_[i] - mean_ - u_[i] * row_power_ - q_[i]), "shift" + lane);
      t_.range("shifted out" + lane, on_, row_shift_, q_[i]);
      t_.lookup("square" + lane, "row_square", on_, {square_, u_[i], v_[i], c_[i]});
      t_.constrain(on_ * ((u_[i] * two + coarse_) * root_ - z_[i] * power_ - r_[i] + half),
                   "normalize" + lane);
      t_.range("output" + lane, on_, tag_, z_[i] + offset_);
      t_.range("remainder" + lane, on_, shift_, r_[i]);
    }
    statisticsTerm(
        t_, last_, statistics_,
        {sum_u_, sum_q_, sum_v_, count_, row_shift_, row_power_, coarse_, root_, shift_, power_},
        1);
    addCopies(x_, z_);
  }

 private:
  void place(const Norm& n, int64_t first) {
    const auto [elements, rows, row_tiles] = placesOf(n, first);
    const ir::Value* result = n.origin.op->result();
    t_.place(x_, {n.origin.op->operand(0), ""}, elements);
    t_.place(z_, {result, ""}, elements);
    const std::pair<const Lanes*, const char*> of_elements[] = {{&u_, "shifted"},
                                                                {&q_, "shifted_out"},
                                                                {&v_, "square"},
                                                                {&c_, "large"},
                                                                {&r_, "remainder"}};
    for (const auto& [lanes, name] : of_elements) t_.place(*lanes, {result, name}, elements);
    const std::pair<Expr, const char*> of_rows[] = {
        {mean_, "mean"},        {row_shift_, "row_shift"}, {row_power_, "row_power"},
        {coarse_, "coarse"},    {root_, "reciprocal"},     {shift_, "shift"},
        {power_, "shift_power"}};
    for (const auto& [column, name] : of_rows) t_.place(column, {result, name}, rows);
    const std::pair<Expr, const char*> of_tiles[] = {{sum_u_, "shifted_sums"},
                                                     {sum_q_, "shifted_out_sums"},
                                                     {sum_v_, "square_sums"},
                                                     {count_, "large_counts"}};
    for (const auto& [column, name] : of_tiles) t_.place(column, {result, name}, row_tiles);
  }

  Lanes x_ = t_.mainLanes("x", lanes_), u_ = t_.mainLanes("u", lanes_),
        q_ = t_.mainLanes("q", lanes_), v_ = t_.mainLanes("v", lanes_),
        c_ = t_.mainLanes("c", lanes_), z_ = t_.mainLanes("z", lanes_),
        r_ = t_.mainLanes("r", lanes_);
  Expr mean_ = t_.main("mean"), row_shift_ = t_.main("row_shift"),
       row_power_ = t_.main("row_power"), coarse_ = t_.main("coarse");
  Expr root_ = t_.main("root"), shift_ = t_.main("shift"), power_ = t_.main("power");
  Expr sum_u_ = t_.main("sum_u"), sum_q_ = t_.main("sum_q"), sum_v_ = t_.main("sum_v"),
       count_ = t_.main("count");
};

class WideNormsTable : public NormTable {
 public:
  WideNormsTable() : NormTable("wide_norms") {}
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override {
    WideNormsBuilder builder(l, t, lanesOf(l, items));
    for (const Placed& placed : items) builder.add(norms[placed.item], placed);
    builder.constrain();
  }
};

class WideStatisticsBuilder {
 public:
  WideStatisticsBuilder(AirLowering& l, TableBuilder& t) : l_(l), t_(t) {
    for (int tag = 0; tag <= 16; ++tag) l_.tables.useRange(tag);
  }

  void add(const Norm& n, int64_t first, int64_t tiles) {
    const ir::Op& op = *n.origin.op;
    t_.fillConstant(on_, first, n.rows, 1);
    if (op.boolAttr("has_mean")) t_.fillConstant(centered_, first, n.rows, 1);
    if (sumCouldWrap(n)) {
      if (!long_) long_ = t_.fixed("long");
      t_.fillConstant(*long_, first, n.rows, 1);
    }
    t_.fillConstant(width_, first, n.rows, n.width);
    t_.fillConstant(shifts_, first, n.rows,
                    l_.tables.rowShift(op.intAttr("row_shift"), op.intAttr("epsilon")));
    t_.fillConstant(table_, first, n.rows, l_.tables.root(op.operand(1)));
    t_.fillConstant(limit_, first, n.rows, op.intAttr("max_exponent"));
    l_.tables.usePowers(op.intAttr("max_exponent"));
    t_.fill(address_, {first, {{n.rows, 1, 1}}, l_.layout.address(n.statistics), 0});
    const Cells rows{first, {{n.rows, 1, 1}}, 0, 0},
        totals{first, {{n.rows, 1, tiles}}, tiles - 1, 0};
    const std::pair<Expr, const char*> of_tiles[] = {{sum_u_, "shifted_sums"},
                                                     {sum_q_, "shifted_out_sums"},
                                                     {sum_v_, "square_sums"},
                                                     {count_, "large_counts"}};
    for (const auto& [column, name] : of_tiles) t_.place(column, {op.result(), name}, totals);
    const std::pair<Expr, const char*> of_rows[] = {{row_shift_, "row_shift"},
                                                    {row_power_, "row_power"},
                                                    {coarse_, "coarse"},
                                                    {epsilon_, "row_epsilon"},
                                                    {mantissa_, "mantissa"},
                                                    {exponent_, "exponent"},
                                                    {power_four_, "exponent_power"},
                                                    {low_, "mantissa_low"},
                                                    {remainder_, "variance_remainder"},
                                                    {root_, "reciprocal"},
                                                    {shift_, "shift"},
                                                    {power_, "shift_power"}};
    for (const auto& [column, name] : of_rows) t_.place(column, {op.result(), name}, rows);
    t_.instance(first, n.rows, n.origin.region, op.location());
  }

  void constrain() {
    Expr two = t_.constant(2), sixteen = t_.constant(16);
    // 2 sum d + n
    Expr slack = (sum_u_ * row_power_ + sum_q_) * two + width_;
    t_.range("mean low", centered_, sixteen, slack);
    t_.range("mean high", centered_, sixteen, width_ * two - t_.constant(1) - slack);
    if (long_) t_.range("sum of shifted", *long_, sixteen, sum_u_ + t_.constant(kLeastSum));
    t_.lookup("row shift", "row_shift", on_, {shifts_, row_shift_, row_power_, coarse_, epsilon_});
    t_.range("a large element", on_, sixteen, count_ - coarse_);
    t_.constrain(on_ * (sum_v_ + epsilon_ - remainder_ - mantissa_ * power_four_), "variance");
    t_.lookup("power of four", "four", on_, {limit_, exponent_, power_four_, low_});
    t_.range("mantissa", on_, sixteen, mantissa_ - low_);
    t_.lookup("root", "root", on_, {table_, mantissa_, root_, shift_ - exponent_});
    t_.range("variance remainder", on_, exponent_ * two, remainder_);
    t_.lookup("power of two", "two", on_, {shift_, power_});
    statisticsTerm(
        t_, on_, address_,
        {sum_u_, sum_q_, sum_v_, count_, row_shift_, row_power_, coarse_, root_, shift_, power_},
        -1);
  }

 private:
  AirLowering& l_;
  TableBuilder& t_;
  Expr on_ = t_.fixed("on"), width_ = t_.fixed("width"), shifts_ = t_.fixed("shifts");
  Expr table_ = t_.fixed("table"), address_ = t_.fixed("address"), centered_ = t_.fixed("centered");
  Expr limit_ = t_.fixed("exponent_limit");
  std::optional<Expr> long_;  // rows whose sum could wrap
  Expr sum_u_ = t_.main("sum_u"), sum_q_ = t_.main("sum_q"), sum_v_ = t_.main("sum_v"),
       count_ = t_.main("count");
  Expr row_shift_ = t_.main("row_shift"), row_power_ = t_.main("row_power"),
       coarse_ = t_.main("coarse"), epsilon_ = t_.main("epsilon");
  Expr mantissa_ = t_.main("mantissa"), exponent_ = t_.main("exponent"),
       power_four_ = t_.main("power_four"), low_ = t_.main("low"),
       remainder_ = t_.main("remainder");
  Expr root_ = t_.main("root"), shift_ = t_.main("shift"), power_ = t_.main("power");
};

class WideStatisticsTable : public TableKind {
 public:
  explicit WideStatisticsTable(const WideNormsTable& norms) : norms_(norms) {}
  std::string name() const override { return "wide_norm_statistics"; }
  size_t items() const override { return norms_.norms.size(); }
  LaneId lanes(size_t item) const override { return kOneLane; }
  int64_t rows(size_t item, const Layout& layout) const override { return norms_.norms[item].rows; }
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override {
    WideStatisticsBuilder builder(l, t);
    for (const Placed& placed : items) {
      const Norm& n = norms_.norms[placed.item];
      builder.add(n, placed.first_row, NormTable::tiles(n, l.layout));
    }
    builder.constrain();
  }

 private:
  const WideNormsTable& norms_;
};

class WideNorms : public Gadget {
 public:
  explicit WideNorms(Wiring& wiring) : wiring_(wiring), statistics_(norms_) {}

  llvm::ArrayRef<llvm::StringLiteral> ops() const override {
    static constexpr llvm::StringLiteral kOps[] = {"integer.layernorm"};
    return kOps;
  }
  bool encodes(const ir::Op& op) const override { return op.has("row_shift"); }

  absl::Status plan(const Origin& origin) override {
    norms_.plan(wiring_, origin);
    return absl::OkStatus();
  }
  absl::Status connect() override { return norms_.connect(wiring_); }

  std::vector<const TableKind*> tables() const override { return {&norms_, &statistics_}; }

  void trace(TraceWriter& t, const ir::Op& op) const override {
    const auto [rows, width] = matrixOf(op.result()->type());
    const auto& root = t.tables().place("root", t.tables().root(op.operand(1)));
    const Step step = t.step("wide_layer_norm", {{"x", t.find(op.operand(0))}},
                             {{"rows", rows},
                              {"width", width},
                              {"lanes", t.layout().lanes(norms_.find(op)->lanes)},
                              {"has_mean", op.boolAttr("has_mean")},
                              {"row_shift_limit", op.intAttr("row_shift")},
                              {"square_shift", op.intAttr("square_shift")},
                              {"epsilon", op.intAttr("epsilon")},
                              {"output_bits", op.intAttr("output_bits")},
                              {"max_exponent", op.intAttr("max_exponent")},
                              {"rsqrt_table", ir::Symbol{root.table}},
                              {"rsqrt_column", root.sibling("R")},
                              {"rsqrt_first_row", root.first_row}});
    t.keep(op.result(), "", step["out"]);
    t.keepAll(op.result(), step,
              {"mean",
               "row_shift",
               "row_power",
               "coarse",
               "row_epsilon",
               "reciprocal",
               "shift",
               "shift_power",
               "mantissa",
               "exponent",
               "exponent_power",
               "variance_remainder",
               "shifted",
               "shifted_out",
               "square",
               "large",
               "remainder",
               "shifted_sums",
               "shifted_out_sums",
               "square_sums",
               "large_counts"});
    const auto& four = t.tables().place("four", op.intAttr("max_exponent"));
    t.keep(op.result(), "mantissa_low", t.lookUp(step["exponent"], four, "low", 0));
  }

 private:
  Wiring& wiring_;
  WideNormsTable norms_;
  WideStatisticsTable statistics_;
};

}  // namespace

std::unique_ptr<Gadget> makeWideNorms(Wiring& wiring) {
  return std::make_unique<WideNorms>(wiring);
}

}  // namespace lindero::passes
