// The options of `compile`, which `prove model.onnx` takes too.
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "compiler/driver/compile_model.h"

namespace lindero::cli {

using compiler::ModelOptions;

// What --boundaries takes, for its help.
inline constexpr char kPolicies[] =
    "fused, per-layer, per-region, file=PATH with an ONNX node a line to cut after, "
    "budget-memory=3GiB, or a plugin's policy{option=value ...}";

void addModelOptions(CLI::App& app, ModelOptions& options);
// All but --boundaries, for a command that takes several placements.
void addPlacedModelOptions(CLI::App& app, ModelOptions& options);

// Tables are laid out for what --prefer says of the prover.
void layOutFor(const runtime::ProverOptions& prover, ModelOptions& options);

// An option of these, except the tokenizer, that was given; empty if none was. A package, which is
// compiled already, takes none of them.
std::string givenModelOption(const CLI::App& app);

}  // namespace lindero::cli
