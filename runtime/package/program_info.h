// What can be said about a trace program without running it: which buffers each step reads and
// writes, how long they live, and which placements follow which step.
//
// `analyzeProgram` is the gate between untrusted bytes and the executor: every buffer index, size,
// stride, table and column that a step names is checked here, by the rules of program.proto, so
// that kernels index without checks. Value ranges are theirs to check.
#ifndef LINDERO_RUNTIME_PACKAGE_PROGRAM_INFO_H_
#define LINDERO_RUNTIME_PACKAGE_PROGRAM_INFO_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/package/circuit_info.h"
#include "runtime/program/steps.h"

namespace lindero::runtime {

using program::buffersOf;
using program::StepBuffers;

struct ProgramInfo {
  // Per step: placements (indices into Program.placements) to fill, and buffers to free, after it.
  std::vector<std::vector<uint32_t>> placements_after;
  std::vector<std::vector<uint32_t>> frees_after;
  // The largest sum of the sizes of the buffers that live at the same time, in elements.
  uint64_t peak_elements = 0;
};

// Checks an untrusted program against a checked circuit; the error names the field.
absl::StatusOr<ProgramInfo> analyzeProgram(const Program& program, const Circuit& circuit);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_PROGRAM_INFO_H_
