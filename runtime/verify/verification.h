// A proof, verified as a whole: what the key says about the claim, what the backend's verifier says
// about the proof, and that both looked at the same bytes.
#pragma once

#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "runtime/claim/attestation.h"
#include "runtime/claim/claim.h"
#include "runtime/claim/key.h"
#include "runtime/decode/decode_run.h"
#include "runtime/prove/prover.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/verify/security.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

struct VerificationFiles {
  std::string proof;
  std::string key;
  std::string openings;  // of values that the claim gives by digest; empty: none
  SecurityDemand demand;
};

struct Verification {
  runtime::Key key;                       // that the proof names
  runtime::Claim claim;                   // as it was proven
  runtime::Claim opened;                  // with the values of the openings
  std::string claim_bytes;                // canonical
  std::optional<runtime::DecodeRun> run;  // of a circuit with a step table
  runtime::Digest proof = {};
  Json report;  // of the backend's verifier
  double seconds = 0;

  // What an attestation to this must say.
  runtime::Attested attested() const { return {proof, key.digest, claim.model.onnx, claim_bytes}; }
  // False while values that the claim gives by digest are not opened: then those are not proven.
  bool complete() const { return opened.policy.digests.empty(); }
};

// The proof, --key, and what is asked of it.
void addVerificationOptions(CLI::App& app, VerificationFiles& files);

// Fails with kRejected unless everything holds, but for values that are not opened, and the key is
// what is asked for.
absl::StatusOr<Verification> verifyProof(const VerificationFiles& files, const Prover& prover,
                                         Context& context);

// Why a verification that is not complete is no success.
absl::Status unopened(const Verification& verification, const std::string& proof);

// The claim in plain words, and the security of the proof.
void addClaim(const Verification& verification, const std::optional<Tokenizer>& tokenizer,
              Summary& summary);

}  // namespace lindero::cli
