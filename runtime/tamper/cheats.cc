#include "runtime/tamper/cheats.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_replace.h"
#include "runtime/tamper/scene.h"

namespace lindero::runtime {

bool Cheat::aimsAt(const std::string& family) const {
  // A table of stored values has the rules of that of products.
  const std::string of_products = absl::StrReplaceAll(family, {{" stored_", " "}});
  return std::any_of(std::begin(aims), std::end(aims),
                     [&](const char* aim) { return aim != nullptr && of_products == aim; });
}

absl::Span<const Cheat> cheats() {
  static const auto& all = *new std::vector<Cheat>([] {
    std::vector<Cheat> list;
    auto add = [&](absl::Span<const Cheat> of) { list.insert(list.end(), of.begin(), of.end()); };
#define LINDERO_ADD_CHEATS(gadget) add(gadget##Cheats());
    LINDERO_CHEATED_GADGETS(LINDERO_ADD_CHEATS)
#undef LINDERO_ADD_CHEATS
    return list;
  }());
  return all;
}

std::string cheat(const CheatScene& scene) {
  std::vector<const Cheat*> fitting;
  for (const Cheat& cheat : cheats()) {
    if (cheat.kind == scene.step.kind_case()) fitting.push_back(&cheat);
  }
  if (fitting.empty()) return "";
  const Cheat& chosen = *fitting[scene.draws.below(fitting.size())];
  return chosen.apply(scene) ? chosen.name : "";
}

}  // namespace lindero::runtime
