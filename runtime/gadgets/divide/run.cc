// The quotient of two tensors, element by element.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kGrain = uint64_t{1} << 14;  // elements per task

}  // namespace

absl::Status run(const StepContext& context, const Divide& step) {
  absl::Span<const int32_t> a = context.in(step.a()), b = context.in(step.b());
  absl::Span<int32_t> quotient = context.out(step.quotient()),
                      remainder = context.out(step.remainder()),
                      negative = context.out(step.negative());
  const int64_t high = (int64_t{1} << (step.bits() - 1)) - 1, low = -high - 1;
  const uint64_t tasks = (a.size() + kGrain - 1) / kGrain;
  return context.forEach(tasks, 1, [&](uint64_t task) -> absl::Status {
    for (uint64_t i = task * kGrain; i < std::min<uint64_t>(a.size(), (task + 1) * kGrain); ++i) {
      if (b[i] == 0) {
        return absl::OutOfRangeError(absl::StrCat("node \"", context.step.node(), "\" (",
                                                  context.step.region(), "): element ", i,
                                                  " is divided by 0"));
      }
      // |a| is below 2^31 and the shift below 30: twice their product fits, and |b| besides.
      const int64_t sign = b[i] < 0 ? -1 : 1, denominator = sign * b[i];
      const int64_t scaled = a[i] * (int64_t{1} << step.shift());
      const int64_t sum = 2 * sign * scaled + denominator;
      const int64_t q = sum / (2 * denominator) - (sum % (2 * denominator) < 0 ? 1 : 0);
      if (q < low || q > high) return context.error(RangeViolation{"quotient", 0, i, q, low, high});
      quotient[i] = static_cast<int32_t>(q);
      remainder[i] = static_cast<int32_t>(scaled - q * b[i]);
      negative[i] = b[i] < 0 ? 1 : 0;
    }
    return absl::OkStatus();
  });
}

}  // namespace lindero::runtime
