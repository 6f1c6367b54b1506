#include "runtime/prove/claim_files.h"

#include "absl/strings/str_cat.h"
#include "runtime/claim/bind.h"
#include "runtime/claim/key_file.h"
#include "runtime/error/error.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

absl::StatusOr<Digest> nonceOf(const std::string& given) {
  if (given.empty()) return randomDigest();
  absl::StatusOr<Digest> nonce = fromHex(given);
  if (nonce.ok()) return nonce;
  return failure(Error::kUsage, absl::StrCat("--nonce ", given, " is not 64 hexadecimal digits"));
}

}  // namespace

absl::Status writeClaim(const ClaimOptions& options, const OpenedPackage& opened,
                        const Statement& statement, const StopRule& rule, const ClaimFiles& files) {
  LINDERO_ASSIGN_OR_RETURN(KeySet keys, readKeys(files.key));
  const Key* key = keys.find(opened.bundle.circuitDigests(), bundleDigest(opened.bundle.bundle));
  if (key == nullptr) {
    return failure(
        Error::kPackage,
        absl::StrCat(files.key, " has no key of the circuit and bundle of ", opened.path,
                     ", only those of ", describeBuckets(keys), " of ", toHex(keys.model().id)));
  }
  absl::StatusOr<Claim> claim = claimOf(*key, statement, rule);
  if (!claim.ok()) {
    return failure(Error::kPackage,
                   absl::StrCat(opened.path, " with the key ", files.key, ": ",
                                claim.status().message(), "; `lindero compile` makes both anew"));
  }
  claim->labels = options.labels;
  if (claim->labels.model.empty()) claim->labels.model = opened.facts.file;
  LINDERO_ASSIGN_OR_RETURN(claim->nonce, nonceOf(options.nonce));
  absl::StatusOr<std::vector<Opening>> openings = hideValues(*claim, options.digests);
  if (!openings.ok()) {
    return failure(Error::kUsage, absl::StrCat("--digest: ", openings.status().message()));
  }
  absl::StatusOr<std::string> text = encodeClaim(*claim);
  if (!text.ok()) return withError(text.status(), Error::kUsage);
  LINDERO_RETURN_IF_ERROR(withError(writeFile(files.claim, *text), Error::kFile));
  if (files.openings.empty()) return absl::OkStatus();
  LINDERO_ASSIGN_OR_RETURN(std::string values, encodeOpenings(*openings));
  return withError(writeFile(files.openings, values), Error::kFile);
}

}  // namespace lindero::runtime
