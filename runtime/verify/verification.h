// A proof, verified as a whole: what the key says about the claim, what the backend's verifier says
// about the proof, and that both looked at the same bytes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/claim/attestation.h"
#include "runtime/claim/claim.h"
#include "runtime/claim/key.h"
#include "runtime/decode/decode_options.h"
#include "runtime/monitor/monitor.h"
#include "runtime/prove/prover.h"
#include "runtime/values/public_values.h"
#include "runtime/verify/security.h"

namespace lindero::runtime {

struct VerificationFiles {
  std::string proof;
  std::string key;
  std::string openings = {};  // of values that the claim gives by digest; empty: none
  SecurityDemand demand = {};
};

struct Verification {
  Key key;                       // that the proof names
  Claim claim;                   // as it was proven
  Claim opened;                  // with the values of the openings
  std::string claim_bytes;       // canonical
  std::optional<DecodeRun> run;  // of a circuit with a step table
  Digest proof = {};
  Report report;  // of the backend's verifier
  double seconds = 0;

  // Inputs and outputs, with the values of the openings; the decode run's among them.
  std::vector<PublicTensorValues> values() const { return valuesOf(opened); }
  // What the backend says of the key's security (regimesOf).
  Report security() const;
  // What an attestation to this must say.
  Attested attested() const { return {proof, key.digest, claim.model.onnx, claim_bytes}; }
  // False while values that the claim gives by digest are not opened: then those are not proven.
  bool complete() const { return opened.policy.digests.empty(); }
};

// Fails with kRejected unless everything holds, but for values that are not opened, and the key is
// what is asked for; with kFile where a file cannot be read.
absl::StatusOr<Verification> verifyProof(const VerificationFiles& files, const Prover& prover,
                                         Monitor& monitor);

// Why a verification that is not complete is no success.
absl::Status unopened(const Verification& verification, const std::string& proof);

// Proofs of decode runs under one key (files.key), each of which goes on where the one before
// ended. Fails with kUnopened where one gives values by digest.
absl::StatusOr<std::vector<Verification>> verifyChain(const std::vector<std::string>& proofs,
                                                      const VerificationFiles& files,
                                                      const Prover& prover, Monitor& monitor);

// Beyond the proof, whose name is for the error (kRejected): that the run which it proves is the
// one asked for.
absl::Status checkAsked(const Verification& verification, const std::vector<int64_t>& prompt,
                        const DecodeOptions& options, const std::string& proof);

// The values as a .npz file: of each tensor an array NAME of its integers [rows, columns], and
// NAME.real of the reals that they stand for, where that is not the same. "/" in a name becomes
// ".". Tensors that are not opened are left out.
absl::Status saveOutputs(const Verification& verification, const std::string& path);

}  // namespace lindero::runtime
