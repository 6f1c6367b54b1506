// Filled traces that the adaptive analysis evaluates expressions on.
#ifndef LINDERO_RUNTIME_TAMPER_ADAPTIVE_WITNESS_H_
#define LINDERO_RUNTIME_TAMPER_ADAPTIVE_WITNESS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/check/checker.h"
#include "runtime/eval/columns.h"
#include "runtime/eval/row_program.h"
#include "runtime/package/package.h"
#include "runtime/parallel/thread_pool.h"

namespace lindero::runtime {

// Columns of all phases, with the challenges and claimed sums that belong to them.
struct Witness {
  const Columns* columns;
  std::vector<QM31> challenges, claimed_sums;

  // The checker is filled, and outlives it.
  static Witness of(const Checker& checker);
};

// Random cells of phase 1, residues that are not zero: any witness, one as good as another.
std::vector<uint32_t> randomMain(const Package& package, uint64_t seed);

// Fixed columns as they are, every other cell at random, those of challenge phases too: what holds
// here on all rows holds whatever a prover commits, but with negligible probability. Package must
// outlive it.
class AnyCells {
 public:
  AnyCells(const Package& package, uint64_t seed);
  const Columns& columns() const { return *columns_; }

 private:
  std::vector<uint32_t> main_;
  std::unique_ptr<Columns> columns_;
};

// Calls visit as RowEvaluator does, for all rows of the program's table, in parallel over blocks of
// rows: rows of one block come from one thread, in order.
void forAllRows(const Circuit& circuit, const RowProgram& program, const Columns& columns,
                const Scalars& scalars, ThreadPool& pool, RowEvaluator::Visitor visit);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_ADAPTIVE_WITNESS_H_
