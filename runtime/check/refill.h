// Fills generated columns after a change as an honest prover would, in the rows that the change
// reaches.
//
// A changed row of a scan alters the rows below it by delta * (product of the multipliers), so only
// rows that are read further are written; a running sum is not written at all, for nothing but its
// claimed sum reads it (rule R6): that is changed by the sum of the changes of its rows.
#ifndef LINDERO_RUNTIME_CHECK_REFILL_H_
#define LINDERO_RUNTIME_CHECK_REFILL_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/check/changed_cells.h"
#include "runtime/check/report.h"

namespace lindero::runtime {

class Refill {
 public:
  // `cells` is as accepted, and must outlive this. An error for a scan whose multiplier reads more
  // than fixed columns.
  static absl::StatusOr<std::unique_ptr<Refill>> create(ChangedCells& cells);

  // Fills the rows of all touched generators but `frozen`, whose column stays. Changes of claimed
  // sums are added to those of their groups; zero denominators, which count as a fraction of zero,
  // to the findings.
  void run(uint32_t frozen, std::vector<QM31>& group_deltas, std::vector<Finding>& findings);

 private:
  // delta at row r becomes delta * prefix[e] / prefix[r] at row e of the same run.
  struct Scan {
    std::vector<QM31> prefix, inverse;  // products of multipliers since the run's first row
    std::vector<uint64_t> run_end;      // exclusive
    std::vector<uint64_t> read_rows;    // rows that something else reads; ascending
  };

  explicit Refill(ChangedCells& cells) : cells_(cells) {}
  absl::Status prepareScans();
  void runScan(uint32_t part);
  void runFractions(uint32_t part, std::vector<QM31>& group_deltas, std::vector<Finding>& findings);
  void runOther(uint32_t part);

  ChangedCells& cells_;
  std::vector<std::unique_ptr<Scan>> scans_;     // by generator
  std::vector<QM31> numerators_, denominators_;  // of the rows of a part
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_REFILL_H_
