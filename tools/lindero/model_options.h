// The options of `compile`, which `prove model.onnx` takes too.
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "compiler/driver/compile_model.h"

namespace lindero::cli {

using compiler::ModelOptions;

void addModelOptions(CLI::App& app, ModelOptions& options);

// An option of these, except the tokenizer, that was given; empty if none was. A package, which is
// compiled already, takes none of them.
std::string givenModelOption(const CLI::App& app);

}  // namespace lindero::cli
