// Decode runs on the command line: greedy continuation of a prompt, and what a proof says of it.
//
// Tokens are chosen by the package's own integer program, so that a decoded text does not depend on
// floating point. That each is the model's choice, which tokens were given and how many were chosen
// is proven by the step table; when a run may end is a rule about public tokens, checked here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "runtime/decode/decode_run.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/values/public_values.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

struct OpenedPackage;

struct DecodeOptions {
  int64_t generate = 0;       // tokens behind the prompt, at most
  std::vector<int64_t> stop;  // each of these ends a run; it is the last token then

  // Without --generate a run chooses one token.
  runtime::StopRule rule() const { return {std::max<int64_t>(1, generate), stop}; }
};

void addDecodeOptions(CLI::App& app, DecodeOptions& options);

// The shortest of the buckets (ascending) that a run from so many tokens fits in; without
// --generate, any run does that chooses nothing. Fails if none is long enough.
absl::StatusOr<int64_t> chooseBucket(const std::vector<int64_t>& buckets, int64_t prompt,
                                     const DecodeOptions& options);

// Continues the tokens as the options say; without --generate by one token, if there is room, so
// that the choice of every given one is shown.
absl::StatusOr<runtime::DecodeRun> continueTokens(const OpenedPackage& opened,
                                                  const DecodeOptions& options,
                                                  const std::vector<int64_t>& given, int threads,
                                                  Context& context);

// All tokens of the decode run that a proof is of, whether it proves them or not.
absl::StatusOr<std::vector<int64_t>> tokensOfProof(const std::string& path);

// The run that public values stand for; nothing if the circuit had no step table.
absl::StatusOr<std::optional<runtime::DecodeRun>> findDecodeRun(
    const std::vector<PublicTensorValues>& tensors);

// That a proven run is the decoding of this prompt that the options ask for. The error says why
// not.
absl::Status checkDecoding(const std::optional<runtime::DecodeRun>& run,
                           const std::vector<int64_t>& prompt, const DecodeOptions& options);

// Prompt, chosen tokens, how many of the given ones are the model's choice, too, and the blocks
// that the circuit proves the run in.
void addDecodeRun(const runtime::DecodeRun& run, const Circuit& circuit,
                  const std::vector<PublicTensorValues>& tensors, const runtime::StopRule& rule,
                  const std::optional<Tokenizer>& tokenizer, Summary& summary);

}  // namespace lindero::cli
