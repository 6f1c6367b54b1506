// Argmax of rows.
#include <algorithm>

#include "runtime/trace/kernels.h"

namespace lindero::runtime {

absl::Status run(const StepContext& context, const Argmax& step) {
  constexpr int64_t kBound = (int64_t{1} << 29) - 1;
  const uint64_t width = step.width(), row_tiles = (width + step.lanes() - 1) / step.lanes();
  return context.forEach(step.rows(), 1, [&](uint64_t row) -> absl::Status {
    absl::Span<const int32_t> values = context.in(step.values()).subspan(row * width, width);
    for (uint64_t c = 0; c < width; ++c) {
      if (values[c] < -kBound || values[c] > kBound) {
        return context.error(RangeViolation{"compared value", row, c, values[c], -kBound, kBound});
      }
    }
    // max_element gives the first of equal ones.
    uint64_t best = std::max_element(values.begin(), values.end()) - values.begin();
    context.out(step.index())[row] = static_cast<int32_t>(best);
    context.out(step.maximum())[row] = values[best];
    const uint64_t padded = row_tiles * step.lanes();
    auto rowOf = [&](uint32_t buffer) { return context.out(buffer).subspan(row * padded, padded); };
    absl::Span<int32_t> befores = rowOf(step.before()), high = rowOf(step.high()),
                        low = rowOf(step.low());
    for (uint64_t c = 0; c < padded; ++c) {
      // Strictly smaller before the maximum, at most equal after it; < 2^30. Lanes beyond the width
      // hold the least value that there is.
      int32_t before = c < best ? 1 : 0;
      int32_t gap = values[best] - (c < width ? values[c] : int32_t{-kBound}) - before;
      befores[c] = before;
      high[c] = gap >> 15;
      low[c] = gap & 0x7fff;
    }
    for (uint64_t tile = 0; tile < row_tiles; ++tile) {
      context.out(step.index_sums())[row * row_tiles + tile] =
          static_cast<int32_t>(std::min(best, (tile + 1) * step.lanes()));
    }
    return absl::OkStatus();
  });
}

}  // namespace lindero::runtime
