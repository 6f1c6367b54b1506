#include "compiler/emit/emit.h"
#include "runtime/package/package_writer.h"

namespace lindero::compiler {

absl::Status emitPackage(const ir::Module& module, const std::string& path,
                         const std::vector<PackageFile>& files) {
  absl::StatusOr<Circuit> circuit = makeCircuit(module);
  if (!circuit.ok()) return circuit.status();
  absl::StatusOr<Program> program = makeProgram(module, *circuit);
  if (!program.ok()) return program.status();
  absl::StatusOr<runtime::PackageWriter> writer =
      runtime::PackageWriter::create(path, *circuit, *program, makeBundle(module, *circuit));
  if (!writer.ok()) return writer.status();
  auto cells = [&](uint32_t table, uint32_t column) {
    return writer->fixedColumn(table, column).data();
  };
  if (absl::Status s = fillFixed(module, *circuit, cells); !s.ok()) return s;
  for (const PackageFile& file : files) {
    if (absl::Status s = writer->addFile(file.name, file.bytes); !s.ok()) return s;
  }
  return writer->finish();
}

}  // namespace lindero::compiler
