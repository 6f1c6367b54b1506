#include "runtime/package/proto_io.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/common.h>
#include <google/protobuf/wire_format_lite.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "runtime/package/format_rules.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {

absl::Status parseProto(absl::string_view bytes, absl::string_view name,
                        google::protobuf::Message& message) {
  bool parsed = false;
  if (bytes.size() <= static_cast<size_t>(std::numeric_limits<int>::max())) {
#if GOOGLE_PROTOBUF_VERSION < 4022000
    // Old versions print invalid UTF-8 to stderr in addition to failing.
    google::protobuf::LogSilencer silence;
#endif
    parsed = message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  }
  if (!parsed) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": ", ruleName(FormatRule::kEncoding),
                     ": damaged or no file of this kind: it does not parse"));
  }
  size_t size = message.ByteSizeLong();
  message.DiscardUnknownFields();
  if (message.ByteSizeLong() != size) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": ", ruleName(FormatRule::kEncoding),
        ": holds fields that this version does not know: it is another kind of file, or of a "
        "newer version"));
  }
  return absl::OkStatus();
}

absl::Status parseCanonicalProto(absl::string_view bytes, absl::string_view name,
                                 google::protobuf::Message& message) {
  LINDERO_RETURN_IF_ERROR(parseProto(bytes, name, message));
  if (serializeProto(message) == bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", ruleName(FormatRule::kEncoding),
                                                 ": is not in the deterministic encoding"));
}

absl::Status checkFieldCount(absl::string_view bytes, absl::string_view name, uint64_t most) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) return absl::OkStatus();
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  // Where skipping fails, parsing does.
  for (uint64_t fields = 1;; ++fields) {
    const uint32_t tag = stream.ReadTag();
    if (tag == 0 || !google::protobuf::internal::WireFormatLite::SkipField(&stream, tag)) break;
    if (fields > most) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": has more than ", most, " parts"));
    }
  }
  return absl::OkStatus();
}

std::string serializeProto(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace lindero::runtime
