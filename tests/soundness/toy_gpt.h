// A small GPT written in the integer dialect: 4 tokens, width 8, 2 heads, 10 words, an argmax at
// the last two positions. It has every kind of table that a transformer needs, and is small enough
// to check every cell. The first block has LayerNorm and one product for Q, K and V, the second one
// RMSNorm and a product for each, so that the norm's output fans out.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::test {

inline constexpr int64_t kToyTokens = 4;
inline constexpr int64_t kToyVocabulary = 10;
inline constexpr int64_t kToySteps = 8;

struct ToyOptions {
  int layers = 2;
  bool logits = false;   // publish the logits, as "logits", and not their argmax
  bool embedded = true;  // else the input is the residual stream, "x", and no embedding
  bool causal = true;
  bool gated = false;   // what the activation gives is multiplied by a second linear's result
  bool copied = false;  // tensors are permuted, transposed and joined with a constant on their way
  // Rows of very different size: the residual stream is wide, and norms shift each row by itself.
  bool wide = false;
  int64_t lanes = 4;    // of the tables, at most
  bool ties = false;    // words 2w and 2w + 1 have the same weights in the head: maxima are tied
  bool decode = false;  // a step table, kToySteps tokens, an argmax at each position
  // With a step table: of this many steps, a block that carries context; which one is run.
  int64_t block = 0, at = 0;
  // No GPT but the program of this seed (general_program.h).
  std::optional<uint32_t> general = {};
  // Terms and public tensors in a sum group for each class: "local", "continuity", "boundary".
  bool class_groups = false;
};

// @main with input "input_ids" and output "next" (or as the options say).
absl::Status makeToyGpt(ir::Module& module, const ToyOptions& options = {});

}  // namespace lindero::test
