// A GPT of one block, written in the integer dialect: 4 tokens, width 8, 2 heads, 10 words, argmax
// at the last two positions. It has every kind of table that a transformer needs, and is small
// enough to check every column.
#pragma once

#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::test {

inline constexpr int64_t kToyTokens = 4;
inline constexpr int64_t kToyVocabulary = 10;

// @main with input "input_ids" and output "next".
absl::Status makeToyGpt(ir::Module& module);

}  // namespace lindero::test
