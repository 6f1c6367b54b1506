#include "compiler/emit/emit.h"
#include "ir/core/status_macros.h"
#include "runtime/package/package_writer.h"

namespace lindero::compiler {

absl::Status emitCircuit(const ir::Module& module, const Circuit& circuit, const Bundle& bundle,
                         const std::string& path, const std::vector<PackageFile>& files) {
  IR_ASSIGN_OR_RETURN(const Program program, makeProgram(module, circuit));
  IR_ASSIGN_OR_RETURN(runtime::PackageWriter writer,
                      runtime::PackageWriter::create(path, circuit, program, bundle));
  auto cells = [&](uint32_t table, uint32_t column) {
    return writer.fixedColumn(table, column).data();
  };
  IR_RETURN_IF_ERROR(fillFixed(module, circuit, cells));
  for (const PackageFile& file : files) IR_RETURN_IF_ERROR(writer.addFile(file.name, file.bytes));
  return writer.finish();
}

absl::Status emitPackage(const ir::Module& module, const std::string& path,
                         const std::vector<PackageFile>& files) {
  IR_ASSIGN_OR_RETURN(const Circuit circuit, makeCircuit(module));
  return emitCircuit(module, circuit, makeBundle(module, circuit), path, files);
}

}  // namespace lindero::compiler
