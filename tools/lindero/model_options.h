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
  const CLI::App* app = nullptr;  // where they were added
};

void addModelOptions(CLI::App& app, ModelOptions& options);
// An option of these, except the tokenizer, that was given; empty if none was. A package, which is
// compiled already, takes none of them.
std::string givenModelOption(const ModelOptions& options);

// The path of the tokenizer to use, empty if there is none: as given, or beside the model.
std::string findTokenizer(const std::string& given, const std::string& model);

struct CompiledModel {
  compiler::Compilation compilation;
  // Files that go into the package beside the circuit: the tokenizer.
  std::vector<compiler::PackageFile> files;
};

// All stages but the writing; adds what they found to the summary.
absl::StatusOr<CompiledModel> compileModel(const std::string& path, const ModelOptions& options,
                                           Context& context, Summary& summary);

}  // namespace lindero::cli
