#include "runtime/program/steps.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "runtime/program/step_options.pb.h"

namespace lindero::program {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldOptions;
using Kind = Rule::Kind;

[[noreturn]] void fatal(const Field& field, absl::string_view what) {
  const std::string text = absl::StrCat("program.proto: ", field.full_name(), ": ", what, "\n");
  std::fputs(text.c_str(), stderr);
  std::abort();
}

class StepReader {
 public:
  StepReader(const Descriptor& message, std::string name) : message_(message) {
    def_.name = std::move(name);
    def_.summary = message.options().GetExtension(summary);
    def_.message = &message;
  }

  StepDef read() {
    for (int i = 0; i < message_.field_count(); ++i) readField(*message_.field(i));
    return std::move(def_);
  }

 private:
  void readField(const Field& field) {
    const FieldOptions& options = field.options();
    if (options.HasExtension(with)) {
      const Field& other = named(field, options.GetExtension(with));
      Rule rule = {Kind::kWith, &field,
                   absl::StrCat(field.name(), " is there if and only if ", other.name(), " is")};
      rule.other = &other;
      def_.rules.push_back(std::move(rule));
    }
    if (options.HasExtension(reads)) readBuffer(field, def_.reads, options.GetExtension(reads));
    if (options.HasExtension(writes)) readBuffer(field, def_.writes, options.GetExtension(writes));
    if (options.HasExtension(names_tensor)) {
      Rule rule = {Kind::kTensor, &field};
      rule.tensor = options.GetExtension(names_tensor);
      rule.text = absl::StrCat(field.name(), " is a public tensor of kind ", rule.tensor);
      def_.rules.push_back(std::move(rule));
    }
    if (!options.GetExtension(names_columns).rows().empty()) readColumns(field);
    if (options.HasExtension(walk)) readWalk(field);
    if (field.message_type() == Placement::descriptor()) {
      def_.rules.push_back(
          {Kind::kCells, &field,
           absl::StrCat(field.name(),
                        ": lanes fixed columns from column on, rows of their table")});
    }
    for (int i = 0; i < options.ExtensionSize(where); ++i) {
      auto condition = Condition::parse(options.GetExtension(where, i), message_);
      if (!condition.ok()) fatal(field, condition.status().message());
      Rule rule = {Kind::kCondition, &field, condition->text()};
      rule.condition = *std::move(condition);
      def_.rules.push_back(std::move(rule));
    }
  }

  void readBuffer(const Field& field, std::vector<const Field*>& buffers, const std::string& size) {
    buffers.push_back(&field);
    if (size == "any") return;
    Rule rule = {Kind::kSize, &field, absl::StrCat(field.name(), " has ", size, " elements")};
    rule.size = expression(field, size);
    def_.rules.push_back(std::move(rule));
  }

  void readColumns(const Field& field) {
    const Columns& columns = field.options().GetExtension(names_columns);
    Rule rule = {Kind::kColumns, &field};
    rule.table = &named(field, columns.table());
    rule.first_row = &named(field, columns.first_row());
    rule.count = expression(field, columns.count());
    rule.rows = expression(field, columns.rows());
    rule.text = absl::StrCat("from ", field.name(), " on, ", columns.table(),
                             " has fixed columns: ", columns.count(), ", and from ",
                             columns.first_row(), " on, rows: ", columns.rows());
    def_.rules.push_back(std::move(rule));
  }

  void readWalk(const Field& field) {
    const Walk& walked = field.options().GetExtension(walk);
    if (field.message_type() != Strides::descriptor()) fatal(field, "no Strides to walk by");
    Rule rule = {Kind::kWalk, &field};
    rule.other = &named(field, walked.buffer());
    for (const std::string& extent : {walked.batch(), walked.row(), walked.column()}) {
      rule.extents.push_back(expression(field, extent));
    }
    rule.text = absl::StrCat("every index of ", field.name(), " is within ", walked.buffer());
    def_.rules.push_back(std::move(rule));
  }

  const Field& named(const Field& field, const std::string& name) const {
    const Field* found = message_.FindFieldByName(name);
    if (found == nullptr) fatal(field, absl::StrCat("no field is named \"", name, "\""));
    return *found;
  }

  Expression expression(const Field& field, const std::string& text) const {
    auto parsed = Expression::parse(text, message_);
    if (!parsed.ok()) fatal(field, parsed.status().message());
    return *std::move(parsed);
  }

  const Descriptor& message_;
  StepDef def_;
};

std::vector<StepDef> readSteps() {
  const auto& kinds = *Step::descriptor()->FindOneofByName("kind");
  std::vector<StepDef> defs;
  for (int i = 0; i < kinds.field_count(); ++i) {
    const Field& kind = *kinds.field(i);
    defs.push_back(StepReader(*kind.message_type(), kind.name()).read());
    defs.back().kind = &kind;
  }
  return defs;
}

const Field* kindOf(const Step& step) {
  static const auto& kinds = *Step::descriptor()->FindOneofByName("kind");
  return step.GetReflection()->GetOneofFieldDescriptor(step, &kinds);
}

}  // namespace

const Expression* StepDef::sizeOf(const Field& buffer) const {
  for (const Rule& rule : rules) {
    if (rule.kind == Kind::kSize && rule.field == &buffer) return &*rule.size;
  }
  return nullptr;
}

absl::Span<const StepDef> stepDefs() {
  static const auto& defs = *new std::vector<StepDef>(readSteps());
  return defs;
}

const StepDef* findStepDef(absl::string_view name) {
  for (const StepDef& def : stepDefs()) {
    if (def.name == name) return &def;
  }
  return nullptr;
}

const StepDef* stepDefOf(const Step& step) {
  const Field* kind = kindOf(step);
  return kind == nullptr ? nullptr : &stepDefs()[static_cast<size_t>(kind->index_in_oneof())];
}

const StepDef& placementDef() {
  static const auto& placement = *new StepDef([] {
    StepDef def = StepReader(*Placement::descriptor(), "place").read();
    def.rules.push_back(
        {Kind::kCells, nullptr, "lanes columns of phase 1 from column on, rows of their table"});
    return def;
  }());
  return placement;
}

const google::protobuf::Message& messageOf(const Step& step) {
  return step.GetReflection()->GetMessage(step, kindOf(step));
}

bool isThere(const google::protobuf::Message& message, const Field& field) {
  return !field.has_optional_keyword() || message.GetReflection()->HasField(message, &field);
}

StepBuffers buffersOf(const Step& step) {
  StepBuffers buffers;
  const StepDef* def = stepDefOf(step);
  if (def == nullptr) return buffers;
  const google::protobuf::Message& message = messageOf(step);
  auto collect = [&](const std::vector<const Field*>& fields, std::vector<uint32_t>& into) {
    for (const Field* field : fields) {
      if (!isThere(message, *field)) continue;
      into.push_back(message.GetReflection()->GetUInt32(message, field));
    }
  };
  collect(def->reads, buffers.reads);
  collect(def->writes, buffers.writes);
  return buffers;
}

}  // namespace lindero::program
