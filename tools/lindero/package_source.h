// What a command runs: a package that exists, or one that is compiled from an ONNX file on the way.
#pragma once

#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "runtime/monitor/scratch.h"
#include "runtime/run/run.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tools/lindero/context.h"
#include "tools/lindero/input_options.h"
#include "tools/lindero/model_options.h"

namespace lindero::cli {

using runtime::OpenedPackage;
using runtime::Scratch;

struct SourceOptions {
  std::string source;  // a package's folder or an ONNX file
  ModelOptions model;
  std::string model_option;  // one of those that a package does not take, if it was given
  InputOptions input;
};

// Returns the group of inputs (addInputOptions). Once the command line is parsed,
// completeSourceOptions fills in what follows from options that were given.
CLI::Option_group* addSourceOptions(CLI::App& app, SourceOptions& options);
void completeSourceOptions(const CLI::App& app, SourceOptions& options);

// An ONNX file on its way to a run.
struct PreparedRun {
  compiler::PreparedModel model;
  std::vector<InputArray> inputs;
  std::optional<Tokenizer> tokenizer;
  int64_t bucket = 0;  // of the circuit that takes the inputs
};
// Reads the file, and looks at the inputs where there are any.
absl::StatusOr<PreparedRun> importRun(const SourceOptions& options, Context& context);
// Calibrates, on the run's inputs too, unless exponents are given. Where no inputs are, the run
// gets those of a sample. The summary gets the model.
absl::Status calibrateRun(const SourceOptions& options, PreparedRun& run, Context& context,
                          Summary& summary);

struct Source {
  runtime::Run run;
  std::optional<Tokenizer> tokenizer;  // the given one, or that of the package; if there is one
  bool compiled = false;               // to the folder "package" of the scratch folder
};

// A run with its inputs bound (runtime/run/run.h), of the package or of one that is compiled here.
// Inputs are looked at before an ONNX file is compiled. The summary gets the model.
absl::StatusOr<Source> bindSource(const SourceOptions& options, int threads, const Scratch& scratch,
                                  Context& context, Summary& summary);

// The public values of a run, of which text shows `most`, and what was decoded.
absl::Status addRun(const Source& source, const Statement& statement, Summary& summary,
                    size_t most = SIZE_MAX);

}  // namespace lindero::cli
