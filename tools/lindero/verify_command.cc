// lindero verify: needs the proof and the key alone. lindero open: the same, with the values that
// the claim gives by digest.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/claim/attestation.h"
#include "runtime/claim/decode_claim.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "runtime/verify/verification.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/decode.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

constexpr uint64_t kMostAttestation = 64 << 20, kMostPem = 1 << 16;

struct VerifyArguments {
  std::string command;
  VerificationFiles files;
  bool chain = false;
  std::vector<std::string> next;  // the proofs behind the first one of a chain
  std::string tokenizer;
  std::string attestation;
  std::string signer;  // whose attestation it must be
  std::vector<int64_t> tokens;
  std::optional<std::string> prompt;
  DecodeOptions decode;
  ProverOptions prover;
};

absl::Status checkAttestation(const VerifyArguments& arguments, const Verification& verification) {
  absl::StatusOr<std::string> envelope = runtime::readFile(arguments.attestation, kMostAttestation);
  if (!envelope.ok()) return withExit(envelope.status(), Exit::kFile);
  absl::StatusOr<std::string> pem = runtime::readFile(arguments.signer, kMostPem);
  if (!pem.ok()) return withExit(pem.status(), Exit::kFile);
  absl::StatusOr<runtime::SigningKey> signer = runtime::SigningKey::fromPublicPem(*pem);
  if (!signer.ok()) {
    return failure(Exit::kInput, absl::StrCat(arguments.signer, ": ", signer.status().message()));
  }
  absl::Status status = runtime::checkAttestation(*envelope, verification.attested(), *signer);
  if (status.ok()) return status;
  return failure(Exit::kRejected,
                 absl::StrCat("REJECTED: ", arguments.attestation, " does not attest to ",
                              arguments.files.proof, ": ", status.message()));
}

// Beyond the proof: that the run which it proves is the one asked for.
absl::Status checkAsked(const VerifyArguments& arguments,
                        const std::optional<runtime::DecodeRun>& run,
                        const std::optional<Tokenizer>& tokenizer) {
  std::vector<int64_t> prompt = arguments.tokens;
  if (arguments.prompt) {
    if (!tokenizer) return failure(Exit::kInput, "--prompt needs a --tokenizer");
    LINDERO_ASSIGN_OR_RETURN(prompt, tokenizer->encode(*arguments.prompt));
  }
  if (prompt.empty() && arguments.decode.generate == 0) return absl::OkStatus();
  if (prompt.empty()) {
    return failure(Exit::kUsage, "--generate needs the prompt: --prompt or --tokens");
  }
  absl::Status status = checkDecoding(run, prompt, arguments.decode);
  if (status.ok()) return status;
  return failure(exitOf(status), absl::StrCat("REJECTED: ", arguments.files.proof,
                                              " is no such decoding: ", status.message()));
}

absl::Status verify(const VerifyArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  std::optional<Tokenizer> tokenizer;
  if (!arguments.tokenizer.empty()) {
    LINDERO_ASSIGN_OR_RETURN(tokenizer, Tokenizer::load(arguments.tokenizer));
  }
  LINDERO_ASSIGN_OR_RETURN(Verification verification,
                           verifyProof(arguments.files, prover, context));
  if (!arguments.attestation.empty()) {
    LINDERO_RETURN_IF_ERROR(checkAttestation(arguments, verification));
  }
  Summary summary;
  if (verification.complete()) {
    summary.add("verdict", "verdict", "accepted",
                "ACCEPTED: the key's model gave these outputs for these inputs");
  } else {
    summary.add("verdict", "verdict", "unopened",
                "UNOPENED: the digests are not tied to the run before `lindero open` has seen "
                "their values");
  }
  if (!arguments.attestation.empty()) {
    summary.add("attestation", "attestation", arguments.attestation,
                absl::StrCat("says the same, signed by the key in ", arguments.signer));
  }
  addClaim(verification, tokenizer, summary);
  LINDERO_RETURN_IF_ERROR(checkAsked(arguments, verification.run, tokenizer));
  summary.addSeconds("verify_seconds", "verify time", verification.seconds);
  summary.addData("report", verification.report);
  context.result(arguments.command, summary);
  if (verification.complete()) return absl::OkStatus();
  return unopened(verification, arguments.files.proof);
}

