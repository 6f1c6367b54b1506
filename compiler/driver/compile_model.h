// From an ONNX file to a circuit package, in one call:
//
//     Monitor monitor;
//     LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find({}));
//     ModelOptions options;
//     options.argmax = true;
//     LINDERO_ASSIGN_OR_RETURN(CompiledModel compiled,
//                              compileModel("m.onnx", options, &prover, "m.lindero", monitor));
//
// or stage by stage, for who wants to look in between: importModel, calibrateModel, chooseBuckets,
// then lowerModel or writePackage.
//
// Same file, options and exponents: same package, byte for byte, on any machine; calibration is
// floating point and may differ. Memory: the integer weights, and what some runs of an interpreter
// take that go together (samplesAtATime); the file's weights and the package are mapped, and read
// in order, so that what of them does not fit in memory is read again a few times at most. Errors
// have a kind (runtime/error) and name node, reason and remedy.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/driver/compilation.h"
#include "compiler/emit/report.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/quantize/compare.h"
#include "passes/quantize/quantize.h"
#include "runtime/model/opened_package.h"
#include "runtime/monitor/monitor.h"
#include "runtime/prove/prover.h"
#include "runtime/tokenizer/tokenizer.h"

namespace lindero::compiler {

using runtime::OpenedPackage;

// Steps of a block that carries context, unless something else is asked for.
inline constexpr int64_t kBlockSteps = 16;

// What `lower.lanes` may be: powers of two. Others are refused.
std::vector<int64_t> laneCounts();

struct ModelOptions {
  std::vector<std::string> dims;  // "seq=64"
  // As in ImportOptions: what the inputs' sizes are to be.
  std::map<std::string, int64_t> elements = {};
  int64_t most_elements = 0;
  std::string calibrate;  // a text, or a .json or .npz of inputs; empty: samples of our own
  std::string exponents;  // an exponents.json instead of calibrating
  std::string tokenizer;  // empty: tokenizer.json beside the model, if there is one
  int64_t samples = 16;   // to calibrate with, at most
  std::string compare;    // held-out inputs: a text or arrays; empty: nothing is compared
  int64_t windows = 32;   // of the held-out text, at most
  std::vector<std::string> outputs;  // of the model, by name; empty: all
  std::string positions = "all";     // of one output: all, last:N, or a list
  bool argmax = false;               // the index of the largest value, not all values
  // Beyond these a compilation fails (kImprecise). The samples that calibrate measure, too: the
  // first `measured` of them (fewer, of a large model; all, of a small one that chooses), or the
  // input of a run alone. 0: nothing is measured.
  passes::PrecisionLimits precision;
  int64_t measured = 2;
  passes::QuantizeOptions quantize;
  passes::LowerToAirOptions lower;
  std::vector<int64_t> buckets;       // of decode runs; empty: all
  std::string context = "recompute";  // of decode runs: or "carry"
  int64_t block = 0;                  // steps of a block that carries; 0: kBlockSteps
  // Where proofs begin and end: a policy of passes/boundary, "per-layer"; empty: one proof of all.
  std::string boundaries;
  std::vector<int64_t> segments;     // of each atom, in place of a policy
  std::vector<std::string> plugins;  // libraries, with policies of their own
};

struct CompiledModel {
  ModelFacts facts;
  std::optional<passes::Comparison> comparison;  // where options.compare asked for it
  std::optional<passes::Comparison> measured;    // on calibration samples
  std::vector<int64_t> buckets;                  // ascending; {0} of a model without decode runs
  std::vector<CostReport> costs;                 // of each bucket
  std::vector<std::vector<CostReport>> members;  // the same, of each member
  std::vector<std::vector<runtime::Digest>> circuits;  // the digests of their members
  std::vector<runtime::Digest> bundles;                // and those of their bundles
  std::vector<runtime::Report> setup;  // what the prover said of each; empty without one
  double setup_seconds = 0;
};

// Writes the package `output`, a folder that does not exist yet or is a package to be replaced,
// whole or not at all. With a prover it has a key, of the security that the prover's options say.
absl::StatusOr<CompiledModel> compileModel(const std::string& path, const ModelOptions& options,
                                           const runtime::Prover* prover, const std::string& output,
                                           runtime::Monitor& monitor);

// A model on its way: what the circuits for all lengths have in common.
struct PreparedModel {
  Compilation compilation;
  std::optional<runtime::Tokenizer> tokenizer = {};
  std::string tokenizer_path = {};  // empty: there is none
  // The input of the run that is to be proven: calibrated and measured on beside the samples, so
  // that it is in range. The exponents, hence model id and key, then depend on it.
  std::optional<passes::Sample> run_input = {};
  // From calibrateModel on.
  passes::Exponents exponents = {};
  // What the exponents are measured and circuits are tried on: the run's input, calibration samples
  // or, with given exponents, inputs of our own making; none if there are no such.
  std::vector<passes::Sample> samples = {};
  std::optional<passes::Comparison> measured = {};
  std::optional<passes::Comparison> comparison = {};
  // Files that go into the package beside the circuits: exponents, tokenizer.
  std::vector<PackageFile> files = {};
};

// Reads the file: from here on `compilation.facts()` says what inputs the model takes. Fails first
// (kUsage) if the options do not go together.
absl::StatusOr<PreparedModel> importModel(const std::string& path, const ModelOptions& options,
                                          runtime::Monitor& monitor);
// Chooses exponents or reads them, measures what the integers lose, and compares where the options
// ask for it. Fails with kImprecise beyond the limits of the options; exponents that are given are
// measured on samples of our own, which they need not fit, and only noted.
absl::Status calibrateModel(const ModelOptions& options, PreparedModel& model,
                            runtime::Monitor& monitor);
// Both.
absl::StatusOr<PreparedModel> prepareModel(const std::string& path, const ModelOptions& options,
                                           runtime::Monitor& monitor);

// How far the integer program, at full length, is from the float model: on the samples that
// `options.compare` names, or on inputs drawn from the model's own predictions.
absl::StatusOr<passes::Comparison> compareModel(const ModelOptions& options, PreparedModel& model,
                                                runtime::Monitor& monitor);

// The lengths that decode runs get circuits for, ascending: as the options say, or 16, 32, 64, ...
// below the context, and the context. Without `lower.decode` it is {0}: the one circuit is for the
// length that the model was imported with.
absl::StatusOr<std::vector<int64_t>> chooseBuckets(const ModelOptions& options,
                                                   const PreparedModel& model);

// The stages from there to the circuit (compilation.cost()), for a bucket of these. Of several, the
// longest comes first.
absl::Status lowerModel(const ModelOptions& options, int64_t bucket, PreparedModel& model,
                        runtime::Monitor& monitor);

// Lowers for these buckets and writes a package into the folder `home`; with a prover it has keys.
// The model may be lowered again after that, for other boundaries.
struct CompiledPackage {
  std::vector<OpenedPackage> circuits;  // ascending
  std::vector<runtime::Report> setup;   // what the prover said of each; empty without one
  double setup_seconds = 0;
};
absl::StatusOr<CompiledPackage> writePackage(const ModelOptions& options,
                                             const std::vector<int64_t>& buckets,
                                             const runtime::Prover* prover, PreparedModel& model,
                                             const std::string& home, runtime::Monitor& monitor);

// The least and the greatest of the named values ("bits", "exponent") of a calibration; nothing if
// no site has it.
std::optional<std::pair<int64_t, int64_t>> spanOf(const passes::Exponents& exponents,
                                                  const std::string& name);

}  // namespace lindero::compiler
