// The native checker: draws test challenges, fills every phase, and checks every constraint on
// every row, every bus and every sum group, without any prover.
//
// It is the debugging tool, the oracle for backends and the ground of the soundness experiments: a
// trace that it accepts under random challenges is accepted by a sound verifier. Parallel over
// blocks of rows; the report does not depend on the number of threads. Memory: 16 bytes per
// extension cell beside the mapped files.
#ifndef LINDERO_RUNTIME_CHECK_CHECKER_H_
#define LINDERO_RUNTIME_CHECK_CHECKER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/check/buses.h"
#include "runtime/check/constraints.h"
#include "runtime/check/fill.h"
#include "runtime/check/report.h"
#include "runtime/package/bundle_package.h"
#include "runtime/package/mapped_file.h"
#include "runtime/package/package.h"
#include "runtime/package/statement.pb.h"
#include "runtime/parallel/thread_pool.h"

namespace lindero::runtime {

struct CheckOptions {
  uint64_t seed = 1;
  // Instead of drawn ones; indexed as in the circuit.
  std::vector<QM31> challenges;
  int threads = 0;           // 0: as many as the machine has
  size_t max_failures = 10;  // described in the report
  size_t max_examples = 3;   // rows per failure
  // Asked by checkTraces before each block; true ends it with kCancelled.
  std::function<bool()> cancelled;
};

// One circuit and one statement, compiled for many checks: a caller may change cells between them.
//
//     LINDERO_ASSIGN_OR_RETURN(auto checker, Checker::create(package, statement, main, options));
//     checker->check() …                 // everything
//     main[cell] = …; checker->fill();   // challenge phases as an honest prover fills them
//     checker->checkConstraints({{table, row - 1, 3}}) …
class Checker {
 public:
  // `main` holds the columns of phase 1 in the layout of trace.bin. Package and cells must outlive
  // the checker. Errors: a statement that does not fit the circuit, cells that are no residues.
  static absl::StatusOr<std::unique_ptr<Checker>> create(const Package& package,
                                                         const Statement& statement,
                                                         absl::Span<const uint32_t> main,
                                                         const CheckOptions& options = {});

  // Fills phases 2 and 3 and reads the claimed sums; but for some cells, as an honest prover does.
  absl::Status fill(absl::Span<const FreeCell> forged = {});
  // After `fill`.
  absl::StatusOr<CheckReport> checkAll() const;
  std::vector<Failure> checkConstraints(absl::Span<const RowRange> ranges) const;
  std::vector<Failure> checkBuses() const;
  absl::StatusOr<std::vector<Failure>> checkClaimedSums() const;

  // Both: fill, then checkAll.
  absl::StatusOr<CheckReport> check();

  const Columns& columns() const { return columns_; }
  // For experiments that forge cells of challenge phases: `allocate` gives access to a filled
  // column.
  Columns& mutableColumns() { return columns_; }
  absl::Span<const QM31> challenges() const { return challenges_; }
  absl::Span<const QM31> claimedSums() const { return claimed_sums_; }

 private:
  Checker(const Package& package, const Statement& statement, absl::Span<const uint32_t> main,
          const CheckOptions& options);

  const Package& package_;
  Statement statement_;
  CheckOptions options_;
  mutable ThreadPool pool_;
  Columns columns_;
  Filler filler_;
  ConstraintChecker constraints_;
  BusChecker buses_;
  std::vector<QM31> challenges_;
  std::vector<QM31> claimed_sums_;
  std::unique_ptr<Scalars> scalars_;
  std::vector<ZeroDenominator> zeros_;
};

// Checks trace files, whose cells need not be trusted, one for each block that the statement is of:
// each by itself, under one set of challenges, and that each takes what the one before leaves.
absl::StatusOr<CheckReport> checkTraces(const Package& package, const Statement& statement,
                                        const std::vector<std::string>& trace_paths,
                                        const CheckOptions& options = {});

// The same of a bundle of several members: a trace for each step and member, those of a step in the
// order of the members. Challenges of phase 1 are shared by name.
absl::StatusOr<CheckReport> checkTraces(const BundlePackage& package, const Statement& statement,
                                        const std::vector<std::string>& trace_paths,
                                        const CheckOptions& options = {});

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_CHECKER_H_
