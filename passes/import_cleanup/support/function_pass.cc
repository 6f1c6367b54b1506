#include "passes/import_cleanup/support/function_pass.h"

#include <utility>

#include "ir/core/status_macros.h"

namespace lindero::passes {
namespace {

class FunctionPass : public Pass {
 public:
  FunctionPass(llvm::StringRef name, llvm::StringRef summary, FunctionTransform transform)
      : name_(name), summary_(summary), transform_(std::move(transform)) {}
  llvm::StringRef name() const override { return name_; }
  llvm::StringRef summary() const override { return summary_; }
  absl::StatusOr<bool> run(ir::Module& module) override {
    bool changed = false;
    for (const auto& function : module.functions()) {
      IR_ASSIGN_OR_RETURN(const bool one, transform_(*function));
      changed |= one;
    }
    return changed;
  }

 private:
  llvm::StringRef name_, summary_;
  FunctionTransform transform_;
};

}  // namespace

std::unique_ptr<Pass> makeFunctionPass(llvm::StringRef name, llvm::StringRef summary,
                                       FunctionTransform transform) {
  return std::make_unique<FunctionPass>(name, summary, std::move(transform));
}

}  // namespace lindero::passes
