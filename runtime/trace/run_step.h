// Runs one step of a trace program on the buffers.
#ifndef LINDERO_RUNTIME_TRACE_RUN_STEP_H_
#define LINDERO_RUNTIME_TRACE_RUN_STEP_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "runtime/package/statement.pb.h"
#include "runtime/trace/step_context.h"

namespace lindero::runtime {

// What a block of a bundle leaves to the next one, by slot.
using Carried = std::vector<std::vector<int32_t>>;

// Reads the inputs of `statement`, which holds all public tensors in the circuit's order, and
// writes its outputs; reads `before` and writes `after`, likewise. The buffers that the step writes
// exist. Errors name node, value and range.
absl::Status runStep(const StepContext& context, Statement& statement, const Carried& before,
                     Carried& after);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TRACE_RUN_STEP_H_
