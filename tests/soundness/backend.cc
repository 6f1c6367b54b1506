#include "tests/soundness/backend.h"

#include "absl/strings/str_cat.h"
#include "runtime/claim/claim.h"
#include "runtime/package/digest.h"
#include "runtime/package/files.h"
#include "runtime/package/key.pb.h"
#include "runtime/package/proof.pb.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"

namespace lindero::test {
namespace {

constexpr uint64_t kMaxBytes = 1 << 28;

runtime::Claim claimOf(const Circuit& circuit, const Statement& statement) {
  runtime::Claim claim;
  for (const PublicTensor& t : circuit.publics()) {
    const PublicValues& said = *runtime::findValues(statement, t.name());
    (t.kind() == PublicTensor::INPUT ? claim.inputs : claim.outputs)
        .push_back({.name = t.name(),
                    .rows = said.rows(),
                    .columns = t.columns(),
                    .low = t.low(),
                    .high = t.high(),
                    .exponent = t.exponent(),
                    .shape = {said.rows(), t.columns()},
                    .values = {{said.values().begin(), said.values().end()}}});
  }
  return claim;
}

}  // namespace

absl::StatusOr<Backend> Backend::of(const runtime::Package& package) {
  LINDERO_ASSIGN_OR_RETURN(runtime::Prover prover, runtime::Prover::find({.security_bits = 20}));
  Backend backend(package, std::move(prover));
  LINDERO_RETURN_IF_ERROR(
      backend.prover_.setup(package.path(), backend.file("key"), *backend.monitor_).status());
  return backend;
}

absl::Status Backend::prove(const Statement& statement,
                            const std::vector<std::vector<uint32_t>>& traces) {
  LINDERO_ASSIGN_OR_RETURN(std::string claim,
                           runtime::encodeClaim(claimOf(package_.circuit(), statement)));
  LINDERO_RETURN_IF_ERROR(runtime::writeFile(file("claim"), claim));
  std::vector<std::string> files;
  for (const std::vector<uint32_t>& cells : traces) {
    files.push_back(file(absl::StrCat("trace", files.size())));
    const auto* bytes = reinterpret_cast<const char*>(cells.data());
    LINDERO_RETURN_IF_ERROR(
        runtime::writeFile(files.back(), {bytes, cells.size() * sizeof(uint32_t)}));
  }
  return prover_
      .prove(package_.path(), file("key"), {files, file("claim"), /*openings=*/"", file("proof")},
             *monitor_)
      .status();
}

absl::Status Backend::verify() {
  return prover_.verify(file("key"), file("proof"), /*openings=*/"", *monitor_).status();
}

absl::Status Backend::verifyProofOf(const Backend& other) {
  LINDERO_ASSIGN_OR_RETURN(std::string key, runtime::readFile(file("key"), kMaxBytes));
  LINDERO_ASSIGN_OR_RETURN(std::string bytes, runtime::readFile(other.file("proof"), kMaxBytes));
  KeySet keys;
  Proof proof;
  LINDERO_RETURN_IF_ERROR(runtime::parseProto(key, "key", keys));
  LINDERO_RETURN_IF_ERROR(runtime::parseProto(bytes, "proof", proof));
  const runtime::Digest digest = runtime::sha256(keys.keys(0));
  proof.set_key_digest(digest.data(), digest.size());
  LINDERO_RETURN_IF_ERROR(runtime::writeFile(file("proof"), runtime::serializeProto(proof)));
  return verify();
}

}  // namespace lindero::test
