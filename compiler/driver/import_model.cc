#include "compiler/driver/import_model.h"

#include "ir/core/status_macros.h"
#include "passes/import_cleanup/recognize_masks/recognize_masks.h"
#include "passes/pass_manager.h"

namespace lindero::compiler {

absl::StatusOr<std::unique_ptr<ir::Module>> importModel(const std::string& path,
                                                        const ImportOptions& options) {
  IR_ASSIGN_OR_RETURN(std::unique_ptr<ir::Module> module, importOnnx(path, options));
  passes::PassManager manager;
  manager.add(passes::createRecognizeMasks());
  IR_RETURN_IF_ERROR(manager.run(*module).status());
  return module;
}

}  // namespace lindero::compiler
