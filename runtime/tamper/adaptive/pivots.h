// Whether what pins cells pins them for every witness: each pivot's coefficient is of degree 0 in
// its cell, and not zero whatever the prover commits.
//
// A coefficient over fixed columns and challenges is as it is. Any other has to be the denominator
// of the column's own fraction, each factor of which has, as a polynomial in challenges drawn after
// all that it reads, a coefficient over fixed columns that is zero on no row.
#ifndef LINDERO_RUNTIME_TAMPER_ADAPTIVE_PIVOTS_H_
#define LINDERO_RUNTIME_TAMPER_ADAPTIVE_PIVOTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tamper/adaptive/peeling.h"

namespace lindero::runtime {

struct UnsafePivot {
  uint32_t table, column, constraint;
  uint64_t rows;  // that it pins, or of those the ones where it fails
  std::string why;
};

absl::StatusOr<std::vector<UnsafePivot>> findUnsafePivots(Derivatives& derivatives,
                                                          const Peeling& peeling,
                                                          const Witness& filled, ThreadPool& pool);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_ADAPTIVE_PIVOTS_H_
