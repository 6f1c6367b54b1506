// Attestations (runtime/claim/attestation.h) as files: signed by whoever verified a proof and has
// the model, checked by whoever trusts the signer.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/claim/signature.h"
#include "runtime/verify/verification.h"

namespace lindero::runtime {

// Key files in PEM. Errors: kFile, kInput for what is no such key.
absl::StatusOr<SigningKey> readPrivateKey(const std::string& path);
absl::StatusOr<SigningKey> readPublicKey(const std::string& path);

// Makes a key: the private one, for its owner alone, at `path`, the public one at `shared`. Neither
// may exist (kFile).
absl::StatusOr<SigningKey> makeSigningKey(const std::string& path, const std::string& shared);

// That the ONNX file, and those beside it with its weights, are what the claim says: kRejected.
absl::Status checkModelFiles(const std::string& onnx, const Claim& claim);

// Signs what a verified proof says of the model in this ONNX file. Errors: checkModelFiles, and
// kUnopened while values are not opened; `proof` is its name in them.
absl::Status attestToFile(const Verification& verification, const std::string& proof,
                          const std::string& onnx, const SigningKey& signer,
                          const std::string& path);

// That the file attests to exactly this, by this signer: kRejected.
absl::Status checkAttestationFile(const std::string& path, const Verification& verification,
                                  const std::string& proof, const SigningKey& signer);

}  // namespace lindero::runtime
