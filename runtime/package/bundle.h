// Which circuits are proven together, how often, and what ties them to each other (bundle.proto).
#ifndef LINDERO_RUNTIME_PACKAGE_BUNDLE_H_
#define LINDERO_RUNTIME_PACKAGE_BUNDLE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/package/bundle.pb.h"
#include "runtime/package/circuit.pb.h"
#include "runtime/package/circuit_info.h"
#include "runtime/package/digest.h"

namespace lindero::runtime {

// Members times steps.
inline constexpr uint32_t kMaxBlocks = 1u << 16;

// What stands for a bundle.pb where there is none: a circuit by itself.
Bundle bundleOfOne();

// The bundle of a circuit whose group `in` takes in each step, of which there are `most_steps` at
// most, what its group `out` left in the one before; both are exported.
Bundle bundleOfSteps(uint32_t in, uint32_t out, uint32_t most_steps);

// Whether the name may be that of a member, and of its folder.
bool isMemberName(absl::string_view name);

// Per sum group of a member, whether a link of the bundle names it: its sum is not zero by itself.
std::vector<bool> linkedGroups(const Bundle& bundle, uint32_t member, const Circuit& circuit);

// SHA-256 of its canonical bytes: of members, links and steps.
Digest bundleDigest(const Bundle& bundle);

// F26, of the circuits of a bundle together. Each is to be counted before the next one is analysed.
class CircuitWork {
 public:
  absl::Status count(const CircuitInfo& info);

 private:
  uint64_t work_ = 0;
};

// F34 to F36 of FORMAT.md. `circuits` are those that the members name by index, of analyzeCircuit;
// takes time linear in all of it.
absl::Status checkBundle(const Bundle& bundle, absl::Span<const Circuit* const> circuits);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_BUNDLE_H_
