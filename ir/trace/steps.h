// Ops of the trace dialect as the steps of a program (runtime/program/program.proto). The fields of
// a step are found by their names: its buffers are operands and results, in the order of the
// fields, all else are attributes.
//
//   a number, true or false         int, bool
//   a list of numbers               list of int
//   a table, column, public tensor  its name
//   a message of numbers            list of int, in the order of its fields
//   a list of such messages         a list of int per field, whose name gets an s
//   a Placement                     the attributes of its fields
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "runtime/program/program.pb.h"
#include "runtime/program/steps.h"

namespace lindero::ir::trace {

// The definition of the op's step; that of a placement for trace.place; null for trace.return.
const program::StepDef* stepDefOf(const Op& op);

// The numbers that stand for names.
class Numbering {
 public:
  virtual ~Numbering() = default;
  virtual uint32_t buffer(const Value& value) const = 0;
  virtual absl::StatusOr<uint32_t> table(const std::string& name) const = 0;
  virtual absl::StatusOr<uint32_t> column(uint32_t table, const std::string& name) const = 0;
  virtual absl::StatusOr<uint32_t> tensor(const std::string& name) const = 0;
};

// Sets all fields of `message`, which is of the kind that stepDefOf(op) says. Errors name the op,
// and an attribute whose name or number does not fit.
absl::Status fillMessage(const Op& op, const Numbering& numbering,
                         google::protobuf::Message& message);

// With node and region.
absl::StatusOr<Step> toStep(const Op& op, const Numbering& numbering);

}  // namespace lindero::ir::trace
