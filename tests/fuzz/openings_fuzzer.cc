// Openings of what a claim gives by digest.
#include "runtime/claim/opening.h"
#include "tests/fuzz/fuzz.h"

namespace lindero::fuzz {
namespace {

void read(absl::string_view bytes) {
  static const auto* hidden =
      new absl::StatusOr<runtime::Claim>(runtime::decodeClaim(seed("hidden.claim")));
  demand(hidden->ok(), hidden->status().message());
  absl::StatusOr<std::vector<runtime::Opening>> openings = runtime::decodeOpenings(bytes);
  if (!openings.ok()) return;
  absl::StatusOr<std::string> again = runtime::encodeOpenings(*openings);
  demand(again.ok() && *again == bytes, "openings that are read have one encoding");
  (void)runtime::openClaim(**hidden, *openings);
  // The same openings, where they are those of the claim: by their own digests.
  runtime::Claim claim = **hidden;
  for (const runtime::Opening& opening : *openings) {
    absl::StatusOr<runtime::Digest> digest = runtime::openingDigest(opening);
    runtime::ClaimTensor* tensor = runtime::findTensor(claim, opening.name);
    if (digest.ok() && tensor != nullptr && tensor->digest) tensor->digest = *digest;
  }
  (void)runtime::openClaim(claim, *openings);
}

}  // namespace
}  // namespace lindero::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lindero::fuzz::read(lindero::fuzz::textOf(data, size));
  return 0;
}
