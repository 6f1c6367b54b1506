// Runs one step of a trace program on the buffers.
#ifndef LINDERO_RUNTIME_TRACE_RUN_STEP_H_
#define LINDERO_RUNTIME_TRACE_RUN_STEP_H_

#include "absl/status/status.h"
#include "runtime/program/steps.h"
#include "runtime/trace/step_context.h"

namespace lindero::runtime {

// Needs the context's state, and the buffers that the step writes. Errors name node, value and
// range.
absl::Status runStep(const StepContext& context);

// Whether steps of this kind can be run.
bool hasKernel(const program::StepDef& def);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TRACE_RUN_STEP_H_
