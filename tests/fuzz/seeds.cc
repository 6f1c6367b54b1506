// seeds FOLDER: takes the proofs of a folder apart, for targets that read a part: NAME.proof into
// NAME.claim; forward.claim into a statement; and an attestation of it, by a new signer.
#include <cstdio>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/claim/attestation.h"
#include "runtime/claim/claim.h"
#include "runtime/claim/json.h"
#include "runtime/package/files.h"
#include "runtime/package/proof.pb.h"
#include "runtime/package/proto_io.h"
#include "runtime/package/statement.h"
#include "runtime/package/status_macros.h"

namespace lindero::fuzz {
namespace {

constexpr uint64_t kMostBytes = uint64_t{1} << 28;

absl::Status writeClaim(const std::string& folder, const std::string& name) {
  LINDERO_ASSIGN_OR_RETURN(
      std::string bytes, runtime::readFile(absl::StrCat(folder, "/", name, ".proof"), kMostBytes));
  Proof proof;
  LINDERO_RETURN_IF_ERROR(runtime::parseProto(bytes, name, proof));
  return runtime::writeFile(absl::StrCat(folder, "/", name, ".claim"), proof.claim());
}

void addTensors(const std::vector<runtime::ClaimTensor>& tensors, PublicValues::Kind kind,
                Statement& statement) {
  for (const runtime::ClaimTensor& tensor : tensors) {
    PublicValues& values = *statement.add_tensors();
    values.set_name(tensor.name);
    values.set_kind(kind);
    values.set_rows(tensor.rows);
    values.set_columns(tensor.columns);
    for (int64_t value : *tensor.values) values.add_values(value);
  }
}

absl::Status writeStatement(const std::string& folder, const std::string& claim_bytes) {
  LINDERO_ASSIGN_OR_RETURN(runtime::Claim claim, runtime::decodeClaim(claim_bytes));
  Statement statement;
  statement.set_format(1);
  addTensors(claim.inputs, PublicValues::INPUT, statement);
  addTensors(claim.outputs, PublicValues::OUTPUT, statement);
  return runtime::writeStatement(folder + "/statement", statement);
}

// Also the payload by itself, which a target signs anew.
absl::Status writeAttestation(const std::string& folder, const std::string& claim) {
  LINDERO_ASSIGN_OR_RETURN(runtime::SigningKey signer, runtime::SigningKey::generate());
  LINDERO_ASSIGN_OR_RETURN(std::string pem, signer.privatePem());
  LINDERO_ASSIGN_OR_RETURN(std::string public_pem, signer.publicPem());
  LINDERO_ASSIGN_OR_RETURN(std::string envelope, runtime::attest({{1}, {2}, {3}, claim}, signer));
  LINDERO_ASSIGN_OR_RETURN(runtime::Json json, runtime::parseJson(envelope, "envelope"));
  std::string payload;
  if (!absl::Base64Unescape(json["payload"].get<std::string>(), &payload)) {
    return absl::InternalError("an envelope without a payload");
  }
  LINDERO_RETURN_IF_ERROR(runtime::writeFile(folder + "/signer.pem", pem));
  LINDERO_RETURN_IF_ERROR(runtime::writeFile(folder + "/public.pem", public_pem));
  LINDERO_RETURN_IF_ERROR(runtime::writeFile(folder + "/payload", payload));
  return runtime::writeFile(folder + "/envelope", envelope);
}

absl::Status run(const std::string& folder) {
  for (const char* name : {"forward", "hidden", "decode", "carry"}) {
    LINDERO_RETURN_IF_ERROR(writeClaim(folder, name));
  }
  LINDERO_ASSIGN_OR_RETURN(std::string claim,
                           runtime::readFile(folder + "/forward.claim", kMostBytes));
  LINDERO_RETURN_IF_ERROR(writeStatement(folder, claim));
  return writeAttestation(folder, claim);
}

}  // namespace
}  // namespace lindero::fuzz

int main(int count, char** words) {
  const absl::Status status =
      count == 2 ? lindero::fuzz::run(words[1]) : absl::InvalidArgumentError("usage: seeds FOLDER");
  if (status.ok()) return 0;
  std::fprintf(stderr, "seeds: %s\n", std::string(status.message()).c_str());
  return 1;
}
