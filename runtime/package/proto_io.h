// Protocol buffers as files: sizes limited before parsing, unknown content refused, deterministic
// bytes.
#ifndef LINDERO_RUNTIME_PACKAGE_PROTO_IO_H_
#define LINDERO_RUNTIME_PACKAGE_PROTO_IO_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace lindero::runtime {

// `name` labels the error. Fields that this version does not know are an error: skipping them could
// change what a circuit means.
absl::Status parseProto(absl::string_view bytes, absl::string_view name,
                        google::protobuf::Message& message);

// The same, and bytes that are not those of serializeProto are an error: two readers that decode
// them could take them for different messages.
absl::Status parseCanonicalProto(absl::string_view bytes, absl::string_view name,
                                 google::protobuf::Message& message);

// Refuses more than `most` fields of the message itself, repeated ones counted each time: an empty
// message takes two bytes of a file, and a hundred once it is parsed. To be called before that.
absl::Status checkFieldCount(absl::string_view bytes, absl::string_view name, uint64_t most);

// The same message gives the same bytes on every machine and in every run.
std::string serializeProto(const google::protobuf::Message& message);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_PROTO_IO_H_
