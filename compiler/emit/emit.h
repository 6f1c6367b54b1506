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

// The bundle of several members, whose links are the ends of one slot (air.public). Fails where the
// two ends of a link do not agree. `circuits` are those of the modules, `names` of the members.
absl::StatusOr<Bundle> linkMembers(llvm::ArrayRef<const ir::Module*> modules,
                                   llvm::ArrayRef<Circuit> circuits,
                                   llvm::ArrayRef<std::string> names);

// A package of several members, into a folder that is new or empty; `files` are of the package.
absl::Status emitBundle(llvm::ArrayRef<const ir::Module*> modules,
                        llvm::ArrayRef<std::string> names, const std::string& path,
                        const std::vector<PackageFile>& files = {});

// A member, into a folder that is new or empty.
absl::Status emitCircuit(const ir::Module& module, const Circuit& circuit, const Bundle& bundle,
                         const std::string& path, const std::vector<PackageFile>& files = {});

// A package of one circuit.
absl::Status emitPackage(const ir::Module& module, const std::string& path,
                         const std::vector<PackageFile>& files = {});

}  // namespace lindero::compiler
