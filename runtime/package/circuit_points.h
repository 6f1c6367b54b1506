// A circuit's nodes at random points of the base field, for tests of polynomial identities: two
// nodes that are equal at all points are the same polynomial.
//
// Columns at an offset, IS_FIRST, IS_LAST, challenges and claimed sums are independent variables. A
// node has degree kMaxTotalDegree at most, so a false identity passes at one point with probability
// 2^-11 at most, at kDraw of them with 2^-176. (Without a bound it might always: c^p - c is zero at
// all points, but not where challenges lie, in the extension.) There are twice as many, so that
// what two draws give can be compared. The points are derived from the circuit's digest: nobody can
// make a circuit for a known one.
// Cost: 128 bytes per node.
#ifndef LINDERO_RUNTIME_PACKAGE_CIRCUIT_POINTS_H_
#define LINDERO_RUNTIME_PACKAGE_CIRCUIT_POINTS_H_

#include <array>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "runtime/field/m31.h"
#include "runtime/package/circuit_info.h"
#include "runtime/package/digest.h"

namespace lindero::runtime {

inline constexpr size_t kDraw = 16;
inline constexpr size_t kPoints = 2 * kDraw;

// Of one polynomial, at all points.
class PointValues {
 public:
  constexpr PointValues() = default;
  static PointValues all(M31 v) {
    PointValues result;
    result.values_.fill(v);
    return result;
  }

  M31& operator[](size_t i) { return values_[i]; }
  M31 operator[](size_t i) const { return values_[i]; }

  friend bool operator==(const PointValues&, const PointValues&) = default;
  friend PointValues operator+(PointValues a, const PointValues& b) {
    for (size_t i = 0; i < kPoints; ++i) a[i] += b[i];
    return a;
  }
  friend PointValues operator-(PointValues a, const PointValues& b) {
    for (size_t i = 0; i < kPoints; ++i) a[i] -= b[i];
    return a;
  }
  friend PointValues operator*(PointValues a, const PointValues& b) {
    for (size_t i = 0; i < kPoints; ++i) a[i] *= b[i];
    return a;
  }
  PointValues operator-() const { return PointValues() - *this; }
  bool isZero() const { return *this == PointValues(); }
  bool isUpToSign(const PointValues& other) const { return *this == other || *this == -other; }
  // The same for a polynomial and its negative; for maps.
  std::array<uint32_t, kPoints> keyUpToSign() const;

 private:
  std::array<M31, kPoints> values_{};
};

// The nodes that a node is made of.
struct Cone {
  struct Step {
    Node::Op op;
    uint32_t node;
    uint32_t a, b;  // of operations: indices of steps
  };
  // In topological order; the last one is the node itself.
  std::vector<Step> steps;
};

class CircuitPoints {
 public:
  // Requires checked nodes and generators. An error when the total degree of a node is above
  // kMaxTotalDegree, or the operand of an INVERSE is zero wherever it is tried.
  static absl::StatusOr<CircuitPoints> create(const Circuit& circuit);

  const PointValues& at(uint32_t node) const { return values_[node]; }
  PointValues column(uint32_t table, uint32_t column, int offset) const;
  PointValues isFirst() const;
  PointValues claimedSum(uint32_t claimed_sum) const;
  PointValues challenge(uint32_t challenge) const;

  // The value of a cone with other values of some columns, challenges, claimed sums or selectors:
  // `given` returns null for nodes that keep theirs. Nothing given stands below an INVERSE.
  PointValues evaluate(const Cone& cone,
                       absl::FunctionRef<const PointValues*(const Node&)> given) const;

 private:
  using Variable = std::tuple<int, uint32_t, uint32_t, int32_t>;  // op, a, b, offset

  explicit CircuitPoints(const Circuit& circuit) : circuit_(&circuit) {}
  static Variable variableOf(const Node& node);
  absl::Status checkDegrees() const;
  absl::Status evaluateNodes();
  PointValues draw(const Variable& variable) const;

  const Circuit* circuit_;
  Digest seed_{};
  std::array<uint32_t, kPoints> tries_{};  // how often a point was taken anew
  std::vector<PointValues> values_;        // by node
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_CIRCUIT_POINTS_H_
