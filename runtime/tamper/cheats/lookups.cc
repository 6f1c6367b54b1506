// Cheats of embeddings and of tables of functions.
#include "runtime/field/m31.h"
#include "runtime/tamper/cheats/scene.h"

namespace lindero::runtime {
namespace {

bool rowOfAnotherToken(const Scene& s) {
  const GatherRows& g = s.step.gather_rows();
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

bool valueOfAnotherKey(const Scene& s) {
  const TableLookup& l = s.step.table_lookup();
  const uint64_t e = s.any(l.out());
  const uint64_t row = l.first_row() + s.draws.below(l.rows());
  s.at(l.out(), e) = static_cast<int32_t>(
      M31::fromCanonical(s.package.fixedColumn(l.table(), l.column())[row]).centered());
  return true;
}

constexpr Cheat kCheats[] = {
    {Step::kGatherRows, "row of another token", on<rowOfAnotherToken>, {"lookup embeddings.row"}},
    {Step::kTableLookup,
     "value of another key",
     on<valueOfAnotherKey>,
     {"lookup results.function"}},
};

}  // namespace

absl::Span<const Cheat> lookupCheats() { return kCheats; }

}  // namespace lindero::runtime
