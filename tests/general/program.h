// What the programs of this folder have in common: PROGRAM MODEL EXPONENTS INPUT.
#pragma once

#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "compiler/driver/compilation.h"
#include "compiler/driver/samples.h"
#include "passes/quantize/exponents.h"
#include "runtime/package/status_macros.h"

namespace lindero::general {

using Work = absl::Status (*)(compiler::Compilation& compilation, const passes::Sample& sample);

// `work` on the model, quantized as the exponents say, and the first run of the input.
inline absl::Status runOn(const std::string& model, const std::string& exponents_file,
                          const std::string& input, Work work) {
  LINDERO_ASSIGN_OR_RETURN(compiler::Compilation compilation,
                           compiler::Compilation::load(model, {}));
  std::stringstream text;
  text << std::ifstream(exponents_file).rdbuf();
  LINDERO_ASSIGN_OR_RETURN(passes::Exponents exponents, passes::exponentsFromJson(text.str()));
  LINDERO_RETURN_IF_ERROR(compilation.quantize(exponents));
  runtime::Monitor monitor;
  LINDERO_ASSIGN_OR_RETURN(
      std::vector<passes::Sample> samples,
      compiler::readArraySamples(input, compilation.facts(), {1, "runs"}, monitor));
  return work(compilation, samples.front());
}

inline int mainOf(int argc, char** argv, Work work) {
  if (argc != 4) {
    std::cerr << "usage: " << argv[0] << " MODEL EXPONENTS INPUT\n";
    return 2;
  }
  const absl::Status status = runOn(argv[1], argv[2], argv[3], work);
  if (status.ok()) return 0;
  std::cerr << status.message() << '\n';
  return 1;
}

}  // namespace lindero::general
