// The public values of a run, in plain words.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/tokenizer/tokenizer.h"
#include "runtime/values/public_values.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

using runtime::PublicTensorValues;
using runtime::Tokenizer;

// All tensors in JSON; in text the first values of `most` of them, outputs before inputs: the
// others are details. The tokenizer, if there is one, adds texts.
void addPublicValues(const std::vector<PublicTensorValues>& tensors,
                     const std::optional<Tokenizer>& tokenizer, Summary& summary,
                     size_t most = SIZE_MAX);

// Prompt, chosen tokens, how many of the given ones are the model's choice, too, and the blocks
// that the circuit proves the run in.
void addDecodeRun(const runtime::DecodeRun& run, const Circuit& circuit,
                  const std::vector<PublicTensorValues>& tensors, const runtime::StopRule& rule,
                  const std::optional<Tokenizer>& tokenizer, Summary& summary);

}  // namespace lindero::cli
