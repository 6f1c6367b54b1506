#include "runtime/claim/key.h"

#include <algorithm>

#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {

absl::StatusOr<Key> decodeKey(absl::string_view bytes) {
  Key key;
  LINDERO_RETURN_IF_ERROR(parseProto(bytes, "key", key.message));
  if (serializeProto(key.message) != bytes) {
    return absl::InvalidArgumentError("key: the bytes are not the canonical encoding");
  }
  if (key.message.format() != 1) {
    return absl::InvalidArgumentError("key: of another format than this version reads");
  }
  LINDERO_RETURN_IF_ERROR(parseProto(key.message.circuit(), "key: circuit", key.circuit));
  if (key.message.fixed_root().size() != key.fixed_root.size()) {
    return absl::InvalidArgumentError("key: fixed_root is not 32 bytes long");
  }
  std::copy(key.message.fixed_root().begin(), key.message.fixed_root().end(),
            key.fixed_root.begin());
  if (key.message.model().empty()) {
    return absl::InvalidArgumentError("key: it does not say which model it is of");
  }
  LINDERO_ASSIGN_OR_RETURN(key.model, decodeModelRecord(key.message.model()));
  key.circuit_digest = sha256(key.message.circuit());
  key.digest = sha256(bytes);
  return key;
}

}  // namespace lindero::runtime
