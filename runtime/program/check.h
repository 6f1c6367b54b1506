// Checks a step against its rules (steps.h). The step is untrusted: its numbers may be anything.
#ifndef LINDERO_PROGRAM_CHECK_H_
#define LINDERO_PROGRAM_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "runtime/program/steps.h"

namespace lindero::program {

// What steps refer to.
class Surroundings {
 public:
  // The columns of one phase stand side by side.
  struct Columns {
    std::string table;  // its name
    uint64_t height = 0;
    uint64_t begin = 0, end = 0;
  };
  struct Tensor {
    std::string name;
    std::string kind;  // "input" or "output"
    uint64_t size = 0;
  };

  virtual ~Surroundings() = default;
  // Of a buffer that exists.
  virtual uint64_t bufferSize(uint32_t buffer) const = 0;
  virtual std::string bufferName(uint32_t buffer) const = 0;
  // Nothing where there is no such table or tensor.
  virtual std::optional<Columns> columns(uint32_t table, uint32_t phase) const = 0;
  virtual std::optional<Tensor> tensor(uint32_t tensor) const = 0;
};

struct Violation {
  size_t rule;       // index in StepDef.rules
  std::string here;  // what the step has instead: "buffer 1 "w" has 4 elements instead of 8"
};

// The first rule that is broken. `message` is of the kind that `def` defines, and its buffers
// exist.
std::optional<Violation> findViolation(const StepDef& def, const google::protobuf::Message& message,
                                       const Surroundings& surroundings);

// The size that the step gives to a buffer that it writes; it has one (StepDef::sizeOf). Other
// buffers that the expression names exist.
absl::StatusOr<int64_t> sizeOf(const StepDef& def, const google::protobuf::Message& message,
                               const Field& buffer, const Surroundings& surroundings);

// Every row lies in the table, every column exists and has this phase, and sizes stay within limits
// that make all index arithmetic fit 64 bits.
absl::Status checkCells(const Placement& placement, uint32_t phase,
                        const Surroundings& surroundings);

}  // namespace lindero::program

#endif  // LINDERO_PROGRAM_CHECK_H_
