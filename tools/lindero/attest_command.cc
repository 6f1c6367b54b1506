// lindero keygen and lindero attest: a signature under what a proof says.
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "runtime/verify/attest_files.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/prover_options.h"
#include "tools/lindero/show_claim.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;

absl::Status keygen(const std::string& output, Context& context) {
  std::string shared = fs::path(output).replace_extension(".pub").string();
  if (shared == output) {
    return failure(Error::kUsage, absl::StrCat("-o ", output, " ends like the public key's file"));
  }
  LINDERO_ASSIGN_OR_RETURN(runtime::SigningKey key, runtime::makeSigningKey(output, shared));
  LINDERO_ASSIGN_OR_RETURN(runtime::Digest id, key.id());
  Summary summary;
  summary.add("private_key", "private key", output, absl::StrCat(output, ", to be kept"));
  summary.add("public_key", "public key", shared, shared);
  summary.add("keyid", "id", runtime::toHex(id), runtime::toHex(id));
  context.result("keygen", summary);
  return absl::OkStatus();
}

struct AttestArguments {
  runtime::VerificationFiles files;
  std::string onnx;
  std::string signer;
  std::string output = "run.attestation";
  ProverOptions prover;
};

absl::Status attest(const AttestArguments& arguments, Context& context) {
  LINDERO_RETURN_IF_ERROR(withError(runtime::checkFileDestination(arguments.output), Error::kFile));
  LINDERO_ASSIGN_OR_RETURN(runtime::SigningKey signer, runtime::readPrivateKey(arguments.signer));
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  LINDERO_ASSIGN_OR_RETURN(Verification verification,
                           runtime::verifyProof(arguments.files, prover, context.monitor()));
  LINDERO_RETURN_IF_ERROR(runtime::attestToFile(verification, arguments.files.proof, arguments.onnx,
                                                signer, arguments.output));
  LINDERO_ASSIGN_OR_RETURN(runtime::Digest id, signer.id());
  Summary summary;
  summary.add("attestation", "attestation", arguments.output, arguments.output);
  summary.add("keyid", "signer", runtime::toHex(id), runtime::toHex(id));
  addClaim(verification, std::nullopt, summary);
  context.result("attest", summary);
  return absl::OkStatus();
}

}  // namespace

void addKeygen(CLI::App& app, Command& chosen) {
  auto output = std::make_shared<std::string>("signer.pem");
  CLI::App* command = app.add_subcommand("keygen", "Make a key to sign attestations with");
  command
      ->add_option("-o,--output", *output,
                   "The private key; the public one has the same name with .pub in place of .pem")
      ->capture_default_str();
  command->callback([output, &chosen] {
    chosen = [output](Context& context) { return keygen(*output, context); };
  });
}

void addAttest(CLI::App& app, Command& chosen) {
  auto arguments = std::make_shared<AttestArguments>();
  CLI::App* command = app.add_subcommand("attest", "Verify a proof and sign what it says");
  addVerificationOptions(*command, arguments->files);
  command->add_option("--values", arguments->files.openings,
                      "Values that the claim gives by digest");
  command->add_option("--onnx", arguments->onnx, "The model that the proof is about")->required();
  command->add_option("--sign", arguments->signer, "The signer's private key")->required();
  command->add_option("-o,--output", arguments->output, "The attestation")->capture_default_str();
  addBackendOption(*command, arguments->prover);
  command->callback([arguments, &chosen] {
    chosen = [arguments](Context& context) { return attest(*arguments, context); };
  });
}

}  // namespace lindero::cli
