// A proof from a stranger, as far as `lindero verify` reads it before the backend does: for keys
// that are one's own.
#include "runtime/claim/bind.h"
#include "runtime/claim/decode_claim.h"
#include "runtime/package/proof.pb.h"
#include "runtime/package/proto_io.h"
#include "tests/fuzz/fuzz.h"

namespace lindero::fuzz {
namespace {

void readFor(const runtime::KeySet& keys, absl::string_view bytes) {
  absl::StatusOr<runtime::Key> key = runtime::keyOfProof(keys, bytes);
  Proof proof;
  if (!key.ok() || !runtime::parseProto(bytes, "proof", proof).ok()) return;
  absl::StatusOr<runtime::Claim> claim = runtime::decodeClaim(proof.claim());
  if (!claim.ok() || !runtime::checkClaim(*claim, *key).ok()) return;
  absl::StatusOr<runtime::Claim> opened = runtime::openClaim(*claim, {});
  demand(opened.ok(), "a claim that fits its key may stay closed");
  (void)runtime::decodeRunOf(*opened, *key);
}

void read(absl::string_view bytes) {
  static const auto* sets = [] {
    auto* out = new std::vector<runtime::KeySet>;
    for (const char* name : {"forward.key", "decode.key", "carry.key"}) {
      absl::StatusOr<runtime::KeySet> set = runtime::decodeKeySet(seed(name));
      demand(set.ok(), set.status().message());
      out->push_back(*std::move(set));
    }
    return out;
  }();
  for (const runtime::KeySet& set : *sets) readFor(set, bytes);
}

bool changeProof(std::string& input, unsigned random) {
  Proof proof;
  if (random % 4 == 0 || !proof.ParseFromString(input)) return false;
  change(*proof.mutable_claim());
  input = runtime::serializeProto(proof);
  return true;
}

}  // namespace
}  // namespace lindero::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lindero::fuzz::read(lindero::fuzz::textOf(data, size));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most,
                                          unsigned random) {
  return lindero::fuzz::changeInside(data, size, most, [&](std::string& input) {
    return lindero::fuzz::changeProof(input, random);
  });
}
