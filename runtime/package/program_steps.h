// The part of analyzeProgram that concerns single steps. Internal to runtime/package.
#ifndef LINDERO_RUNTIME_PACKAGE_PROGRAM_STEPS_H_
#define LINDERO_RUNTIME_PACKAGE_PROGRAM_STEPS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "runtime/package/circuit_info.h"
#include "runtime/package/field_path.h"
#include "runtime/program/check.h"

namespace lindero::runtime {

// The buffers of a program, the tables and public tensors of its circuit. Both must outlive this.
class ProgramSurroundings : public program::Surroundings {
 public:
  ProgramSurroundings(const Program& program, const Circuit& circuit)
      : program_(program), circuit_(circuit) {}

  uint64_t bufferSize(uint32_t buffer) const override;
  std::string bufferName(uint32_t buffer) const override;
  std::optional<Columns> columns(uint32_t table, uint32_t phase) const override;
  std::optional<Tensor> tensor(uint32_t tensor) const override;

 private:
  const Program& program_;
  const Circuit& circuit_;
};

// Parameters and sizes of one step, by the rules of program.proto. Requires that its buffers exist.
absl::Status checkStep(const FieldPath& field, const Program& program, const Circuit& circuit,
                       const Step& step);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_PROGRAM_STEPS_H_
