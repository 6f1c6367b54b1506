// Steps that move elements as they are: out of the fixed columns, and rows from buffer to buffer.
#include <algorithm>

#include "runtime/package/mapped_file.h"
#include "runtime/package/placement.h"
#include "runtime/package/status_macros.h"
#include "runtime/trace/kernels.h"

namespace lindero::runtime {

absl::Status run(const StepContext& context, const Load& step) {
  const Placement& placement = step.placement();
  absl::Span<int32_t> out = context.out(step.out());
  auto columnOf = [&](uint64_t lane) {
    return context.package.fixedColumn(placement.table(),
                                       placement.column() + static_cast<uint32_t>(lane));
  };
  if (context.package.fixedLayout().bytes() >= kAnnouncedBytes) {
    const auto [first, last] = rowsOf(placement);
    constexpr uint64_t kLanes = 64;
    LINDERO_RETURN_IF_ERROR(context.forEach(placement.lanes(), kLanes, [&](uint64_t lane) {
      readAhead(columnOf(lane).subspan(first, last - first + 1));
      return absl::OkStatus();
    }));
  }
  if (context.buffers.inPlace(step.out()) != nullptr) return absl::OkStatus();
  if (!isInjective(placement)) {
    for (uint64_t lane = 0; lane < placement.lanes(); ++lane)
      loadLane(placement, lane, columnOf(lane), out);
    return absl::OkStatus();
  }
  const PlacementTiles tiles(placement);
  constexpr uint64_t kGrain = 16;
  return context.forEach(tiles.count(), kGrain, [&](uint64_t tile) {
    tiles.load(tile, columnOf, out);
    return absl::OkStatus();
  });
}

absl::Status run(const StepContext& context, const CopyRows& step) {
  absl::Span<const int32_t> in = context.in(step.in());
  absl::Span<int32_t> out = context.out(step.out());
  const uint64_t width = step.width();
  for (int i = 0; i < step.rows_size(); ++i) {
    std::copy_n(in.data() + step.rows(i) * width, width,
                out.data() + static_cast<uint64_t>(i) * width);
  }
  return absl::OkStatus();
}

absl::Status run(const StepContext& context, const AppendRows& step) {
  absl::Span<const int32_t> first = context.in(step.first()), second = context.in(step.second());
  std::copy(second.begin(), second.end(),
            std::copy(first.begin(), first.end(), context.out(step.out()).begin()));
  return absl::OkStatus();
}

}  // namespace lindero::runtime
