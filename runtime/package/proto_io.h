// Protocol buffers as files: sizes limited before parsing, unknown content refused, deterministic
// bytes.
#ifndef LINDERO_RUNTIME_PACKAGE_PROTO_IO_H_
#define LINDERO_RUNTIME_PACKAGE_PROTO_IO_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace lindero::runtime {

// `name` labels the error. Fields that this version does not know are an error: skipping them could
// change what a circuit means.
absl::Status parseProto(absl::string_view bytes, absl::string_view name,
                        google::protobuf::Message& message);

// The same message gives the same bytes on every machine and in every run.
std::string serializeProto(const google::protobuf::Message& message);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_PROTO_IO_H_
