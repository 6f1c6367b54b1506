#include "tools/lindero/verification.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/claim/bind.h"
#include "runtime/claim/decode_claim.h"
#include "runtime/claim/opening.h"
#include "runtime/package/files.h"
#include "runtime/package/proof.pb.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/decode.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/public_values.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;
using runtime::Claim;
using runtime::Digest;
using runtime::toHex;

constexpr uint64_t kMostBytes = uint64_t{1} << 31;

absl::StatusOr<std::string> readBytes(const std::string& path, absl::string_view what,
                                      uint64_t most = kMostBytes) {
  std::error_code code;
  if (!fs::is_regular_file(path, code)) {
    const char* why = fs::exists(path, code) ? "it is not a file" : "no such file";
    return failure(Exit::kFile, absl::StrCat("cannot open the ", what, " ", path, ": ", why));
  }
  absl::StatusOr<std::string> bytes = runtime::readFile(path, most);
  if (!bytes.ok()) return withExit(bytes.status(), Exit::kFile);
  return bytes;
}

absl::StatusOr<std::string> claimBytes(absl::string_view proof) {
  Proof message;
  LINDERO_RETURN_IF_ERROR(runtime::parseProto(proof, "proof", message));
  if (runtime::serializeProto(message) != proof) {
    return absl::InvalidArgumentError("proof: the bytes are not the canonical encoding");
  }
  return std::move(*message.mutable_claim());
}

// Without the backend: that claim, key and openings fit each other.
absl::Status readFiles(absl::string_view proof, absl::string_view key, absl::string_view openings,
                       Verification& result) {
  LINDERO_ASSIGN_OR_RETURN(runtime::KeySet keys, runtime::decodeKeySet(key));
  LINDERO_ASSIGN_OR_RETURN(result.key, runtime::keyOfProof(keys, proof));
  LINDERO_ASSIGN_OR_RETURN(result.claim_bytes, claimBytes(proof));
  LINDERO_ASSIGN_OR_RETURN(result.claim, runtime::decodeClaim(result.claim_bytes));
  LINDERO_RETURN_IF_ERROR(runtime::checkClaim(result.claim, result.key));
  std::vector<runtime::Opening> list;
  if (!openings.empty()) {
    LINDERO_ASSIGN_OR_RETURN(list, runtime::decodeOpenings(openings));
  }
  LINDERO_ASSIGN_OR_RETURN(result.opened, runtime::openClaim(result.claim, list));
  LINDERO_ASSIGN_OR_RETURN(result.run, runtime::decodeRunOf(result.claim, result.key));
  result.proof = runtime::sha256(proof);
  return absl::OkStatus();
}

bool says(const Json& report, const char* member, const Digest& digest) {
  auto found = report.find(member);
  return found != report.end() && *found == toHex(digest);
}

// The backend's verifier read the files on its own: the same bytes, and the same values in them.
absl::Status checkReport(const Verification& result) {
  if (!says(result.report, "proof_digest", result.proof) ||
      !says(result.report, "key_digest", result.key.digest) ||
      !says(result.report, "claim_digest", runtime::sha256(result.claim_bytes))) {
    return failure(Exit::kRejected, "the files changed while they were read");
  }
  const Json verdict = result.complete() ? "accepted" : "unopened";
  if (result.report.value("verdict", Json()) != verdict) {
    return failure(Exit::kRejected, "the two readers of the claim disagree about what is opened");
  }
  LINDERO_ASSIGN_OR_RETURN(std::vector<PublicTensorValues> read, valuesOf(result.report));
  if (read == valuesOf(result.opened)) return absl::OkStatus();
  return failure(Exit::kRejected, "the two readers of the claim disagree about its values");
}

Json securityOf(const Json& report) { return report.value("security", Json::object()); }

absl::Status rejected(const VerificationFiles& files, const absl::Status& why) {
  return failure(Exit::kRejected,
                 absl::StrCat("REJECTED: ", files.proof, " does not prove anything under ",
                              files.key, ": ", why.message()));
}

std::string quoted(const std::string& text) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\"");
}

std::string describeDecode(const Claim& claim) {
  switch (claim.policy.decode.kind) {
    case runtime::DecodeKind::kForward:
      return "a forward pass";
    case runtime::DecodeKind::kGreedy:
      return absl::StrCat("greedy decoding, at most ", claim.policy.limits.steps, " tokens");
    case runtime::DecodeKind::kTeacherForced:
      return "the model's choices for given tokens";
  }
  return "";
}

}  // namespace

