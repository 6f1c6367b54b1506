// What a circuit's sums meet outside of its tables: public tensors, which the verifier sums itself,
// and groups that are exported to other members of a bundle. Internal to runtime/package.
#ifndef LINDERO_RUNTIME_PACKAGE_CIRCUIT_PUBLICS_H_
#define LINDERO_RUNTIME_PACKAGE_CIRCUIT_PUBLICS_H_

#include "absl/status/status.h"
#include "runtime/package/circuit_info.h"

namespace lindero::runtime {

// Shapes, ranges, tiles and challenges of public tensors, and that none has addresses of another.
absl::Status checkPublics(const Circuit& circuit);

// Exported sum groups, which have claimed sums of phase 2 alone; claimed_sum_columns are known.
absl::Status checkExports(const Circuit& circuit, const CircuitInfo& info);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_CIRCUIT_PUBLICS_H_
