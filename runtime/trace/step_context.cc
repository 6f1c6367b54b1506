#include "runtime/trace/step_context.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lindero::runtime {

absl::Status StepContext::error(const RangeViolation& violation) const {
  return absl::OutOfRangeError(
      absl::StrCat("node \"", step.node(), "\" (", step.region(), "): ", violation.what, " ",
                   violation.value, " at [", violation.row, ", ", violation.column,
                   "] is outside of the proven range [", violation.low, ", ", violation.high,
                   "]; calibrate with inputs like this one or compile with more headroom"));
}

absl::Status StepContext::error(absl::string_view reason) const {
  return absl::FailedPreconditionError(
      absl::StrCat("node \"", step.node(), "\" (", step.region(), "): ", reason));
}

absl::Status StepContext::forEach(uint64_t count, uint64_t grain,
                                  absl::FunctionRef<absl::Status(uint64_t)> body) const {
  std::mutex mutex;
  uint64_t first_error = count;
  absl::Status result;
  pool.parallelFor((count + grain - 1) / grain, [&](uint64_t task, int) {
    for (uint64_t i = task * grain; i < std::min(count, (task + 1) * grain); ++i) {
      absl::Status status = body(i);
      if (status.ok()) continue;
      std::lock_guard<std::mutex> lock(mutex);
      if (i < first_error) {
        first_error = i;
        result = std::move(status);
      }
      return;
    }
  });
  return result;
}

}  // namespace lindero::runtime
