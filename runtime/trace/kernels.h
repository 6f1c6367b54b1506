// The integer functions of the trace program, one per kind of step (program.proto says what each
// computes).
//
// Every function is exact: sums that could leave 64 bits or the 53 bits of a double are refused,
// every result is checked against the range that the circuit proves, and nothing depends on the
// number of threads. Requires analyzeProgram.
#ifndef LINDERO_RUNTIME_TRACE_KERNELS_H_
#define LINDERO_RUNTIME_TRACE_KERNELS_H_

#include "absl/status/status.h"
#include "runtime/gadgets/gadgets.h"
#include "runtime/trace/step_context.h"

namespace lindero::runtime {

// Each is in runtime/gadgets/<name>/run.cc, or beside this file.
#define LINDERO_DECLARE_KERNEL(StepMessage) \
  absl::Status run(const StepContext& context, const StepMessage& step);
LINDERO_STEP_KINDS(LINDERO_DECLARE_KERNEL)
#undef LINDERO_DECLARE_KERNEL

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TRACE_KERNELS_H_
