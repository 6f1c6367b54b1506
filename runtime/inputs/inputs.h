// What the user gives a model: token ids, text, or named arrays in a file; and how it becomes the
// integer values of the circuit's public inputs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/inputs/numpy_file.h"
#include "runtime/model/model_facts.h"
#include "runtime/package/circuit.pb.h"
#include "runtime/package/statement.pb.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tools/lindero/decode.h"

namespace lindero::cli {

// At most one of the first four is given.
struct InputOptions {
  std::string file;  // .json, .npy, .npz
  std::vector<int64_t> tokens;
  std::optional<std::string> prompt;
  std::string from;       // a proof, whose tokens are continued
  std::string tokenizer;  // path; empty: tokenizer.json of the package or beside the model
  DecodeOptions decode;
};

// An object of name -> nested list, or a bare nested list, which gets an empty name. Numbers of
// a list are all integers, or the list is one of reals.
absl::StatusOr<std::vector<InputArray>> parseInputJson(absl::string_view text);
absl::StatusOr<std::vector<InputArray>> readInputFile(const std::string& path);

// The arrays that the options stand for; `tokenizer` may be null.
absl::StatusOr<std::vector<InputArray>> gatherInputs(const InputOptions& options,
                                                     const compiler::ModelFacts& facts,
                                                     const Tokenizer* tokenizer);

// One entry per public input of the circuit, in its order. Checks names, shapes (sizes of 1 do not
// count), element types and the vocabulary; rounds reals to the input's fixed-point type and
// refuses those beyond its range. Where the model is causal, fewer tokens than compiled for are
// padded with token 0 behind them: `given` says how many were given.
struct BoundInputs {
  Statement statement;
  int64_t given_tokens = -1;  // -1: the model reads no tokens
};
absl::StatusOr<BoundInputs> bindInputs(const Circuit& circuit, const compiler::ModelFacts& facts,
                                       const std::vector<InputArray>& arrays);

// The tokens that a decode run starts with: any number.
absl::StatusOr<std::vector<int64_t>> promptOf(const compiler::ModelFacts& facts,
                                              const std::vector<InputArray>& arrays);

}  // namespace lindero::cli
