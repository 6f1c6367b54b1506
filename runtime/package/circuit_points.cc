#include "runtime/package/circuit_points.h"

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "runtime/package/field_path.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

// An operand that is no zero polynomial is zero at a point with probability 2^-11 at most.
constexpr uint32_t kTries = 4;

// One inversion for all points. No value is zero.
PointValues inverses(const PointValues& values) {
  PointValues before;  // products of those before
  M31 product = M31::fromUnsigned(1);
  for (size_t i = 0; i < kPoints; ++i) {
    before[i] = product;
    product *= values[i];
  }
  M31 inverse = product.inverse();
  PointValues result;
  for (size_t i = kPoints; i-- > 0;) {
    result[i] = inverse * before[i];
    inverse *= values[i];
  }
  return result;
}

PointValues apply(Node::Op op, const PointValues& a, const PointValues& b) {
  switch (op) {
    case Node::ADD:
      return a + b;
    case Node::SUB:
      return a - b;
    case Node::MUL:
      return a * b;
    case Node::NEG:
      return -a;
    default:
      return inverses(a);
  }
}

// Of a rational function: total degrees in all variables, not reduced.
struct Degrees {
  uint32_t above = 0, below = 0;
};

Degrees degreesOf(Node::Op op, Degrees a, Degrees b) {
  switch (op) {
    case Node::ADD:
    case Node::SUB:
      return {std::max(a.above + b.below, b.above + a.below), a.below + b.below};
    case Node::MUL:
      return {a.above + b.above, a.below + b.below};
    case Node::NEG:
      return a;
    default:
      return {a.below, a.above};
  }
}

}  // namespace

// Fields that an operation does not use do not count.
CircuitPoints::Variable CircuitPoints::variableOf(const Node& node) {
  if (node.op() == Node::COLUMN) return {node.op(), node.a(), node.b(), node.offset()};
  const bool indexed = node.op() == Node::CHALLENGE || node.op() == Node::CLAIMED_SUM;
  return {node.op(), indexed ? node.a() : 0, 0, 0};
}

std::array<uint32_t, kPoints> PointValues::keyUpToSign() const {
  auto first =
      std::find_if(values_.begin(), values_.end(), [](M31 value) { return !value.isZero(); });
  const bool negate = first != values_.end() && first->centered() < 0;
  std::array<uint32_t, kPoints> key;
  for (size_t i = 0; i < kPoints; ++i) key[i] = (negate ? -values_[i] : values_[i]).value();
  return key;
}

absl::StatusOr<CircuitPoints> CircuitPoints::create(const Circuit& circuit) {
  CircuitPoints points(circuit);
  LINDERO_RETURN_IF_ERROR(points.checkDegrees());
  points.seed_ = sha256(absl::StrCat("lindero points", serializeProto(circuit)));
  LINDERO_RETURN_IF_ERROR(points.evaluateNodes());
  return points;
}

absl::Status CircuitPoints::checkDegrees() const {
  std::vector<Degrees> all;
  all.reserve(circuit_->nodes_size());
  for (int i = 0; i < circuit_->nodes_size(); ++i) {
    const Node& node = circuit_->nodes(i);
    if (node.op() < Node::ADD) {
      all.push_back({node.op() == Node::CONSTANT ? 0u : 1u, 0});
      continue;
    }
    const bool binary = node.op() < Node::NEG;
    const Degrees of = degreesOf(node.op(), all[node.a()], binary ? all[node.b()] : Degrees());
    if (of.above + of.below > kMaxTotalDegree) {
      return FieldPath("circuit.pb")
          .at("nodes", i)
          .error(FormatRule::kTotalDegree, "its degree in all variables is more than ",
                 kMaxTotalDegree);
    }
    all.push_back(of);
  }
  return absl::OkStatus();
}

