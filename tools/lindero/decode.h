// Greedy decoding: a prompt, and behind it tokens that are each the model's choice, the argmax of
// the position before (of equal logits, the one of the lowest id).
//
// Tokens are chosen by the package's own integer program, one pass over the compiled length per
// token, so that a decoded text does not depend on floating point. Because a causal model's
// position depends on nothing behind it, the one run over all of these tokens that is proven shows
// every choice: whoever sees its public tokens and choices can check them, and `checkGreedy` does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "runtime/package/statement.pb.h"
#include "tools/lindero/context.h"
#include "tools/lindero/public_values.h"
#include "tools/lindero/tokenizer.h"

namespace lindero::cli {

struct OpenedPackage;

struct DecodeOptions {
  int64_t generate = 0;       // tokens behind the prompt, at most
  std::vector<int64_t> stop;  // each of these ends a run; it is the last token then
};

// Tokens [0, prompt) were given, [prompt, prompt + generated) chosen.
struct DecodedRun {
  int64_t prompt = 0;
  int64_t generated = 0;
  bool stopped = false;  // by a stop token
};

void addDecodeOptions(CLI::App& app, DecodeOptions& options);

// Appends tokens to the `given` ones of the statement's token input. Fails if the model is not
// causal, does not publish its choice at every position that counts, or has no room.
absl::StatusOr<DecodedRun> generateTokens(const OpenedPackage& opened, const DecodeOptions& options,
                                          int64_t given, int threads, Context& context,
                                          Statement& statement);

// Of the public values of a proven run: that its tokens are the prompt and then, as far as
// `options` say, the choices of the model. The error says which token is not.
absl::StatusOr<DecodedRun> checkGreedy(const std::vector<PublicTensorValues>& tensors,
                                       const std::vector<int64_t>& prompt,
                                       const DecodeOptions& options);

void addDecodedRun(const DecodedRun& run, const std::vector<PublicTensorValues>& tensors,
                   const std::optional<Tokenizer>& tokenizer, Summary& summary);

}  // namespace lindero::cli
