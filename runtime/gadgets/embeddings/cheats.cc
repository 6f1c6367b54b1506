// Cheats of embeddings.
#include "runtime/tamper/scene.h"

namespace lindero::runtime {
namespace {

bool rowOfAnotherToken(const Scene& s) {
  const Embedding& g = s.step.embedding();
  const uint64_t tokens = s.buffers.at(g.ids()).size();
  const uint64_t a = s.draws.below(tokens), b = s.draws.below(tokens);
  if (s.at(g.ids(), a) == s.at(g.ids(), b)) return false;
  for (uint64_t c = 0; c < g.width(); ++c) {
    int64_t row = s.at(g.out(), b * g.width() + c);
    if (g.has_addend()) {
      row += s.at(g.addend(), a * g.width() + c) - s.at(g.addend(), b * g.width() + c);
    }
    s.at(g.out(), a * g.width() + c) = static_cast<int32_t>(row);
  }
  return true;
}

constexpr Cheat kCheats[] = {
    {Step::kEmbedding, "row of another token", on<rowOfAnotherToken>, {"lookup embeddings.row"}},
};

}  // namespace

absl::Span<const Cheat> embeddingsCheats() { return kCheats; }

}  // namespace lindero::runtime
