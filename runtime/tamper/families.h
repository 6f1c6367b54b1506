// The rules of a circuit, and how each is known to be needed.
//
// A family is a rule: the parts (necessity.h) that differ in their lane, or in the table of a kind
// that they stand in. It is shown by a trace that shows one of its parts, or it is known to be
// implied by others, or it is open.
#ifndef LINDERO_RUNTIME_TAMPER_FAMILIES_H_
#define LINDERO_RUNTIME_TAMPER_FAMILIES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "runtime/package/package.h"
#include "runtime/tamper/necessity.h"

namespace lindero::runtime {

// What other rules imply, and why; all there is.
struct ImpliedFamily {
  const char* name;
  const char* reason;
};
absl::Span<const ImpliedFamily> impliedFamilies();

struct Family {
  std::string name;
  uint64_t parts = 0, shown = 0;
  std::string witness = "";  // of the first part that is shown; empty: none
  std::string reason = "";   // why others imply it; empty: nothing is known
  bool open() const { return shown == 0 && reason.empty(); }
  const char* status() const { return shown > 0 ? "shown" : open() ? "open" : "implied"; }
};

// In the order of the circuit. Not while observing.
std::vector<Family> familiesOf(const Necessity& necessity, const Circuit& circuit);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_TAMPER_FAMILIES_H_
