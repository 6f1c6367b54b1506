#include "runtime/package/program_steps.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace lindero::runtime {

uint64_t ProgramSurroundings::bufferSize(uint32_t buffer) const {
  return program_.buffers(static_cast<int>(buffer)).size();
}

std::string ProgramSurroundings::bufferName(uint32_t buffer) const {
  return absl::StrCat("buffer ", buffer, " \"", program_.buffers(static_cast<int>(buffer)).name(),
                      "\"");
}

std::optional<program::Surroundings::Columns> ProgramSurroundings::columns(uint32_t table,
                                                                           uint32_t phase) const {
  if (table >= static_cast<uint32_t>(circuit_.tables_size())) return std::nullopt;
  const Table& found = circuit_.tables(static_cast<int>(table));
  const uint64_t begin = firstColumnOfPhase(found, phase);
  return Columns{found.name(), tableHeight(found), begin, begin + columnsOfPhase(found, phase)};
}

std::optional<program::Surroundings::Tensor> ProgramSurroundings::tensor(uint32_t tensor) const {
  if (tensor >= static_cast<uint32_t>(circuit_.publics_size())) return std::nullopt;
  const PublicTensor& found = circuit_.publics(static_cast<int>(tensor));
  return Tensor{found.name(), absl::AsciiStrToLower(PublicTensor::Kind_Name(found.kind())),
                uint64_t{found.rows()} * found.columns()};
}

absl::Status checkStep(const FieldPath& field, const Program& program, const Circuit& circuit,
                       const Step& step) {
  const program::StepDef* def = program::stepDefOf(step);
  if (def == nullptr)
    return field.error(FormatRule::kSteps, "the step is of no known kind; compile the model again");
  const auto violation =
      program::findViolation(*def, program::messageOf(step), ProgramSurroundings(program, circuit));
  if (!violation) return absl::OkStatus();
  const program::Rule& rule = def->rules[violation->rule];
  return field.error(FormatRule::kSteps, def->name, ".", rule.field->name(), ": ", violation->here,
                     " (", rule.text, ")");
}

}  // namespace lindero::runtime
