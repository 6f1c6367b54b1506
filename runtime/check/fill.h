// Fills the columns of phases 2 and 3 from their generators.
//
// Columns are filled level by level (CircuitInfo.levels); within a level every table's expressions,
// fractions and gathers are evaluated together, in parallel over blocks of rows, while each scan is
// one sequential task. Running sums follow. Cost: about one evaluation of the generators' nodes per
// row, and one batch inversion per 256 denominators.
#ifndef LINDERO_RUNTIME_CHECK_FILL_H_
#define LINDERO_RUNTIME_CHECK_FILL_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "runtime/eval/columns.h"
#include "runtime/eval/row_program.h"
#include "runtime/eval/scalars.h"
#include "runtime/parallel/thread_pool.h"

namespace lindero::runtime {

// A fraction whose denominator is zero; its value there is taken as zero.
struct ZeroDenominator {
  ColumnRef column;
  uint64_t first_row;
  uint64_t rows;  // how many
};

// A cell of a challenge phase that a cheating prover may fill as it likes, after it has seen the
// challenges of earlier phases: one of a gathering column, which no constraint defines, or of a
// column whose definition a circuit lacks.
struct FreeCell {
  uint32_t table;
  uint32_t column;
  uint64_t row;
  QM31 value;
};

class Filler {
 public:
  Filler(const Circuit& circuit, const CircuitInfo& info);
  ~Filler();

  // Allocates and fills the columns of `phase` (2 or 3). Requires the columns of earlier phases,
  // and scalars that are advanced to phase - 1. Appends to `zeros`. An error when a gather's index
  // points outside of its sources. Cells in `forged` get their values after their columns are
  // filled, and before others that read these are.
  absl::Status fill(uint32_t phase, Columns& columns, const Scalars& scalars, ThreadPool& pool,
                    std::vector<ZeroDenominator>& zeros,
                    absl::Span<const FreeCell> forged = {}) const;

 private:
  struct Level;
  class LevelRun;

  const Circuit& circuit_;
  std::vector<Level> levels_[4];  // by phase
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_FILL_H_
