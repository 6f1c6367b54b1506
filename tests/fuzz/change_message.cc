#include "tests/fuzz/change_message.h"

#include <cmath>
#include <iterator>
#include <limits>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace lindero::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// More than a small model has; a message may be deeper than any stack.
constexpr size_t kMostMessages = 20'000;
constexpr int kMostDepth = 40;
constexpr size_t kLongText = 5'000;

void collect(Message& message, int depth, std::vector<Message*>& all) {
  if (depth > kMostDepth || all.size() >= kMostMessages) return;
  all.push_back(&message);
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      collect(*reflection.MutableMessage(&message, field), depth + 1, all);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i)
      collect(*reflection.MutableRepeatedMessage(&message, field, i), depth + 1, all);
  }
}

void setOne(Message& message, const FieldDescriptor* field, Random& random) {
  const Reflection& r = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return r.SetInt32(&message, field,
                        static_cast<int32_t>(anyInteger(r.GetInt32(message, field), random)));
    case FieldDescriptor::CPPTYPE_INT64:
      return r.SetInt64(&message, field, anyInteger(r.GetInt64(message, field), random));
    case FieldDescriptor::CPPTYPE_UINT64:
      return r.SetUInt64(&message, field, static_cast<uint64_t>(anyInteger(0, random)));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return r.SetFloat(&message, field, static_cast<float>(anyReal(random)));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return r.SetDouble(&message, field, anyReal(random));
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int values = field->enum_type()->value_count();
      return r.SetEnum(&message, field, field->enum_type()->value(below(values, random)));
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return r.SetString(&message, field, anyText(r.GetString(message, field), random));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      r.MutableMessage(&message, field);
      return;
    default:
      return;
  }
}

void addOne(Message& message, const FieldDescriptor* field, Random& random) {
  const Reflection& r = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return r.AddInt32(&message, field, static_cast<int32_t>(anyInteger(0, random)));
    case FieldDescriptor::CPPTYPE_INT64:
      return r.AddInt64(&message, field, anyInteger(0, random));
    case FieldDescriptor::CPPTYPE_UINT64:
      return r.AddUInt64(&message, field, static_cast<uint64_t>(anyInteger(0, random)));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return r.AddFloat(&message, field, static_cast<float>(anyReal(random)));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return r.AddDouble(&message, field, anyReal(random));
    case FieldDescriptor::CPPTYPE_STRING:
      return r.AddString(&message, field, anyText("", random));
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      // A copy of another, where there is one.
      const int size = r.FieldSize(message, field);
      Message* added = r.AddMessage(&message, field);
      if (size > 0) added->CopyFrom(r.GetRepeatedMessage(message, field, below(size, random)));
      return;
    }
    default:
      return;
  }
}

void changeRepeated(Message& message, const FieldDescriptor* field, Random& random) {
  const Reflection& r = *message.GetReflection();
  const int size = r.FieldSize(message, field);
  if (size == 0 || once(3, random)) return addOne(message, field, random);
  const int a = below(size, random);
  r.SwapElements(&message, field, a, once(2, random) ? size - 1 : below(size, random));
  if (once(2, random)) r.RemoveLast(&message, field);
}

}  // namespace

int below(int64_t below, Random& random) {
  return below <= 1 ? 0 : static_cast<int>(random() % static_cast<uint64_t>(below));
}

int64_t anyInteger(int64_t before, Random& random) {
  constexpr int64_t kLimits[] = {8,
                                 16,
                                 64,
                                 127,
                                 128,
                                 -128,
                                 255,
                                 256,
                                 4096,
                                 65535,
                                 1 << 16,
                                 1 << 20,
                                 (1 << 20) + 1,
                                 1 << 22,
                                 std::numeric_limits<int32_t>::max(),
                                 std::numeric_limits<int32_t>::min(),
                                 int64_t{1} << 31,
                                 int64_t{1} << 32,
                                 int64_t{1} << 40,
                                 int64_t{1} << 62,
                                 std::numeric_limits<int64_t>::max(),
                                 std::numeric_limits<int64_t>::min(),
                                 std::numeric_limits<int64_t>::min() + 1};
  const int kind = below(10, random);
  if (kind < 5) return below(8, random) - 3;
  if (kind == 5) return static_cast<int64_t>(uint64_t{1} + static_cast<uint64_t>(before));
  if (kind == 6) return static_cast<int64_t>(static_cast<uint64_t>(before) - 1);
  if (kind == 7) return static_cast<int64_t>(0 - static_cast<uint64_t>(before));
  return kLimits[below(std::size(kLimits), random)];
}

double anyReal(Random& random) {
  constexpr double kReals[] = {0,
                               -0.0,
                               1,
                               -1,
                               0.5,
                               2,
                               3,
                               1e-6,
                               1e-12,
                               1e6,
                               -1e4,
                               65504,
                               -65504,
                               1e30,
                               -1e30,
                               1e-30,
                               1e-45,
                               -1e-40,
                               std::numeric_limits<float>::max(),
                               std::numeric_limits<float>::lowest(),
                               std::numeric_limits<float>::min(),
                               std::numeric_limits<double>::max(),
                               std::numeric_limits<double>::denorm_min(),
                               std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()};
  if (once(3, random)) return std::ldexp(below(1 << 20, random) - (1 << 19), -below(40, random));
  return kReals[below(std::size(kReals), random)];
}

std::string anyText(const std::string& before, Random& random) {
  switch (below(9, random)) {
    case 0:
      return "";
    case 1:
      return before + "\n";
    case 2:
      return "\xff\xfe" + before;
    case 3:
      return before + "\x1b[2J";
    case 4:
      return std::string("a\0b", 3);
    case 5:
      return std::string(kLongText, 'x');
    case 6:
      return "../" + before;
    case 7:
      return before + "\xc2\x85\xe2\x80\xa8";  // a line's end in Unicode, twice
    default:
      std::string changed = before;
      change(changed);
      return changed;
  }
}

void changeAnywhere(Message& message, Random& random) {
  std::vector<Message*> all;
  collect(message, 0, all);
  Message& chosen = *all[below(static_cast<int64_t>(all.size()), random)];
  const auto& type = *chosen.GetDescriptor();
  if (type.field_count() == 0) return;
  const FieldDescriptor* field = type.field(below(type.field_count(), random));
  if (field->is_repeated()) return changeRepeated(chosen, field, random);
  if (once(4, random)) return chosen.GetReflection()->ClearField(&chosen, field);
  setOne(chosen, field, random);
}

}  // namespace lindero::fuzz
