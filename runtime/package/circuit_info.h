// What can be said about a circuit without running it: the kind, degree and phases of every node,
// and in which order the columns of challenge phases are filled.
//
// `analyzeCircuit` is the gate between untrusted bytes and the rest of the runtime: a circuit that
// it accepts has every index in range, nodes in topological order, generators that read only what
// is known before them, and no circular dependency between columns. It obeys the adaptive rules
// (adaptive_rules.h): what a prover commits after a challenge is a function of what it committed
// before. That the constraints say what they should is not judged.
// Cost: linear in the circuit, and in what each of its parts reads.
#ifndef LINDERO_RUNTIME_PACKAGE_CIRCUIT_INFO_H_
#define LINDERO_RUNTIME_PACKAGE_CIRCUIT_INFO_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/package/circuit.pb.h"

namespace lindero::runtime {

// Limits of format 1. A circuit beyond them is refused when it is read.
inline constexpr uint32_t kMaxLogHeight = 28;
inline constexpr int kMaxTables = 4096;
inline constexpr int kMaxPublics = 4096;
inline constexpr int kMaxChallenges = 4096;
inline constexpr int kMaxSumGroups = 4096;
inline constexpr int kMaxColumns = 1 << 16;  // of all tables together
inline constexpr int kMaxNodes = 1 << 23;
inline constexpr uint32_t kMaxDegree = 3;
// Of a node, in all variables; an argmax over n tokens takes 2 n.
inline constexpr uint32_t kMaxTotalDegree = 1 << 20;
inline constexpr uint32_t kMaxFractions = 1024;  // whose sum a column is
// A Lookup offset that says: this provider does not hold the tuple.
inline constexpr int64_t kNotHere = -(int64_t{1} << 40);

struct ColumnRef {
  uint32_t table = 0;
  uint32_t column = 0;
  friend bool operator==(const ColumnRef&, const ColumnRef&) = default;
};

// One of the fractions whose sum a column's generator is.
struct SingleFraction {
  ColumnRef column;
  uint32_t numerator, denominator;
};

struct NodeInfo {
  int32_t table = -1;  // whose columns it reads; -1: of none
  uint8_t degree = 0;  // in columns, IS_FIRST and IS_LAST; stays at 255 beyond
  uint8_t phase = 0;   // the latest phase of a column it reads
  // The latest phase that a challenge in it is drawn after; 0: no challenge.
  uint8_t challenge_phase = 0;
  uint8_t claimed_sum_phase = 0;  // the latest phase of a claimed sum in it; 0: no claimed sum
  // May leave the base field: holds a challenge, a claimed sum or a column of phase 2 or 3.
  bool extension = false;
  bool row_independent = true;  // no column, IS_FIRST or IS_LAST: one value per proof
};

struct CircuitInfo {
  std::vector<NodeInfo> nodes;
  // levels[phase][k]: the columns of this phase that read only columns of earlier phases and of
  // levels < k.
  std::array<std::vector<std::vector<ColumnRef>>, 4> levels;
  // The running fraction column whose last row is the claimed sum.
  std::vector<ColumnRef> claimed_sum_columns;
  // By table and constraint: the generated column that the constraint defines (rule R0), or -1.
  std::vector<std::vector<int32_t>> definitions;
  uint64_t work = 0;  // what the adaptive rules took, in nodes that they looked at
};

// kIgnored: for analyses and tests that have to find what the rules refuse. Nobody proves or
// verifies such a circuit.
enum class AdaptiveRules { kHold, kIgnored };

// Whether links of a bundle may name a sum group of the circuit.
bool exportsGroups(const Circuit& circuit);

// Checks the structure of an untrusted circuit; the error names the field.
absl::StatusOr<CircuitInfo> analyzeCircuit(const Circuit& circuit,
                                           AdaptiveRules rules = AdaptiveRules::kHold);

inline uint64_t tableHeight(const Table& table) { return uint64_t{1} << table.log_height(); }
// How many columns of the table have this phase, and the index of the first one.
int columnsOfPhase(const Table& table, uint32_t phase);
int firstColumnOfPhase(const Table& table, uint32_t phase);

// The nodes that a column's generator reads on each row: value; mul, add; numerator, denominator
// and, if it is running, add; or index. The column has a generator.
std::vector<uint32_t> generatorNodes(const Column& column);

// The instance that owns the row, or null: padding.
const Instance* findInstance(const Table& table, uint64_t row);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_CIRCUIT_INFO_H_
