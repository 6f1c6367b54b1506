// Steps that treat elements or rows one by one: load, gather_rows, requantize, table_lookup,
// copy_rows, argmax.
#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/package/placement.h"
#include "runtime/package/status_macros.h"
#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kGrain = uint64_t{1} << 14;  // elements per task

}  // namespace

absl::Status runLoad(const StepContext& context, const Load& step) {
  const Placement& placement = step.placement();
  absl::Span<int32_t> out = context.out(step.out());
  auto load = [&](uint64_t lane) {
    loadLane(placement, lane,
             context.package.fixedColumn(placement.table(),
                                         placement.column() + static_cast<uint32_t>(lane)),
             out);
    return absl::OkStatus();
  };
  uint64_t grain = isInjective(placement) ? 1 : placement.lanes();
  return context.forEach(placement.lanes(), grain, load);
}

absl::Status runGatherRows(const StepContext& context, const GatherRows& step) {
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

absl::Status runRequantize(const StepContext& context, const Requantize& step) {
  absl::Span<const int32_t> acc = context.in(step.acc());
  absl::Span<const int32_t> addend;
  if (step.has_addend()) addend = context.in(step.addend());
  absl::Span<int32_t> quotient = context.out(step.quotient()),
                      remainder = context.out(step.remainder());
  const int64_t half = int64_t{1} << (step.shift() - 1), mask = (int64_t{1} << step.shift()) - 1;
  const int64_t high = (int64_t{1} << (step.bits() - 1)) - 1, low = -high - 1;
  const uint64_t tasks = (acc.size() + kGrain - 1) / kGrain;
  return context.forEach(tasks, 1, [&](uint64_t task) -> absl::Status {
    for (uint64_t i = task * kGrain; i < std::min<uint64_t>(acc.size(), (task + 1) * kGrain); ++i) {
      // |acc| < 2^31 and |addend * 2^addend_shift| < 2^61.
      int64_t sum = acc[i] + half;
      if (step.has_addend())
        sum += static_cast<int64_t>(addend[i]) * (int64_t{1} << step.addend_shift());
      int64_t q = sum >> step.shift();
      if (q < low || q > high) {
        return context.error(RangeViolation{"requantized value", 0, i, q, low, high});
      }
      quotient[i] = static_cast<int32_t>(q);
      remainder[i] = static_cast<int32_t>(sum & mask);
    }
    return absl::OkStatus();
  });
}

absl::Status runTableLookup(const StepContext& context, const TableLookup& step) {
  absl::Span<const int32_t> key = context.in(step.key());
  absl::Span<int32_t> out = context.out(step.out());
  absl::Span<const uint32_t> table =
      context.fixed(step.table(), step.column(), step.first_row(), step.rows());
  const int64_t high = step.low() + static_cast<int64_t>(step.rows()) - 1;
  const uint64_t tasks = (key.size() + kGrain - 1) / kGrain;
  return context.forEach(tasks, 1, [&](uint64_t task) -> absl::Status {
    for (uint64_t i = task * kGrain; i < std::min<uint64_t>(key.size(), (task + 1) * kGrain); ++i) {
      if (key[i] < step.low() || key[i] > high) {
        return context.error(RangeViolation{"table key", 0, i, key[i], step.low(), high});
      }
      out[i] = signedValue(table[static_cast<size_t>(key[i] - step.low())]);
    }
    return absl::OkStatus();
  });
}

absl::Status runCopyRows(const StepContext& context, const CopyRows& step) {
  absl::Span<const int32_t> in = context.in(step.in());
  absl::Span<int32_t> out = context.out(step.out());
  const uint64_t width = step.width();
  for (int i = 0; i < step.rows_size(); ++i) {
    std::copy_n(in.data() + step.rows(i) * width, width,
                out.data() + static_cast<uint64_t>(i) * width);
  }
  return absl::OkStatus();
}

absl::Status runAppendRows(const StepContext& context, const AppendRows& step) {
  absl::Span<const int32_t> first = context.in(step.first()), second = context.in(step.second());
  std::copy(second.begin(), second.end(),
            std::copy(first.begin(), first.end(), context.out(step.out()).begin()));
  return absl::OkStatus();
}

absl::Status runArgmax(const StepContext& context, const Argmax& step) {
  constexpr int64_t kBound = (int64_t{1} << 29) - 1;
  const uint64_t width = step.width(), blocks = (width + step.lanes() - 1) / step.lanes();
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
    const uint64_t padded = blocks * step.lanes();
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
    for (uint64_t block = 0; block < blocks; ++block) {
      context.out(step.index_sums())[row * blocks + block] =
          static_cast<int32_t>(std::min(best, (block + 1) * step.lanes()));
    }
    return absl::OkStatus();
  });
}

}  // namespace lindero::runtime
