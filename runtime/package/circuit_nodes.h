// The part of analyzeCircuit that concerns the DAG. Internal to runtime/package.
#ifndef LINDERO_RUNTIME_PACKAGE_CIRCUIT_NODES_H_
#define LINDERO_RUNTIME_PACKAGE_CIRCUIT_NODES_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/package/circuit_info.h"

namespace lindero::runtime {

// Requires that tables, columns, challenges and claimed sums have been checked.
// `claimed_sum_columns` as in CircuitInfo.
absl::StatusOr<std::vector<NodeInfo>> analyzeNodes(
    const Circuit& circuit, const std::vector<ColumnRef>& claimed_sum_columns);

// Sets info.levels. Requires checked generators and info.nodes.
absl::Status orderColumns(const Circuit& circuit, CircuitInfo& info);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_CIRCUIT_NODES_H_
