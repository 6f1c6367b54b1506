// cut-narrowest: a placement policy from outside of the build. As many proofs as `segments` says,
// of about equal numbers of predicted cells, cut where the fewest elements cross. The example of
// passes/boundary/README.md.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "passes/boundary/placement/policy.h"
#include "passes/plugin.h"

namespace {

using namespace lindero::passes;

// Among the cuts at which the cells before are within `slack` of `wanted`, the narrowest; 0: there
// is none.
size_t narrowest(const PlacementGraph& graph, const std::vector<int64_t>& before, size_t from,
                 int64_t wanted, int64_t slack) {
  size_t best = 0;
  for (size_t cut = from; cut < graph.atoms().size(); ++cut) {
    if (std::abs(before[cut] - wanted) > slack) continue;
    if (best == 0 || graph.elementsAt(cut) < graph.elementsAt(best)) best = cut;
  }
  return best;
}

absl::StatusOr<Assignment> place(const PlacementGraph& graph, const CostModel& costs,
                                 int64_t segments) {
  // Cells before each cut, as if each atom were a proof of its own.
  std::vector<int64_t> before{0};
  for (size_t atom = 0; atom < graph.atoms().size(); ++atom) {
    auto cost = costs.range(atom, atom + 1);
    if (!cost.ok()) return cost.status();
    before.push_back(before.back() + cost->size.online);
  }
  std::vector<size_t> cuts;
  for (int64_t i = 1; i < segments; ++i) {
    const size_t from = cuts.empty() ? 1 : cuts.back() + 1;
    const int64_t share = before.back() / segments;
    const size_t cut = narrowest(graph, before, from, i * share, share / 2);
    if (cut != 0) cuts.push_back(cut);
  }
  return assignmentOfCuts(graph.atoms().size(), cuts);
}

absl::StatusOr<PlacementPolicy> create(const PassOptions& options) {
  int64_t segments = 2;
  OptionReader reader("cut-narrowest", options);
  reader.read("segments", segments);
  if (absl::Status status = reader.finish(); !status.ok()) return status;
  if (segments < 1) {
    return absl::InvalidArgumentError(absl::StrCat("cut-narrowest: ", segments, " segments"));
  }
  return [=](const PlacementGraph& graph, const CostModel& costs) {
    return place(graph, costs, segments);
  };
}

}  // namespace

LINDERO_PASS_PLUGIN {
  return registerPlacementPolicy("cut-narrowest", "Equal shares, cut where little crosses", create);
}
