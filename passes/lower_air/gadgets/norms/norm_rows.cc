#include "passes/lower_air/gadgets/norms/norm_rows.h"

namespace lindero::passes {

void NormTable::plan(Wiring& wiring, const Origin& origin) {
  const auto [rows, width] = matrixOf(origin.op->result()->type());
  Norm& n = norms.emplace_back(Norm{origin, rows, width, wiring.along(width)});
  wiring.gives(origin.op->result(), Major::kRow, n.lanes, &n.out);
}

absl::Status NormTable::connect(Wiring& wiring) {
  for (Norm& n : norms) n.statistics = wiring.scalars(n.rows);
  for (Norm& n : norms) {
    const ir::Value* x = n.origin.op->operand(0);
    absl::StatusOr<CopyId> in = wiring.copy(n.origin, x, Major::kRow, n.lanes);
    if (!in.ok()) return in.status();
    n.in = *in;
    wiring.passesOn(x, n.lanes, &n.forward);
  }
  return absl::OkStatus();
}

void statisticsTerm(TableBuilder& t, Expr on, Expr address, const Lanes& values, int sign) {
  CircuitBuilder& c = t.circuit();
  Expr sum = on * t.dot(values, c.reciprocals(c.columnPoint(), values.size()));
  t.term("statistics", sign > 0 ? sum : t.zero() - sum, t.outside(c.addressPoint()) - address,
         TableBuilder::Kind::kContinuity);
}

void NormColumns::fill(const Norm& n, const Placed& placed, int64_t square) {
  const ir::Op& op = *n.origin.op;
  const int64_t tiles = n.width / lanes_, first = placed.first_row, rows = placed.rows;
  t_.fillConstant(on_, first, rows, 1);
  if (tiles > 1) t_.fill(within_, {first + 1, {{n.rows, tiles, 0}, {tiles - 1, 1, 0}}, 1, 0});
  t_.fill(last_, {first + tiles - 1, {{n.rows, tiles, 0}}, 1, 0});
  t_.fill(statistics_,
          {first + tiles - 1, {{n.rows, tiles, 1}}, l_.layout.address(n.statistics), 0});
  if (!op.boolAttr("has_mean")) {
    if (!uncentered_) uncentered_ = t_.fixed("uncentered");
    t_.fillConstant(*uncentered_, first, rows, 1);
  }
  const int64_t bits = op.intAttr("output_bits");
  t_.fillConstant(square_, first, rows, square);
  t_.fillConstant(tag_, first, rows, bits);
  t_.fillConstant(offset_, first, rows, int64_t{1} << (bits - 1));
  l_.tables.useRange(bits);
  fillRowMajor(t_, in_, first, n.rows, l_.layout.edges(n.in), End::kTakes);
  fillRowMajor(t_, forward_, first, n.rows, l_.layout.edges(n.forward), End::kGives);
  fillRowMajor(t_, out_, first, n.rows, l_.layout.edges(n.out), End::kGives);
}

void NormColumns::addSum(Expr sum, Expr added, const char* name) {
  t_.constrain(sum - within_ * t_.previous(sum) - added, name, TableBuilder::Kind::kContinuity);
}

void NormColumns::addScalar(Expr scalar, const char* name) {
  t_.constrain(within_ * (scalar - t_.previous(scalar)), name, TableBuilder::Kind::kContinuity);
}

void NormColumns::addCopies(const Lanes& x, const Lanes& z) {
  rowMajorTerms(t_, "in", in_, x, -1);
  rowMajorTerms(t_, "forward", forward_, x, 1);
  rowMajorTerms(t_, "out", out_, z, 1);
}

NormColumns::Places NormColumns::placesOf(const Norm& n, int64_t first_row) const {
  const int64_t tiles = n.width / lanes_;
  return {{first_row, {{n.rows, tiles, n.width}, {tiles, 1, lanes_}}, 0, 1},
          {first_row, {{n.rows, tiles, 1}, {tiles, 1, 0}}, 0, 0},
          {first_row, {{n.rows * tiles, 1, 1}}, 0, 0}};
}

}  // namespace lindero::passes
