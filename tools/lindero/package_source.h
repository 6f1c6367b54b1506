// A package to work with: one that exists, or one that is compiled from an ONNX file on the way.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/driver/compile_model.h"
#include "compiler/emit/report.h"
#include "runtime/inputs/inputs.h"
#include "runtime/model/model_facts.h"
#include "runtime/monitor/scratch.h"
#include "runtime/package/package.h"
#include "runtime/prove/prover.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

// A circuit of a package: the only one, or that of a bucket.
struct OpenedPackage {
  std::string home;  // the package's folder, with key and tokenizer
  std::string path;  // the circuit's folder: a bucket's, or the same
  runtime::Package package;
  compiler::ModelFacts facts;
  compiler::CostReport cost;
};

// Bucket 0: of a package without buckets.
absl::StatusOr<OpenedPackage> openPackage(const std::string& home, int64_t bucket);

// Compiles circuits for these buckets (chooseBuckets) to a package in the folder `home`, and with a
// prover makes its keys.
struct CompiledPackage {
  std::vector<OpenedPackage> circuits;  // ascending
  std::vector<Json> setup;              // what the prover said of each; empty without one
  double setup_seconds = 0;
};
absl::StatusOr<CompiledPackage> compilePackage(const ModelOptions& options,
                                               const std::vector<int64_t>& buckets,
                                               const Prover* prover, PreparedModel model,
                                               const std::string& home, Context& context);

// What a run needs: a circuit that it fits in, and its inputs, continued as far as the options say.
struct Source {
  OpenedPackage opened;
  BoundInputs inputs;
  std::optional<Tokenizer> tokenizer;  // the given one, or that of the package; if there is one
};
// `source` is a package's folder or an ONNX file, which is compiled to `scratch`.
absl::StatusOr<Source> openSource(const std::string& source, const ModelOptions& options,
                                  const InputOptions& input, int threads, const Scratch& scratch,
                                  Context& context, Summary& summary);

// The public values of a run, and what was decoded.
absl::Status addRun(const Source& source, const Statement& statement, const DecodeOptions& options,
                    Summary& summary);

// Of the group that is returned, exactly one option must be given; a command may add its own.
CLI::Option_group* addInputOptions(CLI::App& app, InputOptions& options);

// A run with its traces, one for each of its blocks.
struct TracedRun {
  Statement statement;
  std::vector<std::string> traces;
};
// Traces go to trace.bin in the scratch folder, or trace-0.bin, ... if there are several; reports
// progress.
absl::StatusOr<TracedRun> runTrace(const OpenedPackage& opened, const Statement& inputs,
                                   const Scratch& scratch, int threads, Context& context);

// Cells of every region; in text, one line for the same region of all layers.
void addRegions(const compiler::CostReport& cost, Summary& summary);

}  // namespace lindero::cli
