// recognize-embedding: a table looked up by token ids, with what is added to it, as
// tensor.embedding.
//
// Guarantees: rows of a constant matrix gathered by ids of any shape are one op; constants added to
// an embedding that nothing else reads (position and type embeddings, of its shape or broadcast to
// it) are its addend; scalar factors scale table and addend.
// Preserves: values up to rounding. One forward sweep.
#pragma once

#include <memory>

#include "passes/pass.h"

namespace lindero::passes {

std::unique_ptr<Pass> createRecognizeEmbedding();
absl::Status registerRecognizeEmbedding();

}  // namespace lindero::passes
