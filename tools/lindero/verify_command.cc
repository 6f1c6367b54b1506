// lindero verify: needs the proof and the key alone. lindero open: the same, with the values that
// the claim gives by digest.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/claim/attestation.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/verification.h"

namespace lindero::cli {
namespace {

constexpr uint64_t kMostAttestation = 64 << 20, kMostPem = 1 << 16;

struct VerifyArguments {
  std::string command;
  VerificationFiles files;
  std::string tokenizer;
  std::string attestation;
  std::string signer;  // whose attestation it must be
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
    summary.add("verdict", "verdict", "unopened", "UNOPENED: nothing about the run is proven yet");
  }
  if (!arguments.attestation.empty()) {
    summary.add("attestation", "attestation", arguments.attestation,
                absl::StrCat("says the same, signed by the key in ", arguments.signer));
  }
  addClaim(verification, tokenizer, summary);
  summary.addSeconds("verify_seconds", "verify time", verification.seconds);
  summary.addData("report", verification.report);
  context.result(arguments.command, summary);
  if (verification.complete()) return absl::OkStatus();
  return unopened(verification, arguments.files.proof);
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
  addBackendOption(*command, arguments.prover);
  return command;
}

}  // namespace

void addVerify(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command = addCommand(app, "verify", "Verify a proof with a key", *arguments);
  command->callback([arguments, &chosen] {
    chosen = [arguments](Context& context) { return verify(*arguments, context); };
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
