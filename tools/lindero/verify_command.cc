// lindero verify: needs the proof and the key alone. lindero open: the same, with the values that
// the claim gives by digest.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "runtime/verify/attest_files.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/input_options.h"
#include "tools/lindero/prover_options.h"
#include "tools/lindero/show_claim.h"

namespace lindero::cli {
namespace {

struct VerifyArguments {
  std::string command;
  runtime::VerificationFiles files;
  bool chain = false;
  std::vector<std::string> next;  // the proofs after the first one of a chain
  std::string tokenizer;
  std::string outputs;  // where the values go; empty: nowhere
  std::string attestation;
  std::string signer;  // whose attestation it must be
  std::vector<int64_t> tokens;
  std::optional<std::string> prompt;
  DecodeOptions decode;
  ProverOptions prover;
};

absl::StatusOr<std::optional<Tokenizer>> tokenizerOf(const VerifyArguments& arguments) {
  if (arguments.tokenizer.empty()) return std::nullopt;
  LINDERO_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::load(arguments.tokenizer));
  return tokenizer;
}

absl::Status checkAttestation(const VerifyArguments& arguments, const Verification& verification) {
  LINDERO_ASSIGN_OR_RETURN(runtime::SigningKey signer, runtime::readPublicKey(arguments.signer));
  return runtime::checkAttestationFile(arguments.attestation, verification, arguments.files.proof,
                                       signer);
}

absl::Status checkAsked(const VerifyArguments& arguments, const Verification& verification,
                        const std::optional<Tokenizer>& tokenizer) {
  std::vector<int64_t> prompt = arguments.tokens;
  if (arguments.prompt) {
    if (!tokenizer) return failure(Error::kInput, "--prompt needs a --tokenizer");
    LINDERO_ASSIGN_OR_RETURN(prompt, tokenizer->encode(*arguments.prompt));
  }
  const bool asked = arguments.prompt || !arguments.tokens.empty() ||
                     arguments.decode.generate > 0 || !arguments.decode.stop.empty();
  if (!asked) return absl::OkStatus();
  if (prompt.empty()) {
    const char* what = arguments.prompt ? "--prompt is empty"
                       : arguments.decode.generate > 0
                           ? "--generate needs the prompt: --prompt or --tokens"
                           : "--stop needs the prompt: --prompt or --tokens";
    return failure(Error::kUsage, what);
  }
  return runtime::checkAsked(verification, prompt, arguments.decode, arguments.files.proof);
}

void addVerdict(const Verification& verification, Summary& summary) {
  if (verification.complete()) {
    summary.add("verdict", "verdict", "accepted",
                "ACCEPTED: the key's model gave these outputs for these inputs");
  } else {
    summary.add("verdict", "verdict", "unopened",
                "UNOPENED: the digests are not tied to the run before `lindero open` has seen "
                "their values");
  }
}

absl::Status verify(const VerifyArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  LINDERO_ASSIGN_OR_RETURN(std::optional<Tokenizer> tokenizer, tokenizerOf(arguments));
  if (!arguments.outputs.empty()) {
    LINDERO_RETURN_IF_ERROR(
        withError(runtime::checkFileDestination(arguments.outputs), Error::kFile));
  }
  LINDERO_ASSIGN_OR_RETURN(Verification verification,
                           runtime::verifyProof(arguments.files, prover, context.monitor()));
  if (!arguments.attestation.empty()) {
    LINDERO_RETURN_IF_ERROR(checkAttestation(arguments, verification));
  }
  Summary summary;
  addVerdict(verification, summary);
  if (!arguments.attestation.empty()) {
    summary.add("attestation", "attestation", arguments.attestation,
                absl::StrCat("says the same, signed by the key in ", arguments.signer));
  }
  addClaim(verification, tokenizer, summary);
  LINDERO_RETURN_IF_ERROR(checkAsked(arguments, verification, tokenizer));
  if (!arguments.outputs.empty()) {
    LINDERO_RETURN_IF_ERROR(runtime::saveOutputs(verification, arguments.outputs));
    summary.add("outputs", "values saved", arguments.outputs, arguments.outputs);
  }
  summary.addSeconds("verify_seconds", "verify time", verification.seconds);
  summary.addData("report", verification.report);
  context.result(arguments.command, summary);
  if (verification.complete()) return absl::OkStatus();
  return runtime::unopened(verification, arguments.files.proof);
}

// Proofs of decode runs under one key, each of which goes on where the one before ended.
absl::Status verifyChain(const VerifyArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  LINDERO_ASSIGN_OR_RETURN(std::optional<Tokenizer> tokenizer, tokenizerOf(arguments));
  std::vector<std::string> proofs{arguments.files.proof};
  proofs.insert(proofs.end(), arguments.next.begin(), arguments.next.end());
  LINDERO_ASSIGN_OR_RETURN(
      const std::vector<Verification> runs,
      runtime::verifyChain(proofs, arguments.files, prover, context.monitor()));
  Summary summary;
  summary.add("verdict", "verdict", "accepted",
              absl::StrCat("ACCEPTED: ", proofs.size(),
                           " runs of the key's model, each from where the one before ended"));
  Json list = Json::array();
  double seconds = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    const runtime::FrontierPair& frontier = runs[i].claim.frontier;
    summary.addLine(absl::StrCat("run ", i + 1),
                    absl::StrCat(proofs[i], ": tokens ", frontier.start->position, " to ",
                                 frontier.end->position - 1, " chosen"));
    list.push_back({{"proof", proofs[i]}, {"claim", Json::parse(runs[i].claim_bytes)}});
    seconds += runs[i].seconds;
  }
  summary.addData("runs", std::move(list));
  summary.addLine("the last run", proofs.back());
  addClaim(runs.back(), tokenizer, summary);
  summary.addSeconds("verify_seconds", "verify time", seconds);
  context.result(arguments.command, summary);
  return absl::OkStatus();
}

CLI::App* addCommand(CLI::App& app, const std::string& name, const std::string& description,
                     VerifyArguments& arguments) {
  arguments.command = name;
  CLI::App* command = app.add_subcommand(name, description);
  addVerificationOptions(*command, arguments.files);
  command->add_option("--tokenizer", arguments.tokenizer,
                      "Shows tokens as text: this tokenizer.json");
  command->add_option("--save-outputs", arguments.outputs,
                      "Write the public values to this .npz file: NAME holds the integers that are "
                      "proven, NAME.real the reals that they stand for");
  CLI::Option* attestation =
      command->add_option("--attestation", arguments.attestation,
                          "An attestation that must say the same, signed by --signer");
  command->add_option("--signer", arguments.signer, "The public key of whom you trust")
      ->needs(attestation);
  attestation->needs("--signer");
  CLI::Option* prompt = command->add_option("--prompt", arguments.prompt,
                                            "The text that the decode run must have continued");
  command->add_option("--tokens", arguments.tokens, "The same text as token ids")
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
  for (const char* other :
       {"--attestation", "--prompt", "--tokens", "--generate", "--stop", "--save-outputs"}) {
    chain->excludes(command->get_option(other));
  }
  command->add_option("next", arguments->next, "The proofs of the chain after the first")
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
