// Evaluates constraints on rows.
#ifndef LINDERO_RUNTIME_CHECK_CONSTRAINTS_H_
#define LINDERO_RUNTIME_CHECK_CONSTRAINTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/check/report.h"
#include "runtime/eval/columns.h"
#include "runtime/eval/row_program.h"
#include "runtime/eval/scalars.h"
#include "runtime/parallel/thread_pool.h"

namespace lindero::runtime {

// Rows [first_row, first_row + rows) of a table.
struct RowRange {
  uint32_t table = 0;
  uint64_t first_row = 0;
  uint64_t rows = 0;
};

class ConstraintChecker {
 public:
  ConstraintChecker(const Circuit& circuit, const CircuitInfo& info);

  // Every constraint on every row of every table. Failures by table, then constraint; each with its
  // first `examples` rows.
  std::vector<Failure> checkAll(const Columns& columns, const Scalars& scalars, ThreadPool& pool,
                                size_t examples) const;

  // On some rows only: for callers that know which cells changed. Constraints on row r read the
  // rows from r - 1 to r + 1, cyclically.
  std::vector<Failure> check(absl::Span<const RowRange> ranges, const Columns& columns,
                             const Scalars& scalars, ThreadPool& pool, size_t examples) const;

 private:
  struct Hits;

  Failure describe(uint32_t table, uint32_t constraint, const Hits& hits,
                   const Columns& columns) const;

  const Circuit& circuit_;
  std::vector<std::unique_ptr<RowProgram>> programs_;  // per table; null without constraints
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_CONSTRAINTS_H_
