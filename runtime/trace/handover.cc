// Steps that take values from outside of the program, or leave them there: public tensors, and what
// the blocks of a bundle hand on.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/package/statement.h"
#include "runtime/trace/kernels.h"

namespace lindero::runtime {

// Values of public tensors are within +-p/2, which checkValues has checked.
absl::Status run(const StepContext& context, const Input& step) {
  const PublicValues& values = context.state.statement->tensors(static_cast<int>(step.tensor()));
  absl::Span<int32_t> out = context.out(step.out());
  for (int i = 0; i < values.values_size(); ++i) out[i] = static_cast<int32_t>(values.values(i));
  return absl::OkStatus();
}

absl::Status run(const StepContext& context, const Output& step) {
  PublicValues* values = context.state.statement->mutable_tensors(static_cast<int>(step.tensor()));
  absl::Span<const int32_t> in = context.in(step.buffer());
  values->mutable_values()->Assign(in.begin(), in.end());
  absl::Status status =
      checkValues(context.package.circuit().publics(static_cast<int>(step.tensor())), *values);
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat("node \"", context.step.node(), "\": ", status.message()));
}

// The first block is given zeros, which the buffer holds already.
absl::Status run(const StepContext& context, const LinkIn& step) {
  const LinkValues& before = *context.state.before;
  if (before.empty()) return absl::OkStatus();
  absl::Span<int32_t> out = context.out(step.out());
  if (step.slot() >= before.size() || before[step.slot()].size() != out.size()) {
    return context.error(absl::StrCat("the block before left nothing in slot ", step.slot()));
  }
  std::copy(before[step.slot()].begin(), before[step.slot()].end(), out.begin());
  return absl::OkStatus();
}

absl::Status run(const StepContext& context, const LinkOut& step) {
  LinkValues& after = *context.state.after;
  absl::Span<const int32_t> in = context.in(step.buffer());
  if (after.size() <= step.slot()) after.resize(step.slot() + 1);
  after[step.slot()].assign(in.end() - step.elements(), in.end());
  return absl::OkStatus();
}

}  // namespace lindero::runtime
