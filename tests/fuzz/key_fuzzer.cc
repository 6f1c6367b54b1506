// A key file from a stranger, with the proof that names its first key, and somebody's claim.
#include "runtime/claim/bind.h"
#include "runtime/claim/decode_claim.h"
#include "runtime/package/proof.pb.h"
#include "runtime/package/proto_io.h"
#include "tests/fuzz/fuzz.h"

namespace lindero::fuzz {
namespace {

const std::vector<runtime::Claim>& claims() {
  static const auto* claims = [] {
    auto* out = new std::vector<runtime::Claim>;
    for (const char* name : {"forward.claim", "hidden.claim", "decode.claim", "carry.claim"}) {
      absl::StatusOr<runtime::Claim> claim = runtime::decodeClaim(seed(name));
      demand(claim.ok(), claim.status().message());
      out->push_back(*std::move(claim));
    }
    return out;
  }();
  return *claims;
}

void read(absl::string_view bytes) {
  absl::StatusOr<runtime::KeySet> set = runtime::decodeKeySet(bytes);
  if (!set.ok()) return;
  demand(runtime::encodeKeySet(set->keys) == bytes, "a key file that is read has one encoding");
  Proof proof;
  proof.set_format(4);
  const runtime::Digest& digest = set->keys.front().digest;
  proof.set_key_digest(reinterpret_cast<const char*>(digest.data()), digest.size());
  absl::StatusOr<runtime::Key> key = runtime::keyOfProof(*set, runtime::serializeProto(proof));
  if (!key.ok()) return;
  for (const runtime::Claim& claim : claims()) {
    (void)runtime::checkClaim(claim, *key);
    (void)runtime::decodeRunOf(claim, *key);
  }
}

// Key in the set; circuits, bundle and model record in the key.
bool changeKey(std::string& input, unsigned random) {
  KeySet set;
  VerifyingKey key;
  if (!set.ParseFromString(input) || set.keys().empty()) return false;
  std::string& bytes = *set.mutable_keys(static_cast<int>(random / 8 % set.keys_size()));
  if (random % 8 == 0 || !key.ParseFromString(bytes)) return false;
  if (random % 8 == 1) {
    change(bytes);
  } else if (random % 8 == 2) {
    change(*key.mutable_model());
  } else if (random % 8 == 3) {
    std::string bundle = runtime::serializeProto(key.bundle());
    change(bundle);
    if (!key.mutable_bundle()->ParseFromString(bundle)) return false;
  } else if (key.circuits_size() > 0) {
    change(*key.mutable_circuits(static_cast<int>(random / 64 % key.circuits_size())));
  }
  if (random % 8 != 1) bytes = runtime::serializeProto(key);
  input = runtime::serializeProto(set);
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
    return lindero::fuzz::changeKey(input, random);
  });
}
