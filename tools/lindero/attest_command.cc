// lindero keygen and lindero attest: a signature under what a proof says.
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "runtime/claim/attestation.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/commands.h"
#include "tools/lindero/exit_codes.h"
#include "tools/lindero/verification.h"

namespace lindero::cli {
namespace {

namespace fs = std::filesystem;
using runtime::SigningKey;

constexpr uint64_t kMostPem = 1 << 16;

// A file that its owner alone may read.
absl::Status writePrivateFile(const std::string& path, absl::string_view bytes) {
  mode_t before = ::umask(S_IRWXG | S_IRWXO);
  absl::Status status = runtime::writeFile(path, bytes);
  ::umask(before);
  return withExit(std::move(status), Exit::kFile);
}

absl::Status keygen(const std::string& output, Context& context) {
  std::string shared = fs::path(output).replace_extension(".pub").string();
  if (shared == output) {
    return failure(Exit::kUsage, absl::StrCat("-o ", output, " ends like the public key's file"));
  }
  for (const std::string& path : {output, shared}) {
    std::error_code code;
    if (!fs::exists(path, code)) continue;
    return failure(Exit::kFile, absl::StrCat(path, " exists: a key is not overwritten"));
  }
  LINDERO_ASSIGN_OR_RETURN(SigningKey key, SigningKey::generate());
  LINDERO_ASSIGN_OR_RETURN(std::string secret, key.privatePem());
  LINDERO_ASSIGN_OR_RETURN(std::string open, key.publicPem());
  LINDERO_ASSIGN_OR_RETURN(runtime::Digest id, key.id());
  LINDERO_RETURN_IF_ERROR(writePrivateFile(output, secret));
  LINDERO_RETURN_IF_ERROR(withExit(runtime::writeFile(shared, open), Exit::kFile));
  Summary summary;
  summary.add("private_key", "private key", output, absl::StrCat(output, ", to be kept"));
  summary.add("public_key", "public key", shared, shared);
  summary.add("keyid", "id", runtime::toHex(id), runtime::toHex(id));
  context.result("keygen", summary);
  return absl::OkStatus();
}

struct AttestArguments {
  VerificationFiles files;
  std::string onnx;
  std::string signer;
  std::string output = "run.attestation";
  ProverOptions prover;
};

// The ONNX file, and those beside it with its weights, are what the claim says.
absl::Status checkModelFiles(const std::string& onnx, const runtime::Claim& claim) {
  std::vector<std::pair<std::string, runtime::Digest>> files = {{onnx, claim.model.onnx}};
  for (const runtime::ExternalFile& file : claim.model.external) {
    files.emplace_back(fs::path(onnx).parent_path() / file.name, file.sha256);
  }
  for (const auto& [path, expected] : files) {
    absl::StatusOr<runtime::Digest> digest = runtime::sha256File(path);
    if (!digest.ok()) return withExit(digest.status(), Exit::kFile);
    if (*digest == expected) continue;
    return failure(Exit::kRejected,
                   absl::StrCat("REJECTED: ", path, " is ", runtime::toHex(*digest),
                                ", the claim is about ", runtime::toHex(expected)));
  }
  return absl::OkStatus();
}

absl::Status attest(const AttestArguments& arguments, Context& context) {
  LINDERO_RETURN_IF_ERROR(withExit(runtime::checkFileDestination(arguments.output), Exit::kFile));
  absl::StatusOr<std::string> pem = runtime::readFile(arguments.signer, kMostPem);
  if (!pem.ok()) return withExit(pem.status(), Exit::kFile);
  absl::StatusOr<SigningKey> signer = SigningKey::fromPrivatePem(*pem);
  if (!signer.ok()) {
    return failure(Exit::kInput, absl::StrCat(arguments.signer, ": ", signer.status().message()));
  }
  LINDERO_ASSIGN_OR_RETURN(Prover prover, Prover::find(arguments.prover));
  LINDERO_ASSIGN_OR_RETURN(Verification verification,
                           verifyProof(arguments.files, prover, context));
  if (!verification.complete()) return unopened(verification, arguments.files.proof);
  LINDERO_RETURN_IF_ERROR(checkModelFiles(arguments.onnx, verification.claim));
  LINDERO_ASSIGN_OR_RETURN(std::string envelope, runtime::attest(verification.attested(), *signer));
  LINDERO_RETURN_IF_ERROR(withExit(runtime::writeFile(arguments.output, envelope), Exit::kFile));
  LINDERO_ASSIGN_OR_RETURN(runtime::Digest id, signer->id());
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
