#include "runtime/tamper/families.h"

#include <map>

namespace lindero::runtime {

absl::Span<const ImpliedFamily> impliedFamilies() {
  // The proofs are in passes/lower_air/GADGETS.md.
  static constexpr ImpliedFamily kImplied[] = {
      {"constraint argmax.something is chosen",
       "if nothing is chosen, the index is the number of lanes, and the claim's is below that of "
       "entries"},
      {"constraint stored_argmax.something is chosen", "as of an argmax of a product"},
  };
  return kImplied;
}

std::vector<Family> familiesOf(const Necessity& necessity, const Circuit& circuit) {
  std::vector<Family> families;
  std::map<std::string, size_t> places;
  for (const Requirement& r : necessity.requirements()) {
    auto [it, fresh] = places.try_emplace(familyOf(r, circuit), families.size());
    if (fresh) families.push_back({it->first});
    Family& family = families[it->second];
    ++family.parts;
    if (r.witness.empty()) continue;
    if (++family.shown == 1) family.witness = r.witness;
  }
  for (Family& family : families) {
    for (const ImpliedFamily& implied : impliedFamilies()) {
      if (family.name == implied.name) family.reason = implied.reason;
    }
  }
  return families;
}

}  // namespace lindero::runtime
