// Passes that treat one function after the other.
#pragma once

#include <functional>
#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

// True if the function changed.
using FunctionTransform = std::function<absl::StatusOr<bool>(ir::Function&)>;

// The strings must outlive the pass: literals.
std::unique_ptr<Pass> makeFunctionPass(llvm::StringRef name, llvm::StringRef summary,
                                       FunctionTransform transform);

}  // namespace lindero::passes
