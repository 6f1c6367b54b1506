#include "ir/trace/steps.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/StringExtras.h"
#include "runtime/program/step_options.pb.h"

namespace lindero::ir::trace {
namespace {

using google::protobuf::Message;
using google::protobuf::Reflection;
using program::Field;

class MessageFiller {
 public:
  MessageFiller(const Op& op, const Numbering& numbering) : op_(op), numbering_(numbering) {}

  absl::Status fill(const program::StepDef& def, Message& message) {
    fillBuffers(def.reads, op_.numOperands(), [&](unsigned i) { return op_.operand(i); }, message);
    fillBuffers(def.writes, op_.numResults(), [&](unsigned i) { return op_.result(i); }, message);
    fillAttributes(message);
    return error_;
  }

 private:
  template <typename Find>
  void fillBuffers(llvm::ArrayRef<const Field*> fields, unsigned count, Find find,
                   Message& message) const {
    for (unsigned i = 0; i < count && i < fields.size(); ++i) {
      message.GetReflection()->SetUInt32(&message, fields[i], numbering_.buffer(*find(i)));
    }
  }

  void fillAttributes(Message& message) {
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      fillField(message, *message.GetDescriptor()->field(i));
    }
  }

  void fillField(Message& message, const Field& field) {
    const auto& options = field.options();
    const Reflection& reflection = *message.GetReflection();
    const std::string& name = field.name();
    if (options.HasExtension(reads) || options.HasExtension(writes)) return;
    if (field.message_type() == Placement::descriptor()) {
      fillAttributes(*reflection.MutableMessage(&message, &field));
    } else if (field.message_type() != nullptr) {
      field.is_repeated() ? fillColumnwise(message, field) : fillList(message, field);
    } else if (field.is_repeated()) {
      for (int64_t number : op_.intsAttr(name)) setNumber(message, field, number, true);
    } else if (!op_.has(name)) {
      return;  // optional, or the verifier has refused the op
    } else if (options.HasExtension(names_table)) {
      set(message, field, numbering_.table(op_.symbolAttr(name)));
    } else if (options.HasExtension(names_columns)) {
      // The table's field stands before the column's.
      const Field* table =
          message.GetDescriptor()->FindFieldByName(options.GetExtension(names_columns).table());
      set(message, field,
          numbering_.column(reflection.GetUInt32(message, table), op_.stringAttr(name)));
    } else if (options.HasExtension(names_tensor)) {
      set(message, field, numbering_.tensor(op_.stringAttr(name)));
    } else if (field.cpp_type() == Field::CPPTYPE_BOOL) {
      reflection.SetBool(&message, &field, op_.boolAttr(name));
    } else {
      setNumber(message, field, op_.intAttr(name), false);
    }
  }

  // One list of numbers, a message.
  void fillList(Message& message, const Field& field) {
    const llvm::ArrayRef<int64_t> numbers = op_.intsAttr(field.name());
    Message& inner = *message.GetReflection()->MutableMessage(&message, &field);
    const size_t wanted = static_cast<size_t>(field.message_type()->field_count());
    if (numbers.size() != wanted) {
      return fail(field.name(), absl::StrCat(numbers.size(), " numbers instead of ", wanted));
    }
    for (size_t i = 0; i < wanted; ++i) {
      setNumber(inner, *field.message_type()->field(static_cast<int>(i)), numbers[i], false);
    }
  }

  // As many lists as the messages have fields, each as long as there are messages.
  void fillColumnwise(Message& message, const Field& field) {
    const auto& inner = *field.message_type();
    const std::string first = inner.field(0)->name() + "s";
    const size_t count = op_.intsAttr(first).size();
    for (int f = 0; f < inner.field_count(); ++f) {
      const std::string name = inner.field(f)->name() + "s";
      const llvm::ArrayRef<int64_t> numbers = op_.intsAttr(name);
      if (numbers.size() != count) {
        return fail(name, absl::StrCat(numbers.size(), " numbers, but ", first, " has ", count));
      }
      for (size_t i = 0; i < count; ++i) {
        Message& element = f == 0 ? *message.GetReflection()->AddMessage(&message, &field)
                                  : *message.GetReflection()->MutableRepeatedMessage(
                                        &message, &field, static_cast<int>(i));
        setNumber(element, *inner.field(f), numbers[i], false);
      }
    }
  }

  void set(Message& message, const Field& field, const absl::StatusOr<uint32_t>& number) {
    if (!number.ok()) return fail(field.name(), std::string(number.status().message()));
    message.GetReflection()->SetUInt32(&message, &field, *number);
  }

  void setNumber(Message& message, const Field& field, int64_t number, bool append) {
    const Reflection& r = *message.GetReflection();
    const bool is_signed = field.cpp_type() == Field::CPPTYPE_INT64;
    const bool narrow = field.cpp_type() == Field::CPPTYPE_UINT32;
    if ((!is_signed && number < 0) || (narrow && number > std::numeric_limits<uint32_t>::max())) {
      return fail(field.name(), absl::StrCat(number, " is not in [0, 2^", narrow ? 32 : 63, ")"));
    }
    const auto natural = static_cast<uint64_t>(number);
    const auto small = static_cast<uint32_t>(natural);
    if (is_signed) {
      append ? r.AddInt64(&message, &field, number) : r.SetInt64(&message, &field, number);
    } else if (narrow) {
      append ? r.AddUInt32(&message, &field, small) : r.SetUInt32(&message, &field, small);
    } else {
      append ? r.AddUInt64(&message, &field, natural) : r.SetUInt64(&message, &field, natural);
    }
  }

  void fail(const std::string& attribute, const std::string& what) {
    error_.Update(absl::InvalidArgumentError(
        absl::StrCat(describe(op_), ": attribute '", attribute, "': ", what)));
  }

  const Op& op_;
  const Numbering& numbering_;
  absl::Status error_;
};

}  // namespace

const program::StepDef* stepDefOf(const Op& op) {
  const llvm::StringRef name = op.name().split('.').second;
  const program::StepDef& place = program::placementDef();
  return name == place.name ? &place : program::findStepDef({name.data(), name.size()});
}

absl::Status fillMessage(const Op& op, const Numbering& numbering, Message& message) {
  return MessageFiller(op, numbering).fill(*stepDefOf(op), message);
}

absl::StatusOr<Step> toStep(const Op& op, const Numbering& numbering) {
  Step step;
  step.set_node(llvm::join(op.location(), " + "));
  if (op.has("region")) step.set_region(op.stringAttr("region"));
  Message& message = *step.GetReflection()->MutableMessage(&step, stepDefOf(op)->kind);
  if (absl::Status status = fillMessage(op, numbering, message); !status.ok()) return status;
  return step;
}

}  // namespace lindero::ir::trace
