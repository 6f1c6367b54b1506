#include "runtime/tamper/scene.h"

#include <algorithm>

#include "runtime/field/m31.h"
#include "runtime/package/placement.h"

namespace lindero::runtime {

std::vector<CellChange> copiesOf(const Scene& s, uint32_t buffer, uint64_t element) {
  for (const Placement& placement : s.package.program().placements()) {
    if (placement.buffer() != buffer || placement.lanes() != 1) continue;
    std::vector<CellChange> copies;
    forEachRun(placement, 0, s.buffers.at(buffer).size(), [&](const PlacementRun& run) {
      for (uint64_t i = 0; i < run.count; ++i) {
        if (run.value + i * static_cast<uint64_t>(run.value_stride) != element) continue;
        copies.push_back({placement.table(), placement.column(),
                          run.row + i * static_cast<uint64_t>(run.row_stride), 0});
      }
    });
    if (copies.size() < 2) continue;
    std::sort(copies.begin(), copies.end(),
              [](const CellChange& a, const CellChange& b) { return a.row < b.row; });
    return copies;
  }
  return {};
}

bool changeCopy(const Scene& s, uint32_t buffer, uint64_t element, uint64_t tile, int64_t delta) {
  std::vector<CellChange> copies = copiesOf(s, buffer, element);
  if (tile >= copies.size()) return false;
  copies[tile].value = M31::fromSigned(s.at(buffer, element) + delta).value();
  s.cells.push_back(copies[tile]);
  return true;
}

int64_t anyTile(const Scene& s, uint32_t buffer, uint64_t element) {
  const size_t row_tiles = copiesOf(s, buffer, element).size();
  return row_tiles == 0 ? -1 : static_cast<int64_t>(s.draws.below(row_tiles));
}

}  // namespace lindero::runtime
