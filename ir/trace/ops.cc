#include "ir/trace/ops.h"

#include "absl/strings/str_cat.h"
#include "ir/trace/circuit_names.h"
#include "ir/trace/steps.h"
#include "llvm/Support/Allocator.h"
#include "llvm/Support/StringSaver.h"
#include "runtime/program/step_options.pb.h"

namespace lindero::ir::trace {
namespace {

using program::Field;

// Op tables keep references.
llvm::StringRef saved(const std::string& text) {
  static auto& allocator = *new llvm::BumpPtrAllocator;
  static auto& saver = *new llvm::StringSaver(allocator);
  return saver.save(text);
}

// Their sizes are among the constraints.
std::vector<ValueSpec> valuesOf(llvm::ArrayRef<const Field*> buffers) {
  std::vector<ValueSpec> specs;
  for (const Field* field : buffers) {
    const bool optional = field->has_optional_keyword();
    specs.push_back({field->name(), optional ? Arity::kOptional : Arity::kOne, ""});
  }
  return specs;
}

// The names of a message's fields, "[batch, row, column, offset]".
std::string fieldsOf(const google::protobuf::Descriptor& message) {
  std::string text;
  for (int i = 0; i < message.field_count(); ++i) {
    absl::StrAppend(&text, i == 0 ? "[" : ", ", message.field(i)->name());
  }
  return text + "]";
}

void addAttributes(const google::protobuf::Descriptor& message, std::vector<AttrSpec>& specs) {
  for (int i = 0; i < message.field_count(); ++i) {
    const Field& field = *message.field(i);
    const auto& options = field.options();
    const bool required = !field.has_optional_keyword();
    const auto* inner = field.message_type();
    if (options.HasExtension(reads) || options.HasExtension(writes)) continue;
    if (inner == Placement::descriptor()) {
      addAttributes(*inner, specs);
    } else if (inner != nullptr && field.is_repeated()) {
      for (int f = 0; f < inner->field_count(); ++f) {
        specs.push_back(
            {saved(inner->field(f)->name() + "s"), AttrKind::kInts, required,
             saved(absl::StrCat(inner->field(f)->name(), " of each of ", field.name()))});
      }
    } else if (inner != nullptr) {
      specs.push_back({field.name(), AttrKind::kInts, required, saved(fieldsOf(*inner))});
    } else if (field.is_repeated()) {
      specs.push_back({field.name(), AttrKind::kInts, required, ""});
    } else if (options.HasExtension(names_table)) {
      specs.push_back({field.name(), AttrKind::kSymbol, required, "an air.table"});
    } else if (options.HasExtension(names_columns)) {
      const Columns& columns = options.GetExtension(names_columns);
      specs.push_back({field.name(), AttrKind::kString, required,
                       saved(absl::StrCat("a column of ", columns.table(), ", the first of ",
                                          columns.count()))});
    } else if (options.HasExtension(names_tensor)) {
      specs.push_back({field.name(), AttrKind::kString, required, "an air.public"});
    } else {
      const bool truth = field.cpp_type() == Field::CPPTYPE_BOOL;
      specs.push_back({field.name(), truth ? AttrKind::kBool : AttrKind::kInt, required, ""});
    }
  }
}

absl::Status verifyStep(const Op& op, const CircuitIndex& circuit) {
  const program::StepDef& def = *stepDefOf(op);
  const CircuitNames names(op, circuit);
  const std::unique_ptr<google::protobuf::Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(def.message)->New());
  if (absl::Status status = fillMessage(op, names, *message); !status.ok()) return status;
  const auto violation = program::findViolation(def, *message, names);
  if (!violation) return absl::OkStatus();
  return violates(op, static_cast<unsigned>(violation->rule) + 1, violation->here);
}

OpVerifier stepVerifier(const Function& function) {
  return [circuit = CircuitIndex(*function.module())](const Op& op) {
    return verifyStep(op, circuit);
  };
}

OpDef opOf(const program::StepDef& step) {
  OpDef op = {.name = saved(absl::StrCat("trace.", step.name)),
              .summary = step.summary,
              .operands = valuesOf(step.reads),
              .results = valuesOf(step.writes)};
  addAttributes(*step.message, op.attributes);
  op.attributes.push_back(
      {"region", AttrKind::kString, false, "\"layer0/attention/normalize\", for messages"});
  for (const program::Rule& rule : step.rules) op.constraints.push_back(rule.text);
  op.verifier_in = stepVerifier;
  return op;
}

}  // namespace

std::vector<OpDef> ops() {
  std::vector<OpDef> ops;
  for (const program::StepDef& step : program::stepDefs()) ops.push_back(opOf(step));
  ops.push_back(opOf(program::placementDef()));
  ops.push_back({.name = "trace.return", .summary = "Ends the program", .terminator = true});
  return ops;
}

}  // namespace lindero::ir::trace
