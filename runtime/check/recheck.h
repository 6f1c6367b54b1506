// Checks traces that differ from an accepted one in a few cells, at the cost of those cells.
//
// Only rows that read a changed cell are evaluated again (changed_cells.h). Challenge phases are
// filled as an honest prover would (refill.h), and buses are followed term by term
// (lookup_balance.h). Cost: about 5 microseconds for a cell; memory: all phases, and a field
// element per lookup and row.
//
// The challenges are those that the accepted trace was checked with; a mutation does not know them.
// A wrong trace is accepted with a probability of about 2^-100 per mutation: it has to satisfy an
// identity in random points that were drawn independently of it. (A prover who may choose its trace
// after it has seen the challenges is another matter; so no search may be guided by the verdicts.)
#ifndef LINDERO_RUNTIME_CHECK_RECHECK_H_
#define LINDERO_RUNTIME_CHECK_RECHECK_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/check/changed_cells.h"
#include "runtime/check/checker.h"
#include "runtime/check/lookup_balance.h"
#include "runtime/check/point_program.h"
#include "runtime/check/read_index.h"
#include "runtime/check/refill.h"

namespace lindero::runtime {

// By how much the changed rows of a lookup change the sum of its bus.
struct LookupDelta {
  uint32_t part;  // of ReadIndex
  QM31 delta;
};

// Not for several threads at once.
class Recheck {
 public:
  // An error when the trace is not accepted, or the circuit has what ReadIndex refuses, scans whose
  // multipliers read main columns included.
  static absl::StatusOr<std::unique_ptr<Recheck>> create(const Package& package,
                                                         const Statement& statement,
                                                         absl::Span<const uint32_t> main,
                                                         const CheckOptions& options = {});

  // What a Checker finds after the changes; valid until the next call. Constraints and sum groups
  // (and zero denominators) are what a verifier sees; a bus is found when the tuples that the
  // changed rows look up and provide do not balance. A later change of the same cell counts.
  absl::Span<const Finding> check(absl::Span<const CellChange> changes,
                                  absl::Span<const FreeCell> free = {});
  // The same, claimed for other public values; an error when those are out of their ranges.
  absl::StatusOr<absl::Span<const Finding>> check(absl::Span<const CellChange> changes,
                                                  const Statement& statement,
                                                  absl::Span<const FreeCell> free = {});
  // Whether the definition of a generated cell's column does not hold on the cell's row with this
  // value, all else as it is. Gathered cells have no definition.
  bool breaksDefinition(const FreeCell& cell);
  // Buses are nothing that a verifier sees: checks are faster without them. At first they are
  // checked.
  void setCheckBuses(bool check) { check_buses_ = check; }
  // A generator (a part of ReadIndex) whose column keeps its honest values whatever it reads, or
  // kNoPart, as at first: for circuits that lack the column's definition.
  void setFrozen(uint32_t part) { frozen_ = part; }

  // Of the last check: what the sum groups sum to, what unbalances a bus, and lookups with a part
  // in it.
  absl::Span<const QM31> groupDeltas() const { return group_deltas_; }
  absl::Span<const QM31> busDeltas() const { return bus_deltas_; }
  absl::Span<const LookupDelta> lookupDeltas() const { return lookup_deltas_; }

  // The changes, and those of the multiplicities that make as many of the changed rows' lookups
  // balance as possible: what looked up a row of a provider and does not any more, or does now.
  // Those of the part `except` are not counted.
  std::vector<CellChange> withMultiplicities(absl::Span<const CellChange> changes,
                                             uint32_t except = kNoPart) {
    return balance_->withMultiplicities(changes, except);
  }
  static constexpr uint32_t kNoPart = ~uint32_t{0};
  // Of the last call: parts with a changed row that looks up what nobody provides, ascending.
  absl::Span<const uint32_t> missingLookups() const { return balance_->missing(); }

  // Whether the column holds multiplicities, and both rows provide one tuple: then only their sum
  // is determined.
  bool provideTheSame(uint32_t table, uint32_t column, uint64_t row, uint64_t other) {
    return balance_->provideTheSame(table, column, row, other);
  }

  // The accepted trace.
  absl::Span<const uint32_t> main() const { return main_; }
  const Columns& columns() const { return checker_->columns(); }
  const ReadIndex& index() const { return *index_; }
  // With names, node and region.
  Failure describe(const Finding& finding) const;

 private:
  Recheck(const Package& package, absl::Span<const uint32_t> main);
  absl::Status prepare(const Statement& statement, const CheckOptions& options);
  absl::Status addPublicTerms(const Statement& statement, std::vector<QM31>& sums) const;
  absl::Span<const Finding> checkFrom(const std::vector<QM31>& group_deltas,
                                      absl::Span<const CellChange> changes,
                                      absl::Span<const FreeCell> free);
  // Constraints and lookups with a touched row.
  void runTouched();
  void runConstraint(uint32_t part);
  void runLookup(uint32_t part);

  const Package& package_;
  std::vector<uint32_t> main_;
  std::unique_ptr<Checker> checker_;
  std::unique_ptr<Scalars> scalars_;
  std::unique_ptr<ReadIndex> index_;
  std::unique_ptr<ChangedCells> cells_;
  std::unique_ptr<Refill> refill_;
  std::unique_ptr<LookupBalance> balance_;
  // By table and column; made when they are asked for.
  std::map<std::pair<uint32_t, uint32_t>, PointProgram> definitions_;
  std::vector<QM31> public_terms_;  // of the accepted trace, by group
  bool check_buses_ = true;
  uint32_t frozen_ = kNoPart;

  // Of the change under check.
  std::vector<QM31> group_deltas_, bus_deltas_;
  std::vector<LookupDelta> lookup_deltas_;
  std::vector<Finding> bus_places_, findings_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_RECHECK_H_
