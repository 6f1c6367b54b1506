#include "passes/lower_air/gadgets/layout.h"

#include <cassert>

#include "absl/strings/str_cat.h"
#include "llvm/Support/MathExtras.h"

namespace lindero::passes {

int64_t Layout::columns(const Product& product) const {
  return llvm::alignTo(product.columns, lanes(product.padded_to));
}

const std::vector<Stack>& Layout::stacks(const TableKind& kind) const {
  static const std::vector<Stack> kNone;
  auto it = stacks_.find(&kind);
  return it == stacks_.end() ? kNone : it->second;
}

int64_t Layout::stackedRow(const TableKind& kind, size_t item) const {
  int64_t base = 0;
  for (const Stack& stack : stacks(kind)) {
    for (const Placed& placed : stack.items) {
      if (placed.item == item) return base + placed.first_row;
    }
    base += heightOf(stack.rows);
  }
  return 0;
}

int64_t Layout::stackedRows(const TableKind& kind) const {
  int64_t rows = 0;
  for (const Stack& stack : stacks(kind)) rows += heightOf(stack.rows);
  return rows;
}

absl::Status Layout::address() {
  std::vector<int64_t> addresses;
  int64_t next = 1;
  for (const auto& [id, copy] : llvm::enumerate(wiring_->copies())) {
    auto differ = [&](LaneId id, std::optional<LaneId> other) {
      return other && lanes(id) != lanes(*other);
    };
    if (differ(copy.row_lanes, copy.same_rows) || differ(copy.column_lanes, copy.same_columns)) {
      return cannotLower(*copy.origin.op, "its values come from no matrix product");
    }
    const std::optional<int64_t> own = wiring_->linkAddress(id);
    addresses.push_back(own.value_or(next));
    if (!own) next += edge(id).tiles();
  }
  if (!wiring_->links().empty() && next > kFirstLinkAddress) {
    return absl::UnimplementedError(absl::StrCat("cannot lower a segment of ", next - 1,
                                                 " tiles; there are addresses for ",
                                                 kFirstLinkAddress - 1, ": cut it"));
  }
  addresses_ = std::move(addresses);
  return absl::OkStatus();
}

Edge Layout::edge(CopyId id) const {
  const Copy& copy = wiring_->copies()[id];
  Edge edge{.rows = copy.rows,
            .columns = copy.columns,
            .tile_rows = lanes(copy.row_lanes),
            .tile_columns = lanes(copy.column_lanes),
            .group = copy.group,
            .selected = copy.selected,
            .ends_last = copy.row_lanes == wiring_->down() && !copy.selected.empty(),
            .columns_last = wiring_->laneRules()[copy.column_lanes].length > 0,
            .blocks = copy.blocks};
  if (!addresses_.empty()) edge.address = addresses_[id];
  return edge;
}

Edge Layout::block(CopyId id, int64_t block, int64_t blocks) const {
  Edge edge = this->edge(id);
  edge.rows /= blocks;
  assert(edge.rows % edge.tile_rows == 0 || edge.blocks == blocks);
  edge.blocks = 1;
  edge.address += block * edge.tiles();
  return edge;
}

std::vector<Edge> Layout::edges(llvm::ArrayRef<CopyId> copies) const {
  std::vector<Edge> edges;
  for (CopyId copy : copies) edges.push_back(edge(copy));
  return edges;
}

}  // namespace lindero::passes