void addVerificationOptions(CLI::App& app, VerificationFiles& files) {
  app.add_option("proof", files.proof, "Proof")->required();
  app.add_option("--key", files.key, "Verifying key of the model")->required();
  addDemandOptions(app, files.demand);
}

absl::Status unopened(const Verification& verification, const std::string& proof) {
  auto escaped = [](std::string* out, const std::string& name) {
    absl::StrAppend(out, absl::Utf8SafeCEscape(name));
  };
  return failure(Exit::kUnopened,
                 absl::StrCat("UNOPENED: ", proof, " gives ",
                              absl::StrJoin(verification.opened.policy.digests, ", ", escaped),
                              " by digest: the digest is not tied to the run, which may have had "
                              "anything there, until `lindero open` has seen the values"));
}

absl::StatusOr<Verification> verifyProof(const VerificationFiles& files, const Prover& prover,
                                         Context& context) {
  LINDERO_ASSIGN_OR_RETURN(std::string proof, readBytes(files.proof, "proof"));
  LINDERO_ASSIGN_OR_RETURN(std::string key, readBytes(files.key, "key", runtime::kMaxKeyBytes));
  std::string openings;
  if (!files.openings.empty()) {
    LINDERO_ASSIGN_OR_RETURN(openings, readBytes(files.openings, "values"));
    if (openings.empty()) return rejected(files, absl::InvalidArgumentError("openings: empty"));
  }
  Stopwatch watch;
  Verification result;
  if (absl::Status status = readFiles(proof, key, openings, result); !status.ok()) {
    return rejected(files, status);
  }
  absl::StatusOr<Json> report = prover.verify(files.key, files.proof, files.openings, context);
  if (exitOf(report.status()) == Exit::kRejected) return rejected(files, report.status());
  LINDERO_RETURN_IF_ERROR(report.status());
  result.report = *std::move(report);
  if (absl::Status status = checkReport(result); !status.ok()) {
    return exitOf(status) == Exit::kRejected ? rejected(files, status) : status;
  }
  if (absl::Status status =
          checkDemand(files.demand, result.key, runtime::sha256(key), securityOf(result.report));
      !status.ok()) {
    return rejected(files, status);
  }
  result.seconds = watch.seconds();
  return result;
}

void addClaim(const Verification& verification, const std::optional<Tokenizer>& tokenizer,
              Summary& summary) {
  const Claim& claim = verification.claim;
  summary.addData("claim", Json::parse(verification.claim_bytes));
  summary.addLine("model", absl::StrCat("ONNX file ", toHex(claim.model.onnx),
                                        " (as the key says; `lindero audit` confirms it)"));
  for (const runtime::ExternalFile& file : claim.model.external) {
    summary.addLine("", absl::StrCat("with ", quoted(file.name), " ", toHex(file.sha256)));
  }
  summary.addLine("", absl::StrCat("id        ", toHex(claim.model.id)));
  const Circuit& circuit = verification.key.circuit;
  summary.addLine(
      "circuit",
      absl::StrCat(toHex(claim.model.circuit), ", for ", countOf(claim.model.bucket, "position"),
                   circuit.carries_size() == 0
                       ? ""
                       : absl::StrCat(" in blocks of ", runtime::blockSteps(circuit))));
  summary.addLine("weights", toHex(claim.model.fixed_root));
  summary.addLine("run", absl::StrCat(describeDecode(claim), ", in integers as ",
                                      claim.policy.arithmetic, " defines them"));
  const std::vector<PublicTensorValues> tensors = valuesOf(verification.opened);
  addPublicValues(tensors, tokenizer, summary, /*lines=*/!verification.run);
  if (verification.run) {
    const runtime::StopRule rule{claim.policy.limits.steps, claim.policy.decode.stop};
    addDecodeRun(*verification.run, circuit, tensors, rule, tokenizer, summary);
  }
  const runtime::Labels& labels = claim.labels;
  for (const auto& [what, label] :
       {std::pair{"model", &labels.model}, {"input", &labels.input}, {"output", &labels.output}}) {
    if (label->empty()) continue;
    summary.addLine("label", absl::StrCat("the prover calls the ", what, " ", quoted(*label)));
  }
  summary.addLine("nonce", toHex(claim.nonce));
  summary.addLine("verifier", absl::StrCat(claim.verifier.protocol, ", ", claim.verifier.backend));
  const std::string key = toHex(verification.key.digest);
  summary.add("key_digest", "key", key, key);
  addSecurity(securityOf(verification.report), summary);
}

}  // namespace lindero::cli
