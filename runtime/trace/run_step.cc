#include "runtime/trace/run_step.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/package/statement.h"
#include "runtime/trace/kernels.h"

namespace lindero::runtime {
namespace {

// Values of public tensors are within +-p/2, which checkValues has checked.
absl::Status readInput(const StepContext& context, const Input& step, const Statement& statement) {
  const PublicValues& values = statement.tensors(static_cast<int>(step.tensor()));
  absl::Span<int32_t> out = context.out(step.out());
  for (int i = 0; i < values.values_size(); ++i) out[i] = static_cast<int32_t>(values.values(i));
  return absl::OkStatus();
}

absl::Status writeOutput(const StepContext& context, const Output& step, Statement& statement) {
  PublicValues* values = statement.mutable_tensors(static_cast<int>(step.tensor()));
  absl::Span<const int32_t> in = context.in(step.buffer());
  values->mutable_values()->Assign(in.begin(), in.end());
  absl::Status status =
      checkValues(context.package.circuit().publics(static_cast<int>(step.tensor())), *values);
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat("node \"", context.step.node(), "\": ", status.message()));
}

// The first block is given zeros, which the buffer holds already.
absl::Status readCarried(const StepContext& context, const CarryIn& step, const Carried& before) {
  if (before.empty()) return absl::OkStatus();
  absl::Span<int32_t> out = context.out(step.out());
  if (step.slot() >= before.size() || before[step.slot()].size() != out.size()) {
    return context.error(absl::StrCat("the block before left nothing in slot ", step.slot()));
  }
  std::copy(before[step.slot()].begin(), before[step.slot()].end(), out.begin());
  return absl::OkStatus();
}

void writeCarried(const StepContext& context, const CarryOut& step, Carried& after) {
  absl::Span<const int32_t> in = context.in(step.buffer());
  if (after.size() <= step.slot()) after.resize(step.slot() + 1);
  after[step.slot()].assign(in.end() - step.elements(), in.end());
}

}  // namespace

absl::Status runStep(const StepContext& context, Statement& statement, const Carried& before,
                     Carried& after) {
  const Step& step = context.step;
  switch (step.kind_case()) {
    case Step::kInput:
      return readInput(context, step.input(), statement);
    case Step::kLoad:
      return runLoad(context, step.load());
    case Step::kGatherRows:
      return runGatherRows(context, step.gather_rows());
    case Step::kMatmul:
      return runMatMul(context, step.matmul());
    case Step::kRequantize:
      return runRequantize(context, step.requantize());
    case Step::kTableLookup:
      return runTableLookup(context, step.table_lookup());
    case Step::kLayerNorm:
      return runLayerNorm(context, step.layer_norm());
    case Step::kSoftmax:
      return runSoftmax(context, step.softmax());
    case Step::kArgmax:
      return runArgmax(context, step.argmax());
    case Step::kDecode:
      return runDecode(context, step.decode());
    case Step::kMask:
      return runMask(context, step.mask());
    case Step::kCopyRows:
      return runCopyRows(context, step.copy_rows());
    case Step::kAppendRows:
      return runAppendRows(context, step.append_rows());
    case Step::kCarryIn:
      return readCarried(context, step.carry_in(), before);
    case Step::kCarryOut:
      writeCarried(context, step.carry_out(), after);
      return absl::OkStatus();
    case Step::kOutput:
      return writeOutput(context, step.output(), statement);
    case Step::KIND_NOT_SET:
      break;
  }
  return context.error("a step of no known kind");
}

}  // namespace lindero::runtime
