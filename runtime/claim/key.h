// model.key as far as a claim needs it: what the key says about model, circuit and backend. That
// its parameters give the promised bits is the backend's verifier's to check.
#ifndef LINDERO_RUNTIME_CLAIM_KEY_H_
#define LINDERO_RUNTIME_CLAIM_KEY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/claim/model_record.h"
#include "runtime/package/bundle.h"
#include "runtime/package/circuit.pb.h"
#include "runtime/package/digest.h"
#include "runtime/package/key.pb.h"

namespace lindero::runtime {

// Of a key file. Real ones have a hundredth of it; what it is parsed into may take a hundred times
// as much.
inline constexpr uint64_t kMaxKeyBytes = uint64_t{1} << 24;

struct KeyMember {
  std::string name;
  size_t circuit = 0;  // in Key.circuits
  Digest circuit_digest = {};
  Digest fixed_root = {};
};

struct Key {
  VerifyingKey message;
  std::vector<Circuit> circuits;
  std::vector<KeyMember> members;
  ModelRecord model;
  Digest bundle_digest = {};  // bundleDigest
  Digest digest = {};         // of its bytes, those of the message

  const Circuit& circuit(size_t member = 0) const { return circuits[members[member].circuit]; }
  // That of each member.
  std::vector<const Circuit*> memberCircuits() const;
  int64_t mostSteps() const { return message.bundle().most_steps(); }
};

// What a key file holds: one key or more, ascending by bucket, of one model: their model records
// say the same but for the bucket, and they promise the same security.
struct KeySet {
  std::vector<Key> keys;

  // Of all of them, but for the bucket.
  const ModelRecord& model() const { return keys.front().model; }
  // The key whose members have circuits of these digests, and whose bundle has that one, or null.
  const Key* find(absl::Span<const Digest> circuits, const Digest& bundle) const;
};

// Refuses bytes that are not the canonical encoding of such a set, and keys without a model record
// (which were made from a circuit alone).
absl::StatusOr<KeySet> decodeKeySet(absl::string_view bytes);

std::string encodeKeySet(absl::Span<const Key> keys);

// The key that the proof of these bytes names. The error says which keys there are instead, or why
// the key's circuit is refused: analyzeCircuit, with the adaptive rules, takes some milliseconds.
absl::StatusOr<Key> keyOfProof(const KeySet& set, absl::string_view proof);

// "proven" or "list-decoding"; empty for a regime that this version does not know, which the
// backend's verifier refuses.
std::string regimeName(SecurityTarget::Regime regime);

// "bucket 8", "buckets 16, 32, 64"
std::string describeBuckets(const KeySet& set);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_KEY_H_