// Proofs of decode runs under one key, each of which goes on where the one before ended.
absl::Status verifyChain(const VerifyArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  std::optional<Tokenizer> tokenizer;
  if (!arguments.tokenizer.empty()) {
    LINDERO_ASSIGN_OR_RETURN(tokenizer, Tokenizer::load(arguments.tokenizer));
  }
  std::vector<std::string> proofs{arguments.files.proof};
  proofs.insert(proofs.end(), arguments.next.begin(), arguments.next.end());
  std::vector<runtime::Claim> claims;
  std::optional<Verification> last;
  Json list = Json::array();
  double seconds = 0;
  for (const std::string& proof : proofs) {
    VerificationFiles files = arguments.files;
    files.proof = proof;
    LINDERO_ASSIGN_OR_RETURN(last, verifyProof(files, prover, context));
    if (!last->complete()) return unopened(*last, proof);
    claims.push_back(last->claim);
    list.push_back({{"proof", proof}, {"claim", Json::parse(last->claim_bytes)}});
    seconds += last->seconds;
  }
  if (absl::Status status = runtime::checkChain(claims); !status.ok()) {
    return failure(Exit::kRejected,
                   absl::StrCat("REJECTED: these proofs are no chain: ", status.message()));
  }
  Summary summary;
  summary.add("verdict", "verdict", "accepted",
              absl::StrCat("ACCEPTED: ", proofs.size(),
                           " runs of the key's model, each from where the one before ended"));
  for (size_t i = 0; i < proofs.size(); ++i) {
    summary.addLine(absl::StrCat("run ", i + 1),
                    absl::StrCat(proofs[i], ": tokens ", claims[i].frontier.start->position, " to ",
                                 claims[i].frontier.end->position - 1, " chosen"));
  }
  summary.addData("runs", std::move(list));
  summary.addLine("the last run", proofs.back());
  addClaim(*last, tokenizer, summary);
  summary.addSeconds("verify_seconds", "verify time", seconds);
  context.result(arguments.command, summary);
  return absl::OkStatus();
}

CLI::App* addCommand(CLI::App& app, const std::string& name, const std::string& description,
                     VerifyArguments& arguments) {
  arguments.command = name;
  CLI::App* command = app.add_subcommand(name, description);
  addVerificationOptions(*command, arguments.files);
  command->add_option("--tokenizer", arguments.tokenizer, "Shows tokens as text");
  CLI::Option* attestation = command->add_option("--attestation", arguments.attestation,
                                                 "It must say the same, signed by --signer");
  command->add_option("--signer", arguments.signer, "The public key of whom you trust")
      ->needs(attestation);
  attestation->needs("--signer");
  CLI::Option* prompt = command->add_option("--prompt", arguments.prompt,
                                            "Of a decode run: the text that was continued");
  command->add_option("--tokens", arguments.tokens, "The same as token ids")
      ->delimiter(',')
      ->excludes(prompt);
  addDecodeOptions(*command, arguments.decode);
  addBackendOption(*command, arguments.prover);
  return command;
}

}  // namespace

void addVerify(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command = addCommand(app, "verify", "Verify a proof with a key", *arguments);
  CLI::Option* chain = command->add_flag(
      "--chain", arguments->chain, "Decode runs, each from where the one before ended, in order");
  for (const char* other : {"--attestation", "--prompt", "--tokens", "--generate"}) {
    chain->excludes(command->get_option(other));
  }
  command->add_option("next", arguments->next, "Of a chain: the proofs behind the first")
      ->needs(chain);
  command->callback([arguments, &chosen] {
    chosen = [arguments](Context& context) {
      return arguments->chain ? verifyChain(*arguments, context) : verify(*arguments, context);
    };
  });
}

void addOpen(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command = addCommand(
      app, "open", "Verify a proof whose values are given by digest, with the values", *arguments);
  command->add_option("--values", arguments->files.openings, "The file that `prove` wrote")
      ->required();
  command->callback([arguments, &chosen] {
    chosen = [arguments](Context& context) { return verify(*arguments, context); };
  });
}

}  // namespace lindero::cli
