// An attestation: the input is an envelope; a payload, which gets a true signature; and a public
// key.
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/claim/attestation.h"
#include "runtime/claim/json.h"
#include "tests/fuzz/fuzz.h"

namespace lindero::fuzz {
namespace {

using runtime::SigningKey;

struct World {
  SigningKey signer;
  runtime::Attested attested;
  std::string envelope;
};

const World& world() {
  static const World* world = [] {
    absl::StatusOr<SigningKey> signer = SigningKey::fromPrivatePem(seed("signer.pem"));
    demand(signer.ok(), signer.status().message());
    auto* out = new World{*std::move(signer), {{1}, {2}, {3}, seed("forward.claim")}, ""};
    absl::StatusOr<std::string> envelope = runtime::attest(out->attested, out->signer);
    demand(envelope.ok(), envelope.status().message());
    out->envelope = *std::move(envelope);
    return out;
  }();
  return *world;
}

// The envelope of a payload, whatever it is: DSSE's signature is over type and payload.
std::string envelopeOf(absl::string_view payload) {
  const absl::string_view type = runtime::kPayloadType;
  absl::StatusOr<std::string> signature = world().signer.sign(
      absl::StrCat("DSSEv1 ", type.size(), " ", type, " ", payload.size(), " ", payload));
  absl::StatusOr<runtime::Digest> id = world().signer.id();
  demand(signature.ok() && id.ok(), "a key signs");
  const runtime::Json envelope = {
      {"payload", absl::Base64Escape(payload)},
      {"payloadType", std::string(type)},
      {"signatures", {{{"keyid", runtime::toHex(*id)}, {"sig", absl::Base64Escape(*signature)}}}}};
  absl::StatusOr<std::string> bytes = runtime::canonicalJson(envelope);
  demand(bytes.ok(), "an envelope has a canonical form");
  return *std::move(bytes);
}

void read(absl::string_view bytes) {
  const bool accepted = runtime::checkAttestation(bytes, world().attested, world().signer).ok();
  demand(!accepted || bytes == world().envelope, "one envelope alone attests to a claim");
  const std::string signed_one = envelopeOf(bytes);
  const bool holds = runtime::checkAttestation(signed_one, world().attested, world().signer).ok();
  demand(!holds || signed_one == world().envelope, "one payload alone attests to a claim");
  if (absl::StatusOr<SigningKey> key = SigningKey::fromPublicPem(bytes); key.ok()) {
    (void)runtime::checkAttestation(world().envelope, world().attested, *key);
  }
}

}  // namespace
}  // namespace lindero::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lindero::fuzz::read(lindero::fuzz::textOf(data, size));
  return 0;
}
