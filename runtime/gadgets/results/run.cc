// Requantization, and functions by table.
#include <algorithm>

#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kGrain = uint64_t{1} << 14;  // elements per task

}  // namespace

absl::Status run(const StepContext& context, const Requantize& step) {
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

absl::Status run(const StepContext& context, const TableLookup& step) {
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

}  // namespace lindero::runtime
