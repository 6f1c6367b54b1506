#include "passes/lower_air/verify_air/identities.h"

#include <algorithm>
#include <optional>

#include "ir/air/walk.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::passes {
namespace {

using ir::air::addResidues;
using ir::air::inverseResidue;
using ir::air::multiplyResidues;
using ir::air::Point;
using ir::air::subtractResidues;
using ir::air::Variable;

// Points of another value of one variable, or of all but some, beside the point itself.
constexpr int kOther = ir::air::kPoints * ir::air::kAttempts;

bool isUpToSign(uint32_t a, uint32_t b) { return a == b || addResidues(a, b) == 0; }

// The degree in the challenges, counted by the form of the expression; nothing beyond kMaxTopDegree
// or if a challenge stands below an air.inverse.
std::optional<int> degreeIn(const ir::Value* e, const std::vector<const ir::Value*>& challenges) {
  llvm::DenseMap<const ir::Value*, int> degrees;
  auto is_known = [&](const ir::Value* v) { return degrees.count(v) > 0; };
  const bool bounded = ir::air::walkOperandsFirst(e, is_known, [&](const ir::Value* v) {
    int degree = llvm::is_contained(challenges, v) ? 1 : 0;
    if (!ir::air::isLeaf(v)) {
      const ir::Op& op = *v->definingOp();
      for (const ir::Value* operand : op.operands()) {
        const int of = degrees.lookup(operand);
        degree = op.is("air.mul") ? degree + of : std::max(degree, of);
      }
      if (degree > Identities::kMaxTopDegree || (op.is("air.inverse") && degree > 0)) return false;
    }
    degrees[v] = degree;
    return true;
  });
  if (!bounded) return std::nullopt;
  return degrees.lookup(e);
}

}  // namespace

bool Identities::atPoints(llvm::function_ref<std::optional<bool>(int)> test) {
  for (int i = 0; i < ir::air::kPoints; ++i) {
    std::optional<bool> holds;
    for (int attempt = 0; attempt < ir::air::kAttempts && !holds; ++attempt) {
      holds = test(i * ir::air::kAttempts + attempt);
    }
    if (!holds.value_or(false)) return false;
  }
  return true;
}

uint32_t Identities::otherValue(int point, const Variable& v) {
  return source_.value(point + kOther, v);
}

bool Identities::isZero(const ir::Value* e, llvm::ArrayRef<std::pair<Variable, uint32_t>> where) {
  return atPoints([&](int i) -> std::optional<bool> {
    Point p = point(i);
    for (const auto& [variable, value] : where) p = p.with(variable, value);
    const std::optional<uint32_t> value = p.evaluate(e);
    if (!value) return std::nullopt;
    return *value == 0;
  });
}

bool Identities::isOffBy(const ir::Value* e, const ir::Value* y, const ir::Value* s) {
  return atPoints([&](int i) -> std::optional<bool> {
    Point p = point(i);
    const std::optional<uint32_t> value = p.evaluate(e);
    if (!value) return std::nullopt;
    const uint32_t off = subtractResidues(1, p.at(Variable::column(s)));
    return isUpToSign(*value, multiplyResidues(off, p.at(Variable::column(y))));
  });
}

bool Identities::hasCoefficient(const ir::Value* e, const ir::Value* y, const ir::Value* s) {
  return atPoints([&](int i) -> std::optional<bool> {
    Point p = point(i);
    const std::optional<uint32_t> value = p.evaluate(e);
    const std::optional<uint32_t> rest = p.with(Variable::column(y), 0).evaluate(e);
    if (!value || !rest) return std::nullopt;
    const uint32_t times = s ? p.at(Variable::column(s)) : 1;
    return isUpToSign(subtractResidues(*value, *rest),
                      multiplyResidues(times, p.at(Variable::column(y))));
  });
}

bool Identities::hasCoefficientOne(const ir::Value* e, const Variable& v, bool either_sign) {
  return atPoints([&](int i) -> std::optional<bool> {
    Point p = point(i);
    const std::optional<uint32_t> value = p.evaluate(e), rest = p.with(v, 0).evaluate(e);
    if (!value || !rest) return std::nullopt;
    const uint32_t difference = subtractResidues(*value, *rest);
    return either_sign ? isUpToSign(difference, p.at(v)) : difference == p.at(v);
  });
}

bool Identities::isFreeOf(const ir::Value* e, const ir::Value* y, const ir::Value* s) {
  const Variable of = Variable::column(y);
  return atPoints([&](int i) -> std::optional<bool> {
    Point p = point(i).with(Variable::column(s), 0);
    const std::optional<uint32_t> value = p.evaluate(e);
    const std::optional<uint32_t> other = p.with(of, otherValue(i, of)).evaluate(e);
    if (!value || !other) return std::nullopt;
    return *value == *other;
  });
}

// Newton's divided differences at t = 0, 1, ..: the last one that is not zero is the coefficient of
// the highest power.
std::optional<Identities::Top> Identities::top(const ir::Value* e,
                                               const std::vector<const ir::Value*>& challenges,
                                               int degree, int directions, int number) {
  std::vector<uint32_t> values;
  for (int t = 0; t <= degree; ++t) {
    Point p = point(number);
    for (const ir::Value* c : challenges) {
      const Variable v = Variable::challenge(c);
      p = p.with(v, multiplyResidues(source_.value(directions, v), t));
    }
    const std::optional<uint32_t> value = p.evaluate(e);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  for (int k = 1; k <= degree; ++k) {
    for (int t = degree; t >= k; --t) {
      values[t] = multiplyResidues(subtractResidues(values[t], values[t - 1]), inverseResidue(k));
    }
  }
  while (degree > 0 && values[degree] == 0) --degree;
  return Top{degree, values[degree]};
}

bool Identities::hasConstantTop(const ir::Value* e,
                                const std::vector<const ir::Value*>& challenges) {
  const std::optional<int> most = degreeIn(e, challenges);
  if (!most || *most == 0) return false;
  std::optional<int> degree;
  return atPoints([&](int i) -> std::optional<bool> {
    const std::optional<Top> here = top(e, challenges, *most, i, i);
    const std::optional<Top> there = top(e, challenges, *most, i, i + kOther);
    if (!here || !there) return std::nullopt;
    if (!degree) degree = here->degree;
    return here->degree >= 1 && here->degree == *degree && *here == *there;
  });
}

}  // namespace lindero::passes
