// A package to work with: one that exists, or one that is compiled from an ONNX file on the way.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "compiler/driver/model_facts.h"
#include "compiler/emit/report.h"
#include "runtime/package/package.h"
#include "tools/lindero/context.h"
#include "tools/lindero/inputs.h"
#include "tools/lindero/model_options.h"
#include "tools/lindero/scratch.h"

namespace lindero::cli {

struct OpenedPackage {
  std::string path;
  bool compiled = false;  // from an ONNX file, just now
  runtime::Package package;
  compiler::ModelFacts facts;
  compiler::CostReport cost;
};

// `source` is a package's folder or an ONNX file; what is compiled goes to `scratch`.
absl::StatusOr<OpenedPackage> openSource(const std::string& source, const ModelOptions& options,
                                         const Scratch& scratch, Context& context,
                                         Summary& summary);
absl::StatusOr<OpenedPackage> openPackage(const std::string& path);

// Binds the user's inputs and continues them as far as the options say; the tokenizer is the given
// one, or that of the package.
absl::StatusOr<BoundInputs> bindSourceInputs(const OpenedPackage& opened,
                                             const InputOptions& options, int threads,
                                             Context& context);

// The public values of a run, and what was decoded.
absl::Status addRun(const OpenedPackage& opened, const Statement& statement,
                    const BoundInputs& inputs, const DecodeOptions& options, Summary& summary);

void addInputOptions(CLI::App& app, InputOptions& options);

// The trace of a run, in `path`; reports progress.
absl::StatusOr<Statement> runTrace(const OpenedPackage& opened, const Statement& inputs,
                                   const std::string& path, int threads, Context& context);

// Cells of every region; in text, one line for the same region of all layers.
void addRegions(const compiler::CostReport& cost, Summary& summary);

}  // namespace lindero::cli
