// model.key as far as a claim needs it: what the key says about model, circuit and backend. That
// its circuit is valid and its parameters give the promised bits is the backend's verifier's to
// check.
#ifndef LINDERO_RUNTIME_CLAIM_KEY_H_
#define LINDERO_RUNTIME_CLAIM_KEY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/claim/model_record.h"
#include "runtime/package/circuit.pb.h"
#include "runtime/package/digest.h"
#include "runtime/package/key.pb.h"

namespace lindero::runtime {

struct Key {
  VerifyingKey message;
  Circuit circuit;
  ModelRecord model;
  Digest fixed_root = {};
  Digest circuit_digest = {};
  Digest digest = {};  // of the key's bytes
};

// Refuses a key that is not in canonical encoding, or has no model record (one that was made from a
// circuit alone).
absl::StatusOr<Key> decodeKey(absl::string_view bytes);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_KEY_H_
