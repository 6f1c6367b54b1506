// What the parts of a circuit read, and the fractions that it sums: what the adaptive rules look
// at. Internal to runtime/package.
//
// A part is a node that a generator, a constraint or a lookup names, a single fraction's numerator
// or denominator, or a factor of a denominator. Cones are walked without recursion, and the nodes
// that are visited are counted: shared nodes could make the work quadratic. A circuit that takes
// more than kMaxVisits is refused.
#ifndef LINDERO_RUNTIME_PACKAGE_CIRCUIT_READS_H_
#define LINDERO_RUNTIME_PACKAGE_CIRCUIT_READS_H_

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/package/circuit_info.h"
#include "runtime/package/circuit_points.h"

namespace lindero::runtime {

inline constexpr uint64_t kMaxVisits = uint64_t{1} << 24;

// All ascending.
struct NodeReads {
  std::vector<std::pair<uint32_t, int32_t>> columns;  // of the node's table, with the offset
  std::vector<uint32_t> challenges;
  std::vector<uint32_t> inverted;  // challenges below an INVERSE
  std::vector<uint32_t> claimed_sums;
  bool selector = false;  // IS_FIRST or IS_LAST

  bool readsColumn(uint32_t column) const;
  bool readsOtherRows(uint32_t column) const;  // at an offset that is not 0
  bool readsChallenge(uint32_t challenge) const;
};

class CircuitReads {
 public:
  static absl::StatusOr<CircuitReads> create(const Circuit& circuit);

  // Of a part.
  const NodeReads& of(uint32_t node) const { return reads_.at(node); }
  // In the order of tables and columns.
  const std::vector<SingleFraction>& fractions() const { return fractions_; }
  // The factors of a single fraction's denominator, each once, ascending.
  const std::vector<uint32_t>& factors(uint32_t denominator) const {
    return factors_.at(denominator);
  }

  // An error when the circuit takes more visits than there may be. Pays for them.
  absl::Status visit(uint64_t nodes);
  uint64_t visits() const { return visits_; }
  Cone cone(uint32_t node);

 private:
  explicit CircuitReads(const Circuit& circuit)
      : circuit_(&circuit), step_of_(circuit.nodes_size()), mark_(circuit.nodes_size()) {}
  absl::Status addFractions(ColumnRef column, const Fraction& fraction);
  absl::Status addFactors(uint32_t denominator);
  absl::Status add(uint32_t node);

  const Circuit* circuit_;
  std::unordered_map<uint32_t, NodeReads> reads_;
  std::unordered_map<uint32_t, std::vector<uint32_t>> factors_;
  std::vector<SingleFraction> fractions_;
  uint64_t visits_ = 0;
  // Of the cone at hand.
  std::vector<uint32_t> step_of_;
  std::vector<uint32_t> mark_;
  uint32_t walk_ = 0;
};

// The nodes of a lookup: its multiplicity and its tuple.
std::vector<uint32_t> lookupNodes(const Lookup& lookup);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_CIRCUIT_READS_H_
