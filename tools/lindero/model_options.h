// The options of `compile`, which `prove model.onnx` takes too, and the way from an ONNX file to a
// package that they describe.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "compiler/driver/compilation.h"
#include "tools/lindero/context.h"
#include "tools/lindero/prover.h"

namespace lindero::cli {

struct ModelOptions {
  std::vector<std::string> dims;  // "seq=64"
  std::string calibrate;          // a text, or a .json or .npz of inputs; empty: samples of our own
  std::string exponents;          // an exponents.json instead of calibrating
  std::string tokenizer;          // empty: tokenizer.json beside the model, if there is one
  int64_t samples = 16;           // to calibrate with, at most
  std::string compare;            // held-out text
  int64_t windows = 32;           // of the held-out text, at most
  std::string output;             // of the model, by name; empty: the first
  std::string positions = "all";  // of the output: all, last:N, or a list
  bool argmax = false;
  passes::QuantizeOptions quantize;
  passes::LowerToAirOptions lower;
  std::vector<int64_t> buckets;       // of decode runs; empty: all
  std::string context = "recompute";  // of decode runs: or "carry"
  int64_t block = 0;                  // steps of a block that carries; 0: kBlockSteps
  const CLI::App* app = nullptr;      // where they were added
};

void addModelOptions(CLI::App& app, ModelOptions& options);
// What --lanes takes.
std::vector<int64_t> laneCounts();
// An option of these, except the tokenizer, that was given; empty if none was. A package, which is
// compiled already, takes none of them.
std::string givenModelOption(const ModelOptions& options);

// The path of the tokenizer to use, empty if there is none: as given, or beside the model. A
// package "x" has its own: it is beside "x/".
std::string findTokenizer(const std::string& given, const std::string& model);

// What the circuits for all lengths have in common: the stages up to the exponents.
struct PreparedModel {
  compiler::Compilation compilation;
  passes::Exponents exponents;
  // Files that go into the package beside the circuits: exponents, tokenizer.
  std::vector<compiler::PackageFile> files;
};

// Adds what the stages found to the summary. Fails first if the options do not go together.
absl::StatusOr<PreparedModel> prepareModel(const std::string& path, const ModelOptions& options,
                                           Context& context, Summary& summary);

// How far the integer program, at full length, is from the float model, and how many bits its
// exponents give what it stores: on the samples that `options.compare` names, or on the model's
// own.
absl::StatusOr<passes::Comparison> measureModel(const std::string& path,
                                                const ModelOptions& options, PreparedModel& model,
                                                Context& context, Summary& summary);

// The lengths that decode runs get circuits for, ascending: as the options say, or 16, 32, 64, ...
// below the context, and the context. Without --decode it is {0}: the one circuit is for the length
// that the model was imported with.
absl::StatusOr<std::vector<int64_t>> chooseBuckets(const ModelOptions& options,
                                                   const PreparedModel& model);

// The stages from there to the circuit, for a bucket of these. Of several, the longest comes first.
absl::Status lowerModel(const ModelOptions& options, int64_t bucket, PreparedModel& model,
                        Context& context);

}  // namespace lindero::cli
