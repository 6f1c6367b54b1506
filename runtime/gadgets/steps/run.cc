// The steps of a decode run.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/trace/kernels.h"

namespace lindero::runtime {

absl::Status run(const StepContext& context, const Decode& step) {
  absl::Span<const int32_t> tape = context.in(step.tape()), lengths = context.in(step.lengths());
  const int32_t before = lengths[0], steps = lengths[1] - before, given_before = lengths[2],
                given = lengths[3] - given_before, rows = static_cast<int32_t>(tape.size()) - 1;
  if (before < 0 || steps < 0 || steps > rows || given_before < 0 || given < 0 || given > steps) {
    return context.error(absl::StrCat("a run of ", steps, " steps, ", given,
                                      " of them given, does not fit into ", rows));
  }
  for (int32_t i = steps + 1; i <= rows; ++i) {
    if (tape[i] == 0) continue;
    return context.error(absl::StrCat("token ", tape[i], " at position ", i,
                                      " of the tape stands after the run, which ends at ", steps));
  }
  for (int32_t t = 0; t < rows; ++t) {
    const bool active = t < steps;
    context.out(step.active())[t] = active;
    context.out(step.chosen())[t] = t >= given;
    context.out(step.frontier_in())[t] = before + std::min(t, steps);
    context.out(step.frontier_out())[t] = before + std::min(t + 1, steps);
    context.out(step.given_in())[t] = given_before + std::min(t, given);
    context.out(step.given_out())[t] = given_before + std::min(t + 1, given);
    context.out(step.token_in())[t] = active ? tape[t] : 0;
    context.out(step.token_out())[t] = active ? tape[t + 1] : 0;
  }
  return absl::OkStatus();
}

absl::Status run(const StepContext& context, const Mask& step) {
  absl::Span<const int32_t> keep = context.in(step.keep()), value = context.in(step.value());
  absl::Span<int32_t> out = context.out(step.out());
  for (size_t i = 0; i < out.size(); ++i) out[i] = keep[i] == 1 ? value[i] : 0;
  return absl::OkStatus();
}

}  // namespace lindero::runtime
