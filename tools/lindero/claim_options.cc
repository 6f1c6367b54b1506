#include "tools/lindero/claim_options.h"

#include "absl/strings/str_cat.h"
#include "runtime/claim/bind.h"
#include "runtime/claim/key_file.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

absl::StatusOr<runtime::Digest> nonceOf(const std::string& given) {
  if (given.empty()) return runtime::randomDigest();
  absl::StatusOr<runtime::Digest> nonce = runtime::fromHex(given);
  if (nonce.ok()) return nonce;
  return failure(Exit::kUsage, absl::StrCat("--nonce ", given, " is not 64 hexadecimal digits"));
}

}  // namespace

void addClaimOptions(CLI::App& app, ClaimOptions& options) {
  app.add_option("--digest", options.digests,
                 "Give this input or output by digest alone; `open` needs its values")
      ->type_name("NAME");
  app.add_option("--openings", options.openings,
                 "Where the values of --digest go (default: the proof's name with .openings)");
  app.add_option("--label-model", options.labels.model,
                 "What the claim calls the model (default: the name of its file)");
  app.add_option("--label-input", options.labels.input, "What the claim calls the input");
  app.add_option("--label-output", options.labels.output, "What the claim calls the output");
  app.add_option("--nonce", options.nonce,
                 "32 bytes in hexadecimal, of whoever asked for the proof (default: random)");
}

absl::Status writeClaim(const ClaimOptions& options, const OpenedPackage& opened,
                        const Statement& statement, const runtime::StopRule& rule,
                        const ClaimFiles& files) {
  LINDERO_ASSIGN_OR_RETURN(runtime::KeySet keys, readKeys(files.key));
  const runtime::Key* key = keys.findCircuit(opened.package.circuitDigest());
  if (key == nullptr) {
    return failure(
        Exit::kPackage,
        absl::StrCat(files.key, " has no key of the circuit of ", opened.path, ", only those of ",
                     runtime::describeBuckets(keys), " of ", runtime::toHex(keys.model().id)));
  }
  absl::StatusOr<runtime::Claim> claim = runtime::claimOf(*key, statement, rule);
  if (!claim.ok()) {
    return failure(Exit::kPackage,
                   absl::StrCat(opened.path, " with the key ", files.key, ": ",
                                claim.status().message(), "; `lindero compile` makes both anew"));
  }
  claim->labels = options.labels;
  if (claim->labels.model.empty()) claim->labels.model = opened.facts.file;
  LINDERO_ASSIGN_OR_RETURN(claim->nonce, nonceOf(options.nonce));
  absl::StatusOr<std::vector<runtime::Opening>> openings =
      runtime::hideValues(*claim, options.digests);
  if (!openings.ok()) {
    return failure(Exit::kUsage, absl::StrCat("--digest: ", openings.status().message()));
  }
  absl::StatusOr<std::string> text = runtime::encodeClaim(*claim);
  if (!text.ok()) return withExit(text.status(), Exit::kUsage);
  LINDERO_RETURN_IF_ERROR(withExit(runtime::writeFile(files.claim, *text), Exit::kFile));
  if (files.openings.empty()) return absl::OkStatus();
  LINDERO_ASSIGN_OR_RETURN(std::string values, runtime::encodeOpenings(*openings));
  return withExit(runtime::writeFile(files.openings, values), Exit::kFile);
}

}  // namespace lindero::cli
