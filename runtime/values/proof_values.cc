#include "runtime/values/proof_values.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/error/error.h"
#include "runtime/package/files.h"
#include "runtime/package/proof.pb.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/status_macros.h"
#include "runtime/values/public_values.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kMostProof = uint64_t{1} << 31;

}  // namespace

absl::StatusOr<UnverifiedProof> readUnverifiedProof(const std::string& path) {
  absl::StatusOr<std::string> bytes = readFile(path, kMostProof);
  if (!bytes.ok()) return withError(bytes.status(), Error::kFile);
  Proof message;
  if (absl::Status status = parseProto(*bytes, path, message); !status.ok()) {
    return withError(status, Error::kInput);
  }
  UnverifiedProof proof;
  proof.bytes = static_cast<int64_t>(bytes->size());
  proof.key_digest = absl::BytesToHexString(message.key_digest());
  proof.blocks = message.blocks_size();
  proof.claim_bytes = std::move(*message.mutable_claim());
  absl::StatusOr<Claim> claim = decodeClaim(proof.claim_bytes);
  if (!claim.ok()) {
    return failure(Error::kInput, absl::StrCat(path, ": ", claim.status().message()));
  }
  proof.claim = *std::move(claim);
  return proof;
}

absl::StatusOr<std::vector<int64_t>> tokensOfProof(const std::string& path) {
  LINDERO_ASSIGN_OR_RETURN(UnverifiedProof proof, readUnverifiedProof(path));
  LINDERO_ASSIGN_OR_RETURN(std::optional<DecodeRun> run, findDecodeRun(valuesOf(proof.claim)));
  if (run) return std::move(run->tokens);
  return failure(Error::kInput, absl::StrCat(path, " is no proof of a decode run"));
}

}  // namespace lindero::runtime
