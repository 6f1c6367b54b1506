#include "runtime/verify/attest_files.h"

#include <sys/stat.h>

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/claim/attestation.h"
#include "runtime/error/error.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostAttestation = 64 << 20, kMostPem = 1 << 16;

// A file that its owner alone may read.
absl::Status writePrivateFile(const std::string& path, absl::string_view bytes) {
  mode_t before = ::umask(S_IRWXG | S_IRWXO);
  absl::Status status = writeFile(path, bytes);
  ::umask(before);
  return withError(std::move(status), Error::kFile);
}

absl::StatusOr<std::string> readPem(const std::string& path) {
  absl::StatusOr<std::string> pem = readFile(path, kMostPem);
  if (!pem.ok()) return withError(pem.status(), Error::kFile);
  return pem;
}

absl::StatusOr<SigningKey> keyOr(absl::StatusOr<SigningKey> key, const std::string& path) {
  if (key.ok()) return key;
  return failure(Error::kInput, absl::StrCat(path, ": ", key.status().message()));
}

}  // namespace

absl::StatusOr<SigningKey> readPrivateKey(const std::string& path) {
  LINDERO_ASSIGN_OR_RETURN(std::string pem, readPem(path));
  return keyOr(SigningKey::fromPrivatePem(pem), path);
}

absl::StatusOr<SigningKey> readPublicKey(const std::string& path) {
  LINDERO_ASSIGN_OR_RETURN(std::string pem, readPem(path));
  return keyOr(SigningKey::fromPublicPem(pem), path);
}

absl::StatusOr<SigningKey> makeSigningKey(const std::string& path, const std::string& shared) {
  for (const std::string& taken : {path, shared}) {
    std::error_code code;
    if (!fs::exists(taken, code)) continue;
    return failure(Error::kFile, absl::StrCat(taken, " exists: a key is not overwritten"));
  }
  LINDERO_ASSIGN_OR_RETURN(SigningKey key, SigningKey::generate());
  LINDERO_ASSIGN_OR_RETURN(std::string secret, key.privatePem());
  LINDERO_ASSIGN_OR_RETURN(std::string open, key.publicPem());
  LINDERO_RETURN_IF_ERROR(writePrivateFile(path, secret));
  LINDERO_RETURN_IF_ERROR(withError(writeFile(shared, open), Error::kFile));
  return key;
}

// The ONNX file, and those beside it with its weights, are what the claim says.
absl::Status checkModelFiles(const std::string& onnx, const Claim& claim) {
  std::vector<std::pair<std::string, Digest>> files = {{onnx, claim.model.onnx}};
  for (const ExternalFile& file : claim.model.external) {
    files.emplace_back(fs::path(onnx).parent_path() / file.name, file.sha256);
  }
  for (const auto& [path, expected] : files) {
    absl::StatusOr<Digest> digest = sha256File(path);
    if (!digest.ok()) return withError(digest.status(), Error::kFile);
    if (*digest == expected) continue;
    return failure(Error::kRejected, absl::StrCat("REJECTED: ", path, " is ", toHex(*digest),
                                                  ", the claim is about ", toHex(expected)));
  }
  return absl::OkStatus();
}

absl::Status attestToFile(const Verification& verification, const std::string& proof,
                          const std::string& onnx, const SigningKey& signer,
                          const std::string& path) {
  if (!verification.complete()) return unopened(verification, proof);
  LINDERO_RETURN_IF_ERROR(checkModelFiles(onnx, verification.claim));
  LINDERO_ASSIGN_OR_RETURN(std::string envelope, attest(verification.attested(), signer));
  return withError(writeFile(path, envelope), Error::kFile);
}

absl::Status checkAttestationFile(const std::string& path, const Verification& verification,
                                  const std::string& proof, const SigningKey& signer) {
  absl::StatusOr<std::string> envelope = readFile(path, kMostAttestation);
  if (!envelope.ok()) return withError(envelope.status(), Error::kFile);
  absl::Status status = checkAttestation(*envelope, verification.attested(), signer);
  if (status.ok()) return status;
  return failure(Error::kRejected, absl::StrCat("REJECTED: ", path, " does not attest to ", proof,
                                                ": ", status.message()));
}

}  // namespace lindero::runtime
