// Runs one step of a trace program on the buffers.
#ifndef LINDERO_RUNTIME_TRACE_RUN_STEP_H_
#define LINDERO_RUNTIME_TRACE_RUN_STEP_H_

#include "absl/status/status.h"
#include "runtime/package/statement.pb.h"
#include "runtime/trace/step_context.h"

namespace lindero::runtime {

// Reads the inputs of `statement`, which holds all public tensors in the circuit's order, and
// writes its outputs. The buffers that the step writes exist. Errors name node, value and range.
absl::Status runStep(const StepContext& context, Statement& statement);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TRACE_RUN_STEP_H_
