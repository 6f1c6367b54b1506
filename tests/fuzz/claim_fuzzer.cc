// A claim, by itself and against a key that is one's own.
#include "runtime/claim/bind.h"
#include "runtime/claim/decode_claim.h"
#include "tests/fuzz/fuzz.h"

namespace lindero::fuzz {
namespace {

using runtime::Claim;
using runtime::KeySet;

const std::vector<KeySet>& keySets() {
  static const auto* sets = [] {
    auto* out = new std::vector<KeySet>;
    for (const char* name : {"forward.key", "decode.key", "carry.key"}) {
      absl::StatusOr<KeySet> set = runtime::decodeKeySet(seed(name));
      demand(set.ok(), set.status().message());
      out->push_back(*std::move(set));
    }
    return out;
  }();
  return *sets;
}

void read(absl::string_view bytes) {
  absl::StatusOr<Claim> claim = runtime::decodeClaim(bytes);
  if (!claim.ok()) return;
  absl::StatusOr<std::string> again = runtime::encodeClaim(*claim);
  demand(again.ok() && *again == bytes, "a claim that is read has one encoding");
  (void)runtime::checkChain({*claim, *claim});
  for (const KeySet& set : keySets()) {
    for (const runtime::Key& key : set.keys) {
      const bool fits = runtime::checkClaim(*claim, key).ok();
      auto run = runtime::decodeRunOf(*claim, key);
      demand(!fits || run.ok() || !claim->policy.digests.empty(),
             "a claim that fits its key tells its run");
    }
  }
}

}  // namespace
}  // namespace lindero::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  lindero::fuzz::read(lindero::fuzz::textOf(data, size));
  return 0;
}
