// The part of analyzeProgram that concerns single steps. Internal to runtime/package.
#ifndef LINDERO_RUNTIME_PACKAGE_PROGRAM_STEPS_H_
#define LINDERO_RUNTIME_PACKAGE_PROGRAM_STEPS_H_

#include "absl/status/status.h"
#include "runtime/package/circuit_info.h"
#include "runtime/package/field_path.h"
#include "runtime/package/program.pb.h"

namespace lindero::runtime {

// Parameters and sizes of one step. Requires that its buffers exist.
absl::Status checkStep(const FieldPath& field, const Program& program, const Circuit& circuit,
                       const Step& step);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_PROGRAM_STEPS_H_
