#include "runtime/tamper/families.h"

#include <cctype>
#include <map>

namespace lindero::runtime {
namespace {

// The adaptive rule that the circuit breaks without this constraint, if it does.
std::string ruleWithout(const Requirement& constraint, const Circuit& circuit) {
  Circuit without = circuit;
  without.mutable_tables(static_cast<int>(constraint.table))
      ->mutable_constraints()
      ->DeleteSubrange(static_cast<int>(constraint.index), 1);
  const absl::Status refusal = analyzeCircuit(without).status();
  // "circuit.pb: tables[3] \"operands\".columns[7] \"factor\": R4: it is free …"
  const absl::string_view said = refusal.message();
  for (size_t at = said.find(": R"); at != absl::string_view::npos; at = said.find(": R", at + 1)) {
    const absl::string_view rule = said.substr(at + 2, 3);
    if (rule.size() == 3 && std::isdigit(rule[1]) && rule[2] == ':') {
      return std::string(rule.substr(0, 2));
    }
  }
  return "";
}

}  // namespace

absl::Span<const ImpliedFamily> impliedFamilies() {
  // The proofs are in passes/lower_air/GADGETS.md.
  static constexpr ImpliedFamily kImplied[] = {
      {"constraint argmax.something is chosen",
       "if nothing is chosen, the index is the number of lanes, and the claim's is below that of "
       "entries"},
  };
  return kImplied;
}

std::vector<Family> familiesOf(const Necessity& necessity, const Circuit& circuit) {
  std::vector<Family> families;
  std::map<std::string, size_t> places;
  std::vector<const Requirement*> first;  // of each family
  for (const Requirement& r : necessity.requirements()) {
    auto [it, fresh] = places.try_emplace(familyOf(r, circuit), families.size());
    if (fresh) {
      families.push_back({it->first});
      first.push_back(&r);
    }
    Family& family = families[it->second];
    ++family.parts;
    if (r.witness.empty()) continue;
    if (++family.shown == 1) family.witness = r.witness;
  }
  for (size_t i = 0; i < families.size(); ++i) {
    Family& family = families[i];
    if (family.shown == 0 && first[i]->kind == Requirement::Kind::kConstraint) {
      family.rule = ruleWithout(*first[i], circuit);
    }
    for (const ImpliedFamily& implied : impliedFamilies()) {
      if (family.name == implied.name) family.reason = implied.reason;
    }
  }
  return families;
}

}  // namespace lindero::runtime
