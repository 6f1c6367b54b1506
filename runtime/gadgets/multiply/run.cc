// The product of two tensors, element by element.
#include <algorithm>

#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kGrain = uint64_t{1} << 14;  // elements per task

}  // namespace

absl::Status run(const StepContext& context, const Multiply& step) {
  absl::Span<const int32_t> a = context.in(step.a()), b = context.in(step.b());
  absl::Span<int32_t> quotient = context.out(step.quotient()),
                      remainder = context.out(step.remainder());
  const int64_t half = int64_t{1} << (step.shift() - 1), mask = (int64_t{1} << step.shift()) - 1;
  const int64_t high = (int64_t{1} << (step.bits() - 1)) - 1, low = -high - 1;
  const uint64_t tasks = (a.size() + kGrain - 1) / kGrain;
  return context.forEach(tasks, 1, [&](uint64_t task) -> absl::Status {
    for (uint64_t i = task * kGrain; i < std::min<uint64_t>(a.size(), (task + 1) * kGrain); ++i) {
      // |a| and |b| are below 2^31.
      const int64_t sum = int64_t{a[i]} * b[i] + half, q = sum >> step.shift();
      if (q < low || q > high) return context.error(RangeViolation{"product", 0, i, q, low, high});
      quotient[i] = static_cast<int32_t>(q);
      remainder[i] = static_cast<int32_t>(sum & mask);
    }
    return absl::OkStatus();
  });
}

}  // namespace lindero::runtime
