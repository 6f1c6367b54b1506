// Analysis: the tables that lower-to-air would make of a function, counted and not built.
//
// Plan and layout are those of the pass, and tables are built with a builder that counts. The
// elements of constants must be known, for sizes depend on them. After lower-sums the circuit has
// these columns.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "passes/lower_air/circuit/circuit_builder.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"

namespace lindero::passes {

// Tables of work, then lookup tables. Fails as lower-to-air does, naming the ONNX node.
absl::StatusOr<std::vector<TableSize>> measureCircuit(const ir::Function& main,
                                                      const LowerToAirOptions& options = {});

// How many lanes its tables of tensors with so many rows have, by the rows; of a tensor that stands
// in no such table, as many as full rows can have.
absl::StatusOr<std::map<int64_t, int64_t>> lanesDown(const ir::Function& main,
                                                     const LowerToAirOptions& options,
                                                     llvm::ArrayRef<int64_t> rows);

}  // namespace lindero::passes
