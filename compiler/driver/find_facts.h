// What is worth knowing of a model (runtime/model/model_facts.h), found in its float function.
#pragma once

#include "ir/core/ir.h"
#include "runtime/model/model_facts.h"

namespace lindero::compiler {

using runtime::ModelFacts;
using runtime::TensorFacts;

// Of a function in the canonical form that import cleanup leaves; file and sha256 stay empty.
ModelFacts modelFacts(const ir::Function& function);

}  // namespace lindero::compiler
