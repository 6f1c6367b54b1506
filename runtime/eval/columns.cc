#include "runtime/eval/columns.h"

#include <algorithm>

#include "runtime/field/lanes.h"
#include "runtime/package/mapped_file.h"

namespace lindero::runtime {

Columns::Columns(const Package& package, absl::Span<const uint32_t> main)
    : announced_(std::max(package.fixedLayout().bytes(), package.traceLayout().bytes()) >=
                 kAnnouncedBytes) {
  const Circuit& circuit = package.circuit();
  views_.resize(circuit.tables_size());
  owned_.resize(circuit.tables_size());
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    views_[t].resize(table.columns_size());
    owned_[t].resize(table.columns_size());
    for (int c = 0; c < table.columns_size(); ++c) {
      if (table.columns(c).phase() == 0) views_[t][c].limb[0] = package.fixedColumn(t, c).data();
      if (table.columns(c).phase() == 1) {
        views_[t][c].limb[0] = package.traceLayout().column(main, t, c).data();
      }
    }
  }
}

MutableExtColumn Columns::allocate(uint32_t table, uint32_t column, uint64_t height) {
  const uint64_t padded = (height + kLanes - 1) / kLanes * kLanes;
  std::unique_ptr<uint32_t[]>& memory = owned_[table][column];
  if (memory == nullptr) memory.reset(new uint32_t[4 * padded]);
  MutableExtColumn result;
  for (size_t k = 0; k < 4; ++k) {
    result.limb[k] = memory.get() + k * padded;
    views_[table][column].limb[k] = result.limb[k];
  }
  return result;
}

void Columns::release(uint32_t table, uint32_t column) {
  owned_[table][column].reset();
  views_[table][column] = ColumnView();
}

}  // namespace lindero::runtime
