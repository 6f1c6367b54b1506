#include "runtime/verify/verification.h"

#include <chrono>
#include <filesystem>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "runtime/claim/bind.h"
#include "runtime/claim/decode_claim.h"
#include "runtime/claim/opening.h"
#include "runtime/error/error.h"
#include "runtime/inputs/numpy_file.h"
#include "runtime/package/files.h"
#include "runtime/package/proof.pb.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"
#include "runtime/values/public_values.h"

namespace lindero::runtime {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostBytes = uint64_t{1} << 31;

absl::StatusOr<std::string> readBytes(const std::string& path, absl::string_view what,
                                      uint64_t most = kMostBytes) {
  std::error_code code;
  if (!fs::is_regular_file(path, code)) {
    const char* why = fs::exists(path, code) ? "it is not a file" : "no such file";
    return failure(Error::kFile, absl::StrCat("cannot open the ", what, " ", path, ": ", why));
  }
  absl::StatusOr<std::string> bytes = readFile(path, most);
  if (!bytes.ok()) return withError(bytes.status(), Error::kFile);
  return bytes;
}

absl::StatusOr<std::string> claimBytes(absl::string_view proof) {
  Proof message;
  LINDERO_RETURN_IF_ERROR(parseCanonicalProto(proof, "proof", message));
  return std::move(*message.mutable_claim());
}

// Without the backend: that claim, key and openings fit each other.
absl::Status readFiles(absl::string_view proof, absl::string_view key, absl::string_view openings,
                       Verification& result) {
  LINDERO_ASSIGN_OR_RETURN(KeySet keys, decodeKeySet(key));
  LINDERO_ASSIGN_OR_RETURN(result.key, keyOfProof(keys, proof));
  LINDERO_ASSIGN_OR_RETURN(result.claim_bytes, claimBytes(proof));
  LINDERO_ASSIGN_OR_RETURN(result.claim, decodeClaim(result.claim_bytes));
  LINDERO_RETURN_IF_ERROR(checkClaim(result.claim, result.key));
  std::vector<Opening> list;
  if (!openings.empty()) {
    LINDERO_ASSIGN_OR_RETURN(list, decodeOpenings(openings));
  }
  LINDERO_ASSIGN_OR_RETURN(result.opened, openClaim(result.claim, list));
  LINDERO_ASSIGN_OR_RETURN(result.run, decodeRunOf(result.claim, result.key));
  result.proof = sha256(proof);
  return absl::OkStatus();
}

bool says(const Report& report, const char* member, const Digest& digest) {
  auto found = report.find(member);
  return found != report.end() && *found == toHex(digest);
}

// The backend's verifier read the files on its own: the same bytes, and the same values in them.
absl::Status checkReport(const Verification& result) {
  if (!says(result.report, "proof_digest", result.proof) ||
      !says(result.report, "key_digest", result.key.digest) ||
      !says(result.report, "claim_digest", sha256(result.claim_bytes))) {
    return failure(Error::kRejected, "the files changed while they were read");
  }
  const Report verdict = result.complete() ? "accepted" : "unopened";
  if (result.report.value("verdict", Report()) != verdict) {
    return failure(Error::kRejected, "the two readers of the claim disagree about what is opened");
  }
  LINDERO_ASSIGN_OR_RETURN(std::vector<PublicTensorValues> read, valuesOf(result.report));
  if (read == valuesOf(result.opened)) return absl::OkStatus();
  return failure(Error::kRejected, "the two readers of the claim disagree about its values");
}

absl::Status rejected(const VerificationFiles& files, const absl::Status& why) {
  return failure(Error::kRejected,
                 absl::StrCat("REJECTED: ", files.proof, " does not prove anything under ",
                              files.key, ": ", why.message()));
}

}  // namespace

Report Verification::security() const { return report.value("security", Report::object()); }