PointValues CircuitPoints::draw(const Variable& variable) const {
  auto [op, a, b, offset] = variable;
  const std::array<uint32_t, 4> words = {static_cast<uint32_t>(op), a, b,
                                         static_cast<uint32_t>(offset)};
  PointValues result;
  for (size_t first = 0; first < kPoints;) {
    // A hash serves neighbours that were taken anew equally often.
    std::array<char, sizeof(seed_) + sizeof(words) + 2 * sizeof(uint32_t)> bytes;
    const std::array<uint32_t, 2> place = {static_cast<uint32_t>(first), tries_[first]};
    std::memcpy(bytes.data(), seed_.data(), sizeof(seed_));
    std::memcpy(bytes.data() + sizeof(seed_), words.data(), sizeof(words));
    std::memcpy(bytes.data() + sizeof(seed_) + sizeof(words), place.data(), sizeof(place));
    const Digest hash = sha256(absl::string_view(bytes.data(), bytes.size()));
    size_t i = first;
    for (; i < kPoints && i - first < 4 && tries_[i] == tries_[first]; ++i) {
      uint64_t word;
      std::memcpy(&word, hash.data() + 8 * (i - first), sizeof(word));
      result[i] = M31::fromUnsigned(word);
    }
    first = i;
  }
  return result;
}

absl::Status CircuitPoints::evaluateNodes() {
  values_.resize(circuit_->nodes_size());
  for (uint32_t round = 0; round < kTries; ++round) {
    std::map<Variable, PointValues> drawn;
    std::array<bool, kPoints> failed{};
    int zero = -1;
    for (int i = 0; i < circuit_->nodes_size(); ++i) {
      const Node& node = circuit_->nodes(i);
      if (node.op() == Node::CONSTANT) {
        values_[i] = PointValues::all(M31::fromCanonical(node.a()));
      } else if (node.op() < Node::ADD) {
        const Variable variable = variableOf(node);
        auto [at, fresh] = drawn.try_emplace(variable);
        if (fresh) at->second = draw(variable);
        values_[i] = at->second;
      } else {
        PointValues a = values_[node.a()];
        for (size_t p = 0; node.op() == Node::INVERSE && p < kPoints; ++p) {
          if (!a[p].isZero()) continue;
          failed[p] = true;
          zero = i;
          a[p] = M31::fromUnsigned(1);  // the others stay good
        }
        values_[i] = apply(node.op(), a, node.op() < Node::NEG ? values_[node.b()] : a);
      }
    }
    if (zero < 0) return absl::OkStatus();
    if (round + 1 == kTries) {
      return FieldPath("circuit.pb")
          .at("nodes", zero)
          .error(FormatRule::kZeroInverses, "INVERSE of what is zero");
    }
    for (size_t p = 0; p < kPoints; ++p) tries_[p] += failed[p];
  }
  return absl::OkStatus();
}

PointValues CircuitPoints::column(uint32_t table, uint32_t column, int offset) const {
  return draw({Node::COLUMN, table, column, offset});
}
PointValues CircuitPoints::isFirst() const { return draw({Node::IS_FIRST, 0, 0, 0}); }
PointValues CircuitPoints::claimedSum(uint32_t claimed_sum) const {
  return draw({Node::CLAIMED_SUM, claimed_sum, 0, 0});
}
PointValues CircuitPoints::challenge(uint32_t challenge) const {
  return draw({Node::CHALLENGE, challenge, 0, 0});
}

PointValues CircuitPoints::evaluate(
    const Cone& cone, absl::FunctionRef<const PointValues*(const Node&)> given) const {
  std::vector<PointValues> values(cone.steps.size());
  for (size_t i = 0; i < cone.steps.size(); ++i) {
    const Cone::Step& step = cone.steps[i];
    if (step.op >= Node::ADD && step.op != Node::INVERSE) {
      values[i] = apply(step.op, values[step.a], values[step.b]);
      continue;
    }
    const PointValues* other =
        step.op == Node::INVERSE ? nullptr : given(circuit_->nodes(static_cast<int>(step.node)));
    values[i] = other != nullptr ? *other : values_[step.node];
  }
  return values.back();
}

}  // namespace lindero::runtime
