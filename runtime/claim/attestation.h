// An attestation: somebody's signature under what a proof says. An in-toto Statement, version 1, in
// a DSSE envelope (ATTESTATION.md).
//
// Every byte counts: envelope and payload are canonical JSON with the members below and no others.
#ifndef LINDERO_RUNTIME_CLAIM_ATTESTATION_H_
#define LINDERO_RUNTIME_CLAIM_ATTESTATION_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/claim/signature.h"
#include "runtime/package/digest.h"

namespace lindero::runtime {

inline constexpr char kStatementType[] = "https://in-toto.io/Statement/v1";
inline constexpr char kPredicateType[] = "urn:lindero:proven-run:1";
inline constexpr char kPayloadType[] = "application/vnd.in-toto+json";

// What is attested to: the subjects' digests, and the claim as the predicate.
struct Attested {
  Digest proof = {};
  Digest key = {};  // of the verifying key, as the proof names it
  Digest onnx = {};
  std::string claim;  // canonical bytes
};

// The bytes of the envelope. `signer` is a private key.
absl::StatusOr<std::string> attest(const Attested& attested, const SigningKey& signer);

// The envelope is one that `attest` writes for exactly this, with this key. The error says what
// differs.
absl::Status checkAttestation(absl::string_view envelope, const Attested& attested,
                              const SigningKey& signer);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CLAIM_ATTESTATION_H_
