// Files of sample inputs: a text, cut into windows of the model's sequence length, or arrays that
// hold any number of runs.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/driver/find_facts.h"
#include "ir/core/ir.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/compare.h"
#include "runtime/inputs/inputs.h"
#include "runtime/monitor/monitor.h"
#include "runtime/tokenizer/tokenizer.h"

namespace lindero::compiler {

// Is the file one of arrays (.json, .npy, .npz)? Otherwise it is a text.
bool isArrayFile(const std::string& path);

// How many of a file are taken, spread evenly over it; and the option that says so, for a note if
// there are more.
struct MostSamples {
  int64_t count;
  const char* option;
};

// Windows of T + 1 tokens (the last one is the target of the last position), without overlap. Fails
// if the text is shorter than one window.
absl::StatusOr<std::vector<passes::ComparisonSample>> readTextSamples(
    const std::string& path, const ModelFacts& facts, const runtime::Tokenizer& tokenizer,
    const MostSamples& most, runtime::Monitor& monitor);

// Runs of the arrays: every array has the input's shape, or a leading axis of runs.
absl::StatusOr<std::vector<passes::Sample>> readArraySamples(const std::string& path,
                                                             const ModelFacts& facts,
                                                             const MostSamples& most,
                                                             runtime::Monitor& monitor);

// The run that the arrays are for, which checkInputs has accepted: of fewer tokens than the model
// has positions, 0 fills the rest; of an input that nobody reads, ones where none is given.
passes::Sample sampleOf(const ModelFacts& facts, const std::vector<runtime::InputArray>& arrays);
// The other way round: a sample as a user would give it.
std::vector<runtime::InputArray> arraysOf(const ModelFacts& facts, const passes::Sample& sample);

// The sample with the shapes of the function's inputs, of which it may be those of a model of more
// tokens, or of fewer: 0 fills the rest.
absl::StatusOr<passes::Sample> inputsOf(const ir::Function& function, const passes::Sample& sample);

}  // namespace lindero::compiler
