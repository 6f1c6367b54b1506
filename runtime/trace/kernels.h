// The integer functions of the trace program, one per kind of step (program.proto says what each
// computes). Each is listed in run_step.cc.
//
// Every function is exact: sums that could leave 64 bits or the 53 bits of a double are refused,
// every result is checked against the range that the circuit proves, and nothing depends on the
// number of threads. Requires analyzeProgram.
#ifndef LINDERO_RUNTIME_TRACE_KERNELS_H_
#define LINDERO_RUNTIME_TRACE_KERNELS_H_

#include "absl/status/status.h"
#include "runtime/trace/step_context.h"

namespace lindero::runtime {

absl::Status runInput(const StepContext& context, const Input& step);
absl::Status runOutput(const StepContext& context, const Output& step);
absl::Status runCarryIn(const StepContext& context, const CarryIn& step);
absl::Status runCarryOut(const StepContext& context, const CarryOut& step);
absl::Status runLoad(const StepContext& context, const Load& step);
absl::Status runGatherRows(const StepContext& context, const GatherRows& step);
absl::Status runMatMul(const StepContext& context, const MatMul& step);
absl::Status runRequantize(const StepContext& context, const Requantize& step);
absl::Status runTableLookup(const StepContext& context, const TableLookup& step);
absl::Status runLayerNorm(const StepContext& context, const LayerNorm& step);
absl::Status runSoftmax(const StepContext& context, const Softmax& step);
absl::Status runArgmax(const StepContext& context, const Argmax& step);
absl::Status runDecode(const StepContext& context, const Decode& step);
absl::Status runMask(const StepContext& context, const Mask& step);
absl::Status runCopyRows(const StepContext& context, const CopyRows& step);
absl::Status runAppendRows(const StepContext& context, const AppendRows& step);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TRACE_KERNELS_H_