absl::Status unopened(const Verification& verification, const std::string& proof) {
  auto escaped = [](std::string* out, const std::string& name) {
    absl::StrAppend(out, absl::Utf8SafeCEscape(name));
  };
  return failure(Error::kUnopened,
                 absl::StrCat("UNOPENED: ", proof, " gives ",
                              absl::StrJoin(verification.opened.policy.digests, ", ", escaped),
                              " by digest: the digest is not tied to the run, which may have had "
                              "anything there, until `lindero open` has seen the values"));
}

absl::StatusOr<Verification> verifyProof(const VerificationFiles& files, const Prover& prover,
                                         Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(std::string proof, readBytes(files.proof, "proof"));
  LINDERO_ASSIGN_OR_RETURN(std::string key, readBytes(files.key, "key", kMaxKeyBytes));
  std::string openings;
  if (!files.openings.empty()) {
    LINDERO_ASSIGN_OR_RETURN(openings, readBytes(files.openings, "values"));
    if (openings.empty()) return rejected(files, absl::InvalidArgumentError("openings: empty"));
  }
  const auto start = std::chrono::steady_clock::now();
  Verification result;
  if (absl::Status status = readFiles(proof, key, openings, result); !status.ok()) {
    return rejected(files, status);
  }
  absl::StatusOr<Report> report = prover.verify(files.key, files.proof, files.openings, monitor);
  if (errorOf(report.status()) == Error::kRejected) return rejected(files, report.status());
  LINDERO_RETURN_IF_ERROR(report.status());
  result.report = *std::move(report);
  if (absl::Status status = checkReport(result); !status.ok()) {
    return errorOf(status) == Error::kRejected ? rejected(files, status) : status;
  }
  if (absl::Status status = checkDemand(files.demand, result.key, sha256(key), result.security());
      !status.ok()) {
    return rejected(files, status);
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

absl::StatusOr<std::vector<Verification>> verifyChain(const std::vector<std::string>& proofs,
                                                      const VerificationFiles& files,
                                                      const Prover& prover, Monitor& monitor) {
  std::vector<Verification> verified;
  std::vector<Claim> claims;
  for (const std::string& proof : proofs) {
    VerificationFiles own = files;
    own.proof = proof;
    LINDERO_ASSIGN_OR_RETURN(Verification verification, verifyProof(own, prover, monitor));
    if (!verification.complete()) return unopened(verification, proof);
    claims.push_back(verification.claim);
    verified.push_back(std::move(verification));
  }
  if (absl::Status status = checkChain(claims); !status.ok()) {
    return failure(Error::kRejected,
                   absl::StrCat("REJECTED: these proofs are no chain: ", status.message()));
  }
  return verified;
}

absl::Status checkAsked(const Verification& verification, const std::vector<int64_t>& prompt,
                        const DecodeOptions& options, const std::string& proof) {
  absl::Status status = checkDecoding(verification.run, prompt, options);
  if (status.ok()) return status;
  return failure(errorOf(status),
                 absl::StrCat("REJECTED: ", proof, " is no such decoding: ", status.message()));
}

absl::Status saveOutputs(const Verification& verification, const std::string& path) {
  std::vector<InputArray> arrays;
  Claim claim = verification.claim;
  for (const PublicTensorValues& tensor : verification.values()) {
    if (!tensor.values) continue;
    const std::string name = absl::StrReplaceAll(tensor.name, {{"/", "."}});
    ClaimTensor* stated = findTensor(claim, tensor.name);
    const std::vector<int64_t> shape =
        stated != nullptr ? stated->shape : std::vector<int64_t>{tensor.rows, tensor.columns};
    arrays.push_back({.name = name, .shape = shape, .integer = true, .integers = *tensor.values});
    if (tensor.exponent == 0) continue;
    arrays.push_back(
        {.name = absl::StrCat(name, ".real"), .shape = shape, .reals = tensor.reals()});
  }
  return writeNpz(path, arrays);
}

}  // namespace lindero::runtime
