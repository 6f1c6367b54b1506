#include "runtime/tamper/adaptive/fractions.h"

#include <algorithm>

#include "runtime/package/circuit_access.h"

namespace lindero::runtime {
namespace {

void split(const Circuit& circuit, SingleFraction fraction, std::vector<SingleFraction>& out) {
  const Node& d = circuit.nodes(static_cast<int>(fraction.denominator));
  const Node& n = circuit.nodes(static_cast<int>(fraction.numerator));
  if (d.op() == Node::MUL && n.op() == Node::ADD) {
    const Node& left = circuit.nodes(static_cast<int>(n.a()));
    const Node& right = circuit.nodes(static_cast<int>(n.b()));
    if (left.op() == Node::MUL && right.op() == Node::MUL && left.b() == d.b() &&
        right.b() == d.a()) {
      split(circuit, {fraction.column, left.a(), d.a()}, out);
      split(circuit, {fraction.column, right.a(), d.b()}, out);
      return;
    }
  }
  out.push_back(fraction);
}

}  // namespace

std::vector<SingleFraction> singleFractions(const Circuit& circuit, ColumnRef column) {
  std::vector<SingleFraction> result;
  const Fraction& f = columnOf(circuit, column.table, column.column).fraction();
  split(circuit, {column, f.numerator(), f.denominator()}, result);
  return result;
}

std::vector<uint32_t> factorsOf(const Circuit& circuit, uint32_t node) {
  std::vector<uint32_t> open{node}, result;
  while (!open.empty()) {
    const uint32_t index = open.back();
    open.pop_back();
    const Node& n = circuit.nodes(static_cast<int>(index));
    if (n.op() == Node::MUL) open.push_back(n.b());
    if (n.op() == Node::MUL || n.op() == Node::NEG) {
      open.push_back(n.a());
    } else {
      result.push_back(index);
    }
  }
  return result;
}

std::optional<uint32_t> groupOf(Derivatives& derivatives, uint32_t table, uint32_t column) {
  const Table& t = tableOf(derivatives.circuit(), table);
  auto claimed = [&](const Column& c) {
    return derivatives.circuit().claimed_sums(static_cast<int>(c.fraction().claimed_sum())).group();
  };
  const Column& own = t.columns(static_cast<int>(column));
  if (own.fraction().running()) return claimed(own);
  const Leaf leaf{Leaf::Kind::kColumn, column, 0};
  std::optional<uint32_t> group;
  for (const Column& sum : t.columns()) {
    if (!sum.has_fraction() || !sum.fraction().running()) continue;
    const auto of = derivatives.of(sum.fraction().add(), [&](const Leaf& l) { return l == leaf; });
    if (of.empty()) continue;
    if (group || !derivatives.isConstant(of.begin()->second, 1)) return std::nullopt;
    group = claimed(sum);
  }
  return group;
}

}  // namespace lindero::runtime
