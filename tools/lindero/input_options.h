// What the user gives a model: token ids, text, a file of named arrays, or a proof to go on from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "runtime/decode/decode_options.h"
#include "runtime/inputs/inputs.h"
#include "runtime/tokenizer/tokenizer.h"

namespace lindero::cli {

using runtime::DecodeOptions;
using runtime::InputArray;
using runtime::Tokenizer;

// At most one of the first four is given.
struct InputOptions {
  std::string file;  // .json, .npy, .npz
  std::vector<int64_t> tokens;
  std::optional<std::string> prompt;
  std::string from;  // a proof, whose tokens are continued
  DecodeOptions decode;

  bool given() const { return !file.empty() || !tokens.empty() || prompt || !from.empty(); }
};

void addDecodeOptions(CLI::App& app, DecodeOptions& options);
// The first four. Of the group that is returned, exactly one option must be given; a command may
// add its own, or demand less.
CLI::Option_group* addInputOptions(CLI::App& app, InputOptions& options);

// The arrays that the options stand for; `tokenizer` may be null.
absl::StatusOr<std::vector<InputArray>> gatherInputs(const InputOptions& options,
                                                     const runtime::ModelFacts& facts,
                                                     const Tokenizer* tokenizer);

}  // namespace lindero::cli
