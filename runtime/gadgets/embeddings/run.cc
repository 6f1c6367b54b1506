// Rows of a table of the fixed columns.
#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/package/placement.h"
#include "runtime/trace/kernels.h"

namespace lindero::runtime {

absl::Status run(const StepContext& context, const Embedding& step) {
  absl::StatusOr<PlacementIndex> index = PlacementIndex::create(step.rows());
  if (!index.ok()) return context.error(index.status().message());
  absl::Span<const int32_t> ids = context.in(step.ids());
  absl::Span<const int32_t> addend;
  if (step.has_addend()) addend = context.in(step.addend());
  absl::Span<int32_t> out = context.out(step.out());
  const uint64_t width = step.width(), padding = step.padding();
  return context.forEach(ids.size(), 1, [&](uint64_t row) -> absl::Status {
    int64_t id = ids[row];
    if (id < 0 || id >= step.vocabulary()) {
      return context.error(
          RangeViolation{"row number", row, 0, id, 0, int64_t{step.vocabulary()} - 1});
    }
    for (uint64_t c = 0; c < width; ++c) {
      std::optional<PlacementIndex::Cell> cell = index->find(
          id * static_cast<int64_t>(padding + width) + static_cast<int64_t>(padding + c));
      if (!cell) return context.error(absl::StrCat("no fixed cell holds row ", id, ", column ", c));
      uint32_t column = step.rows().column() + static_cast<uint32_t>(cell->lane);
      int64_t value =
          signedValue(context.package.fixedColumn(step.rows().table(), column)[cell->row]);
      if (step.has_addend()) value += addend[row * width + c];
      if (value < -kMaxElement || value > kMaxElement) {
        return context.error(RangeViolation{"sum", row, c, value, -kMaxElement, kMaxElement});
      }
      out[row * width + c] = static_cast<int32_t>(value);
    }
    return absl::OkStatus();
  });
}

}  // namespace lindero::runtime
