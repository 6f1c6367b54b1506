// The steps of the trace program as data, read off program.proto: which buffers a step reads and
// writes, and the rules that its numbers and sizes obey. IR ops, emitter and readers derive from
// it.
//
// Made once, when it is first asked for. What program.proto says wrongly (an unknown name, a text
// that does not parse) ends the program then, with a message.
#ifndef LINDERO_PROGRAM_STEPS_H_
#define LINDERO_PROGRAM_STEPS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "google/protobuf/message.h"
#include "runtime/program/expression.h"
#include "runtime/program/program.pb.h"

namespace lindero::program {

// Program.format that this schema reads and writes.
inline constexpr uint32_t kProgramFormat = 2;

// One rule; rules stand in the order of their fields.
struct Rule {
  enum class Kind : uint8_t {
    kSize,       // the buffer has `size` elements
    kCondition,  // `condition` holds
    kWith,       // the field is there if and only if `other` is
    kColumns,    // `count` fixed columns from the field on, `rows` rows from `first_row` on, in
                 // `table`
    kTensor,     // a public tensor of this kind
    kWalk,       // strides, taken `extents` times, stay in the buffer `other`
    kCells,      // the cells of a placement exist
  };
  Kind kind;
  const Field* field;
  std::string text = {};  // for people: "quotient has size(acc) elements"
  std::optional<Expression> size = {};
  std::optional<Condition> condition = {};
  const Field* other = nullptr;
  const Field *table = nullptr, *first_row = nullptr;
  std::optional<Expression> count = {}, rows = {};
  std::string tensor = {};
  std::vector<Expression> extents = {};  // batch, row, column
};

struct StepDef {
  std::string name;     // of the entry in Step.kind
  std::string summary;  // one line
  const Field* kind = nullptr;
  const google::protobuf::Descriptor* message = nullptr;
  std::vector<const Field*> reads, writes;  // buffers, optional ones too
  std::vector<Rule> rules;

  // Of a buffer that the step reads or writes; null: any size.
  const Expression* sizeOf(const Field& buffer) const;
};

// In the order of Step.kind.
absl::Span<const StepDef> stepDefs();
const StepDef* findStepDef(absl::string_view name);  // null if there is none
const StepDef* stepDefOf(const Step& step);          // null: of no known kind
// Placement as if it were a step, which reads the buffer; its one rule is kCells.
const StepDef& placementDef();

// The message of the step's kind, which it must have.
const google::protobuf::Message& messageOf(const Step& step);

// Whether the field is there: all are but optional ones that are not set.
bool isThere(const google::protobuf::Message& message, const Field& field);

struct StepBuffers {
  std::vector<uint32_t> reads;
  std::vector<uint32_t> writes;
};

// The buffers that the step names, whether they exist or not.
StepBuffers buffersOf(const Step& step);

}  // namespace lindero::program

#endif  // LINDERO_PROGRAM_STEPS_H_
