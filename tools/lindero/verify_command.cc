// lindero verify: needs the proof and the key alone. lindero open: the same, with the values that
// the claim gives by digest.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/verification.h"

namespace lindero::cli {
namespace {

struct VerifyArguments {
  std::string command;
  VerificationFiles files;
  std::string tokenizer;
  ProverOptions prover;
};

absl::Status unopened(const Verification& verification, const std::string& proof) {
  return failure(Exit::kUnopened,
                 absl::StrCat("UNOPENED: ", proof, " gives ",
                              absl::StrJoin(verification.opened.policy.digests, ", "),
                              " by digest: the digest is not tied to the run, and nothing about "
                              "the run is proven, until `lindero open` has seen the values"));
}

absl::Status verify(const VerifyArguments& arguments, Context& context) {
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  std::optional<Tokenizer> tokenizer;
  if (!arguments.tokenizer.empty()) {
    LINDERO_ASSIGN_OR_RETURN(tokenizer, Tokenizer::load(arguments.tokenizer));
  }
  LINDERO_ASSIGN_OR_RETURN(Verification verification,
                           verifyProof(arguments.files, prover, context));
  Summary summary;
  if (verification.complete()) {
    summary.add("verdict", "verdict", "accepted",
                "ACCEPTED: the key's model gave these outputs for these inputs");
  } else {
    summary.add("verdict", "verdict", "unopened", "UNOPENED: nothing about the run is proven yet");
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
  command->add_option("proof", arguments.files.proof, "Proof")->required();
  command->add_option("--key", arguments.files.key, "Verifying key of the model")->required();
  command->add_option("--tokenizer", arguments.tokenizer, "Shows tokens as text");
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
