#include "runtime/package/program_info.h"

#include <algorithm>
#include <unordered_set>

#include "runtime/package/field_path.h"
#include "runtime/package/program_steps.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kMaxBufferSize = uint64_t{1} << 33;
constexpr int kMaxSteps = 1 << 20;

FieldPath stepField(const Program& program, int index) {
  return FieldPath("program.pb").at("steps", index, program.steps(index).node());
}

absl::Status checkBuffers(const Program& program) {
  FieldPath file("program.pb");
  if (program.format() != program::kProgramFormat) {
    return file.error(FormatRule::kEncoding, "format ", program.format(),
                      " is not known (known: ", program::kProgramFormat,
                      "); compile the model again");
  }
  if (program.steps_size() > kMaxSteps)
    return file.error(FormatRule::kBuffers, "more than ", kMaxSteps, " steps");
  for (int i = 0; i < program.buffers_size(); ++i) {
    const Buffer& buffer = program.buffers(i);
    if (buffer.size() == 0 || buffer.size() > kMaxBufferSize) {
      return file.at("buffers", i, buffer.name())
          .error(FormatRule::kBuffers, "size ", buffer.size(), " is not in [1, 2^33]");
    }
  }
  return absl::OkStatus();
}

// Tracks which buffers exist, in the order of the steps.
class Lifetimes {
 public:
  explicit Lifetimes(const Program& program)
      : program_(program),
        last_use_(program.buffers_size(), -1),
        last_write_(program.buffers_size(), -1) {}

  absl::Status step(int index) {
    FieldPath field = stepField(program_, index);
    StepBuffers buffers = buffersOf(program_.steps(index));
    for (uint32_t buffer : buffers.reads) {
      LINDERO_RETURN_IF_ERROR(exists(field, buffer));
      if (last_write_[buffer] < 0) {
        return field.error(FormatRule::kBuffers, "reads buffer ", buffer, " \"",
                           program_.buffers(buffer).name(), "\" before any step writes it");
      }
      last_use_[buffer] = index;
    }
    std::unordered_set<uint32_t> writes;
    for (uint32_t buffer : buffers.writes) {
      LINDERO_RETURN_IF_ERROR(exists(field, buffer));
      bool read =
          std::find(buffers.reads.begin(), buffers.reads.end(), buffer) != buffers.reads.end();
      if (read || !writes.insert(buffer).second) {
        return field.error(FormatRule::kBuffers, "buffer ", buffer, " \"",
                           program_.buffers(buffer).name(),
                           "\" is written and named again in the same step");
      }
      last_use_[buffer] = last_write_[buffer] = index;
    }
    return absl::OkStatus();
  }

  int lastUse(uint32_t buffer) const { return last_use_[buffer]; }
  int lastWrite(uint32_t buffer) const { return last_write_[buffer]; }

 private:
  absl::Status exists(const FieldPath& field, uint32_t buffer) const {
    if (buffer < last_use_.size()) return absl::OkStatus();
    return field.error(FormatRule::kBuffers, "buffer ", buffer, " does not exist");
  }

  const Program& program_;
  std::vector<int> last_use_;
  std::vector<int> last_write_;
};

// Every output of the statement is computed, once.
absl::Status checkOutputs(const Program& program, const Circuit& circuit) {
  std::vector<int> writers(circuit.publics_size(), 0);
  for (const Step& step : program.steps()) {
    if (step.has_output()) ++writers[step.output().tensor()];
  }
  for (int i = 0; i < circuit.publics_size(); ++i) {
    if (circuit.publics(i).kind() != PublicTensor::OUTPUT || writers[i] == 1) continue;
    return FieldPath("program.pb")
        .error(FormatRule::kOutputs, "steps: the public tensor \"", circuit.publics(i).name(),
               "\" is output by ", writers[i], " steps instead of 1");
  }
  return absl::OkStatus();
}

// Slots are for circuits with exported groups.
absl::Status checkExports(const Program& program, const Circuit& circuit) {
  if (exportsGroups(circuit)) return absl::OkStatus();
  for (int i = 0; i < program.steps_size(); ++i) {
    const Step& step = program.steps(i);
    if (!step.has_link_in() && !step.has_link_out()) continue;
    const FieldPath field = stepField(program, i);
    return step.has_link_in()
               ? field.error(FormatRule::kSlots, "link_in: slot ", step.link_in().slot(),
                             " of a circuit that exports nothing")
               : field.error(FormatRule::kSlots, "link_out: slot ", step.link_out().slot(),
                             " of a circuit that exports nothing");
  }
  return absl::OkStatus();
}

uint64_t peakElements(const Program& program, const ProgramInfo& info) {
  std::vector<bool> live(program.buffers_size(), false);
  uint64_t elements = 0, peak = 0;
  for (int i = 0; i < program.steps_size(); ++i) {
    for (uint32_t buffer : buffersOf(program.steps(i)).writes) {
      if (!live[buffer]) elements += program.buffers(buffer).size();
      live[buffer] = true;
    }
    peak = std::max(peak, elements);
    for (uint32_t buffer : info.frees_after[i]) elements -= program.buffers(buffer).size();
  }
  return peak;
}

}  // namespace

absl::StatusOr<ProgramInfo> analyzeProgram(const Program& program, const Circuit& circuit) {
  LINDERO_RETURN_IF_ERROR(checkBuffers(program));
  Lifetimes lifetimes(program);
  for (int i = 0; i < program.steps_size(); ++i) {
    LINDERO_RETURN_IF_ERROR(lifetimes.step(i));
    LINDERO_RETURN_IF_ERROR(checkStep(stepField(program, i), program, circuit, program.steps(i)));
  }
  LINDERO_RETURN_IF_ERROR(checkExports(program, circuit));
  LINDERO_RETURN_IF_ERROR(checkOutputs(program, circuit));
  ProgramInfo info;
  info.placements_after.resize(program.steps_size());
  info.frees_after.resize(program.steps_size());
  for (int i = 0; i < program.placements_size(); ++i) {
    const Placement& placement = program.placements(i);
    FieldPath field = FieldPath("program.pb").at("placements", i);
    if (placement.buffer() >= static_cast<uint32_t>(program.buffers_size()) ||
        lifetimes.lastWrite(placement.buffer()) < 0) {
      return field.error(FormatRule::kPlacements, "buffer ", placement.buffer(),
                         " does not exist or no step writes it");
    }
    const absl::Status cells =
        program::checkCells(placement, 1, ProgramSurroundings(program, circuit));
    if (!cells.ok()) return field.error(FormatRule::kPlacements, cells.message());
    info.placements_after[lifetimes.lastWrite(placement.buffer())].push_back(i);
  }
  for (int b = 0; b < program.buffers_size(); ++b) {
    if (lifetimes.lastUse(b) >= 0) info.frees_after[lifetimes.lastUse(b)].push_back(b);
  }
  info.peak_elements = peakElements(program, info);
  return info;
}

}  // namespace lindero::runtime
