// A map with constants, element by element.
#include <algorithm>

#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kGrain = uint64_t{1} << 14;  // elements per task

}  // namespace

absl::Status run(const StepContext& context, const Affine& step) {
  absl::Span<const int32_t> x = context.in(step.x()), m = context.in(step.m()),
                            c = context.in(step.c()), y, n;
  if (step.has_y()) y = context.in(step.y()), n = context.in(step.n());
  absl::Span<int32_t> quotient = context.out(step.quotient()),
                      remainder = context.out(step.remainder());
  const int64_t half = (int64_t{1} << step.shift()) >> 1, mask = (int64_t{1} << step.shift()) - 1;
  const int64_t high = (int64_t{1} << (step.bits() - 1)) - 1, low = -high - 1;
  const uint64_t tasks = (x.size() + kGrain - 1) / kGrain;
  return context.forEach(tasks, 1, [&](uint64_t task) -> absl::Status {
    for (uint64_t i = task * kGrain; i < std::min<uint64_t>(x.size(), (task + 1) * kGrain); ++i) {
      // Elements are below 2^31: two products and two numbers below 2^31 fit.
      int64_t sum = int64_t{x[i]} * m[i % m.size()] + c[i % c.size()] + half;
      if (!y.empty()) sum += int64_t{y[i]} * n[i % n.size()];
      const int64_t q = sum >> step.shift();
      if (q < low || q > high) {
        return context.error(RangeViolation{"affine map", 0, i, q, low, high});
      }
      quotient[i] = static_cast<int32_t>(q);
      remainder[i] = static_cast<int32_t>(sum & mask);
    }
    return absl::OkStatus();
  });
}

}  // namespace lindero::runtime
