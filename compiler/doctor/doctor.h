// What becomes of an ONNX file, before anything is written: all that keeps it from being compiled,
// or the regions that its nodes are recognized as, the cost of a proof, and what a verifier does
// itself.
//
// Problems are looked for stage by stage (import, clean-up, calibration, quantization, lowering):
// of one stage, all that do not follow from each other; of later ones, none. Costs as much as
// compiling without a key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/errors.h"
#include "compiler/estimate/estimate.h"

namespace lindero::compiler {

struct Problem {
  Error kind = Error::kInternal;
  std::string text;  // names node, reason and remedy
};

// Where nodes of the ONNX graph went.
struct RegionNodes {
  std::string region;              // as form-regions labels it: "layer0/attention"
  std::vector<std::string> nodes;  // by name, in order
};

// What a verifier reads in the claim and evaluates itself: all of it, before positions or a choice
// are picked.
struct VerifierTensor {
  std::string name;
  bool output = false;
  int64_t elements = 0;
};

struct Diagnosis {
  std::string file;
  std::vector<Problem> problems;  // empty: it compiles
  // Sizes that dimensions without one were given, to go on: the first problems name them. 0: none.
  int64_t assumed_dim = 0;
  // What follows is empty where problems came before it.
  std::optional<ModelFacts> facts;  // from import on
  std::vector<RegionNodes> regions;
  // Nodes of which no step is left: computed when compiling, merged, or never read.
  std::vector<std::string> gone;
  std::vector<BucketCost> costs;
  std::vector<VerifierTensor> verifier;
};

// An error only for wrong options; whatever is wrong with the file is a problem.
absl::StatusOr<Diagnosis> diagnose(const std::string& path, const ModelOptions& options,
                                   const runtime::ProverOptions& prover, runtime::Monitor& monitor);

}  // namespace lindero::compiler
