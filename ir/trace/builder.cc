#include "ir/trace/builder.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/trace/circuit_names.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/ErrorHandling.h"
#include "runtime/program/step_options.pb.h"

namespace lindero::ir::trace {
namespace {

using program::Field;

[[noreturn]] void bug(llvm::StringRef step, const std::string& what) {
  llvm::report_fatal_error(llvm::Twine(absl::StrCat("trace.", step.str(), ": ", what)));
}

// What is given under a name, if anything is.
template <typename T>
auto findGiven(llvm::ArrayRef<std::pair<llvm::StringRef, T>> given, llvm::StringRef name) {
  auto it = llvm::find_if(given, [&](const auto& entry) { return entry.first == name; });
  return it == given.end() ? std::nullopt : std::optional(it->second);
}

// Every given name is known, and given once.
template <typename T, typename Known>
void checkNames(llvm::StringRef step, llvm::ArrayRef<std::pair<llvm::StringRef, T>> given,
                Known known) {
  for (size_t i = 0; i < given.size(); ++i) {
    const llvm::StringRef name = given[i].first;
    if (!known(name)) bug(step, absl::StrCat("has no '", name.str(), "' to be given"));
    for (size_t k = 0; k < i; ++k) {
      if (given[k].first == name) bug(step, absl::StrCat("'", name.str(), "' is given twice"));
    }
  }
}

bool holdsField(llvm::ArrayRef<const Field*> fields, llvm::StringRef name) {
  return llvm::any_of(fields, [&](const Field* f) { return name == f->name(); });
}

std::vector<Value*> operandsOf(const program::StepDef& def, TraceBuilder::Buffers reads) {
  checkNames(def.name, reads, [&](llvm::StringRef name) { return holdsField(def.reads, name); });
  std::vector<Value*> operands;
  const Field* absent = nullptr;
  for (const Field* field : def.reads) {
    Value* value = findGiven(reads, field->name()).value_or(nullptr);
    if (value == nullptr && !field->has_optional_keyword()) {
      bug(def.name, absl::StrCat("the buffer '", field->name(), "' is missing"));
    }
    if (value == nullptr) {
      absent = field;
    } else if (absent != nullptr) {
      // Operands are known by their place.
      bug(def.name, absl::StrCat("'", field->name(), "' without '", absent->name(), "'"));
    } else {
      operands.push_back(value);
    }
  }
  return operands;
}

void checkAttributes(const program::StepDef& def, const OpDef& op,
                     TraceBuilder::Attributes attributes) {
  checkNames(def.name, attributes,
             [&](llvm::StringRef name) { return op.attribute(name) != nullptr; });
  for (const AttrSpec& spec : op.attributes) {
    const auto given = findGiven(attributes, spec.name);
    if (!given && spec.required) {
      bug(def.name, absl::StrCat("the attribute '", spec.name.str(), "' is missing"));
    }
    if (given && !isOfKind(*given, spec.kind)) {
      bug(def.name, absl::StrCat("the attribute '", spec.name.str(), "' is no ",
                                 attrKindName(spec.kind).str()));
    }
  }
}

// Optional results come with an optional buffer.
unsigned countResults(const program::StepDef& def, TraceBuilder::Buffers reads) {
  unsigned count = 0;
  for (const Field* field : def.writes) {
    const std::string& other = field->options().GetExtension(with);
    count += !field->has_optional_keyword() || findGiven(reads, other).value_or(nullptr) != nullptr;
  }
  return count;
}

void sizeResults(const program::StepDef& def, Op& op, const CircuitIndex& circuit,
                 TraceBuilder::Sizes sizes) {
  checkNames(def.name, sizes, [&](llvm::StringRef name) {
    return llvm::any_of(def.writes, [&](const Field* field) {
      return name == field->name() && def.sizeOf(*field) == nullptr;
    });
  });
  const CircuitNames names(op, circuit);
  const std::unique_ptr<google::protobuf::Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(def.message)->New());
  if (absl::Status s = fillMessage(op, names, *message); !s.ok()) {
    bug(def.name, std::string(s.message()));
  }
  for (unsigned i = 0; i < op.numResults(); ++i) {
    const Field& field = *def.writes[i];
    absl::StatusOr<int64_t> size = findGiven(sizes, field.name()).value_or(-1);
    if (def.sizeOf(field) != nullptr) size = program::sizeOf(def, *message, field, names);
    if (!size.ok()) bug(def.name, std::string(size.status().message()));
    if (*size < 0) bug(def.name, absl::StrCat("the size of '", field.name(), "' is missing"));
    op.result(i)->setType(Type::tensor(Element::kInt, {*size}));
  }
}

}  // namespace

Value* MadeStep::operator[](llvm::StringRef result) const {
  for (unsigned i = 0; i < op_->numResults(); ++i) {
    if (op_->def().results[i].name == result) return op_->result(i);
  }
  bug(op_->name().split('.').second, absl::StrCat("has no result '", result.str(), "' here"));
}

TraceBuilder::TraceBuilder(Function* trace)
    : builder_(&trace->body()), circuit_(std::make_unique<const CircuitIndex>(*trace->module())) {}

TraceBuilder::~TraceBuilder() = default;

MadeStep TraceBuilder::step(llvm::StringRef name, Buffers reads, Attributes attributes,
                            Sizes sizes) {
  const std::string op_name = "trace." + name.str();
  const OpDef* op_def = findOpDef(op_name);
  if (op_def == nullptr || op_def->terminator) bug(name, "no step has this name");
  const program::StepDef& def = name == program::placementDef().name
                                    ? program::placementDef()
                                    : *program::findStepDef({name.data(), name.size()});
  checkAttributes(def, *op_def, attributes);
  const std::vector<Type> unknown(countResults(def, reads), Type::tensor(Element::kInt, {0}));
  Op* op = builder_.create(op_name, operandsOf(def, reads), unknown, attributes);
  if (!region_.empty()) op->set("region", region_);
  sizeResults(def, *op, *circuit_, sizes);
  return MadeStep(op);
}

std::vector<int64_t> strides(llvm::ArrayRef<std::pair<llvm::StringRef, int64_t>> fields) {
  const auto& message = *Strides::descriptor();
  checkNames("strides", fields,
             [&](llvm::StringRef name) { return message.FindFieldByName(name.str()) != nullptr; });
  std::vector<int64_t> numbers;
  for (int i = 0; i < message.field_count(); ++i) {
    const auto number = findGiven(fields, message.field(i)->name());
    if (!number) bug("strides", absl::StrCat("'", message.field(i)->name(), "' is missing"));
    numbers.push_back(*number);
  }
  return numbers;
}

}  // namespace lindero::ir::trace
