// Who reads a column: the reverse of a circuit's expressions, for work that starts from a changed
// cell.
//
// The parts of a circuit that read cells are numbered: generators first, in the order in which they
// are filled, then the constraints that define no generator's column, then lookups. Definitions
// (CircuitInfo) hold on every row that the generator has filled, and nothing else reads a running
// sum (rule R6).
// Cost: linear in the circuit, and in the rows of the tables that gather.
#ifndef LINDERO_RUNTIME_CHECK_READ_INDEX_H_
#define LINDERO_RUNTIME_CHECK_READ_INDEX_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/package/package.h"

namespace lindero::runtime {

struct CircuitPart {
  enum class Kind { kGenerator, kConstraint, kLookup };
  Kind kind;
  uint32_t table;
  uint32_t index;  // of the column, the constraint or the lookup in the table
  // Generator: what it is made of, in the order of its message's fields (fraction: numerator,
  // denominator, and add of a running one). Lookup: multiplicity, then the tuple.
  std::vector<uint32_t> nodes;
};

// On row r + offset of its column, a cell is read by the part's row r.
struct Read {
  uint32_t part;
  int32_t offset;
};

// A row of a gathering column, and the row that it copies.
struct GatheredRow {
  uint64_t source_row;
  uint32_t part;
  uint64_t row;
};

class ReadIndex {
 public:
  // `main` as for a Checker; only fixed cells are read. An error when a constraint that defines no
  // column reads a claimed sum, or a gather's index leaves its sources: circuits that no pass
  // emits. FailedPrecondition when a generated column lacks its definition, as only a package can
  // that was opened without the adaptive rules.
  static absl::StatusOr<ReadIndex> create(const Package& package, absl::Span<const uint32_t> main);

  const std::vector<CircuitPart>& parts() const { return parts_; }
  uint32_t generatorCount() const { return generators_; }
  const std::vector<Read>& readsOf(uint32_t table, uint32_t column) const {
    return reads_[table][column];
  }
  // The constraint that is a generated column's definition; -1: a gather has none.
  int definitionOf(uint32_t table, uint32_t column) const { return definitions_[table][column]; }
  // Rows that gather the cell.
  absl::Span<const GatheredRow> gatheredFrom(uint32_t table, uint32_t column, uint64_t row) const;

 private:
  ReadIndex() = default;
  absl::Status addParts(const Package& package);
  absl::Status addReads(const Package& package);
  absl::Status addGathers(const Package& package, absl::Span<const uint32_t> main);

  std::vector<CircuitPart> parts_;
  uint32_t generators_ = 0;
  std::vector<std::vector<int>> definitions_;                    // by table and column
  std::vector<std::vector<std::vector<Read>>> reads_;            // by table and column
  std::vector<std::vector<std::vector<GatheredRow>>> gathered_;  // by table and column, ascending
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_READ_INDEX_H_
