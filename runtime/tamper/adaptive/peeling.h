// Which cells of a challenge phase its equations pin, given all that was committed before: exact
// elimination, one cell at a time.
//
// An equation with one unknown cell pins it; a scan along the rows is pinned at once, the step from
// the last row to the first included. Where nothing more peels, a column's open cells become
// parameters (gathered columns first, for no equation defines them; then in the order in which
// columns are filled), and the rest is peeled as a function of them. A running sum is pinned up to
// a constant that nothing reads, and its claimed sum with it. When no equation is left over, the
// parameters are exactly the dimension of what is left to the prover: each pivot's equation is
// affine in its cell.
#ifndef LINDERO_RUNTIME_TAMPER_ADAPTIVE_PEELING_H_
#define LINDERO_RUNTIME_TAMPER_ADAPTIVE_PEELING_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/tamper/adaptive/equations.h"

namespace lindero::runtime {

using Place = std::pair<uint32_t, uint32_t>;  // table, column

// Cells of `column` that an equation determines.
struct Pivot {
  const Equation* equation;
  uint32_t column;
  RowMask rows;
};

// Rows of an equation that read unknowns, and pin none: what is counted as free may be too much.
struct Leftover {
  const Equation* equation;
  uint64_t rows;
};

struct Peeling {
  uint32_t phase = 0;
  std::vector<Pivot> pivots;
  std::map<Place, const Equation*> running;
  std::map<Place, RowMask> parameters;
  std::vector<uint32_t> open_claimed_sums;  // of the phase, that no running sum pins
  std::vector<Leftover> leftovers;
  uint64_t columns = 0, cells = 0;

  // The column that a constraint pins cells of, as a pivot or as a running sum; -1: none.
  int columnOf(uint32_t table, uint32_t constraint) const;
};

Peeling peel(const Derivatives& derivatives, const std::vector<Equation>& equations,
             uint32_t phase);

// Pinned cells that change with one of `parameters`, on the trace that was read.
std::map<Place, RowMask> dependents(const Circuit& circuit, const Peeling& peeling,
                                    const std::map<Place, RowMask>& parameters);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_ADAPTIVE_PEELING_H_
