#include <algorithm>
#include <unordered_set>
#include <vector>

#include "runtime/package/rule_context.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

constexpr uint32_t kMaxLateDegree = 64;
class Denominators {
 public:
  explicit Denominators(const RuleContext& context) : context_(context) {}

  absl::Status check() {
    for (const SingleFraction& fraction : context_.reads.fractions()) {
      for (uint32_t factor : context_.reads.factors(fraction.denominator)) {
        // Selectors alone mean other things in another table.
        if (!good_.insert(uint64_t{fraction.column.table} << 32 | factor).second) continue;
        LINDERO_RETURN_IF_ERROR(checkFactor(fraction.column, factor));
      }
    }
    return absl::OkStatus();
  }

 private:
  using Late = std::vector<uint32_t>;  // one or two challenges

  absl::Status checkFactor(ColumnRef column, uint32_t factor) {
    const NodeReads& reads = context_.reads.of(factor);
    const FieldPath field = context_.field(column);
    if (reads.challenges.empty() && reads.claimed_sums.empty() &&
        context_.committedPhase(factor) == 0) {
      // Over fixed columns, rows decide.
      if (!reads.columns.empty()) return absl::OkStatus();
      absl::StatusOr<bool> zero = isZeroOnARow(context_.table(column.table), factor);
      if (!zero.ok()) return zero.status();
      return *zero ? field.reject("R1: a factor of its denominator is zero") : absl::OkStatus();
    }
    Late late;
    for (uint32_t challenge : reads.challenges) {
      if (context_.challengePhase(challenge) < context_.committedPhase(factor)) continue;
      if (std::binary_search(reads.inverted.begin(), reads.inverted.end(), challenge)) continue;
      late.push_back(challenge);
    }
    const Cone cone = context_.reads.cone(factor);
    for (size_t size : {1, 2}) {
      for (size_t i = 0; i < late.size(); ++i) {
        for (size_t j = size == 1 ? i : i + 1; j < (size == 1 ? i + 1 : late.size()); ++j) {
          const Late set = size == 1 ? Late{late[i]} : Late{late[i], late[j]};
          absl::StatusOr<bool> constant = hasConstantTop(cone, set);
          if (!constant.ok()) return constant.status();
          if (*constant) return absl::OkStatus();
        }
      }
    }
    return field.reject(
        "R1: a factor of its denominator can be made zero: no challenge that is drawn after all "
        "that it reads has a highest coefficient that is a constant other than zero");
  }

  // Of a factor over selectors and constants.
  absl::StatusOr<bool> isZeroOnARow(const Table& table, uint32_t factor) {
    const Cone cone = context_.reads.cone(factor);
    LINDERO_RETURN_IF_ERROR(context_.reads.visit(3 * cone.steps.size()));
    const uint64_t last = tableHeight(table) - 1;
    // The first, the second, which is another one's like, and the last.
    for (uint64_t row : {uint64_t{0}, std::min<uint64_t>(1, last), last}) {
      const PointValues first = PointValues::all(M31::fromUnsigned(row == 0 ? 1 : 0));
      const PointValues at_end = PointValues::all(M31::fromUnsigned(row == last ? 1 : 0));
      const PointValues value =
          context_.points.evaluate(cone, [&](const Node& node) -> const PointValues* {
            if (node.op() == Node::IS_FIRST) return &first;
            return node.op() == Node::IS_LAST ? &at_end : nullptr;
          });
      if (value.isZero()) return true;
    }
    return false;
  }

  bool isOf(const Late& set, const Node& node) const {
    return node.op() == Node::CHALLENGE && std::find(set.begin(), set.end(), node.a()) != set.end();
  }

  // As the nodes are written, at most kMaxLateDegree + 1.
  uint32_t degree(const Cone& cone, const Late& set) const {
    std::vector<uint32_t> degrees(cone.steps.size(), 0);
    for (size_t i = 0; i < cone.steps.size(); ++i) {
      const Cone::Step& step = cone.steps[i];
      if (step.op < Node::ADD) {
        degrees[i] = isOf(set, context_.circuit.nodes(static_cast<int>(step.node)));
      } else if (step.op != Node::INVERSE) {
        const uint32_t a = degrees[step.a], b = degrees[step.b];
        degrees[i] = std::min(step.op == Node::MUL ? a + b : std::max(a, b), kMaxLateDegree + 1);
      }
    }
    return degrees.back();
  }

  // With r t in place of each challenge of the set, r random: is the highest coefficient of t a
  // constant other than zero, of degree 1 at least? Points p and p + kDraw give r the same value,
  // the other variables different ones.
  absl::StatusOr<bool> hasConstantTop(const Cone& cone, const Late& set) {
    const uint32_t degree = this->degree(cone, set);
    LINDERO_RETURN_IF_ERROR(context_.reads.visit((degree + 2) * (cone.steps.size() + degree)));
    if (degree == 0 || degree > kMaxLateDegree) return false;
    std::vector<PointValues> values;  // at t = 0, 1, …, then their differences
    for (uint32_t t = 0; t <= degree; ++t) {
      PointValues given[2];
      for (size_t i = 0; i < set.size(); ++i) {
        const PointValues r = context_.points.challenge(set[i]);
        for (size_t p = 0; p < kPoints; ++p) given[i][p] = r[p % kDraw] * M31::fromUnsigned(t);
      }
      values.push_back(context_.points.evaluate(cone, [&](const Node& node) -> const PointValues* {
        return isOf(set, node) ? &given[node.a() == set[0] ? 0 : 1] : nullptr;
      }));
    }
    // values[k] becomes the k-th difference at 0. The last one that is not zero is k! times the
    // highest coefficient.
    for (uint32_t k = 1; k <= degree; ++k) {
      for (uint32_t i = degree; i >= k; --i) values[i] = values[i] - values[i - 1];
    }
    uint32_t top = degree;
    while (top > 0 && values[top].isZero()) --top;
    if (top == 0) return false;
    for (size_t p = 0; p < kDraw; ++p) {
      if (values[top][p].isZero() || values[top][p] != values[top][p + kDraw]) return false;
    }
    return true;
  }

  const RuleContext& context_;
  std::unordered_set<uint64_t> good_;  // by table and factor
};

}  // namespace

absl::Status checkDenominators(const RuleContext& context) { return Denominators(context).check(); }

}  // namespace lindero::runtime
