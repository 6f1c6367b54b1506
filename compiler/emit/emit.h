// Writes the circuit package from a lowered module: @circuit -> circuit.pb and fixed.bin, @trace ->
// program.pb.
//
// The same module gives the same bytes on any machine. Fixed columns are written through a memory
// mapping, table by table; weights are read from the constant pool's mapping and never copied as a
// whole. The package appears under its name only when it is complete.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "runtime/package/bundle.pb.h"
#include "runtime/package/circuit.pb.h"
#include "runtime/program/program.pb.h"

namespace lindero::compiler {

// @circuit after `lower-sums`, as the package holds it.
absl::StatusOr<Circuit> makeCircuit(const ir::Module& module);

// What of @circuit is repeated in steps, as bundle.pb has it.
Bundle makeBundle(const ir::Module& module, const Circuit& circuit);

// @trace, with table and column names resolved against the circuit.
absl::StatusOr<Program> makeProgram(const ir::Module& module, const Circuit& circuit);

// Fills the fixed columns; `cells` gives a column's cells, zero at first.
absl::Status fillFixed(const ir::Module& module, const Circuit& circuit,
                       absl::FunctionRef<uint32_t*(uint32_t table, uint32_t column)> cells);

// A further file of the package.
struct PackageFile {
  std::string name;
  std::string bytes;
};

absl::Status emitPackage(const ir::Module& module, const std::string& path,
                         const std::vector<PackageFile>& files = {});

}  // namespace lindero::compiler
