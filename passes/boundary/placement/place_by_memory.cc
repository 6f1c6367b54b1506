#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ir/core/status_macros.h"
#include "passes/boundary/placement/policy.h"

namespace lindero::passes {
namespace {

// The best way to place the atoms before a position.
struct Best {
  int64_t segments = 0, cells = 0;
  size_t start = 0;  // of the last segment
  auto order() const { return std::pair(segments, cells); }
};

// Null where an atom alone takes more: then `tightest` is that atom.
absl::StatusOr<std::optional<Assignment>> solve(const PlacementGraph& graph, const CostModel& costs,
                                                double bytes, size_t& tightest) {
  const size_t atoms = graph.atoms().size();
  std::vector<std::optional<Best>> best(atoms + 1);
  best[0] = Best{};
  for (size_t first = 0; first < atoms; ++first) {
    if (!best[first]) continue;
    for (size_t last = first + 1; last <= atoms; ++last) {
      IR_ASSIGN_OR_RETURN(const SegmentCost cost, costs.range(first, last));
      if (cost.proof.memory_bytes > 2 * bytes) break;
      if (cost.proof.memory_bytes > bytes) continue;
      const Best here{best[first]->segments + 1, best[first]->cells + cost.size.online, first};
      if (!best[last] || here.order() < best[last]->order()) best[last] = here;
    }
  }
  if (!best[atoms]) {
    tightest = atoms - 1;
    while (!best[tightest]) --tightest;
    return std::nullopt;
  }
  std::vector<size_t> cuts;
  for (size_t at = best[atoms]->start; at > 0; at = best[at]->start) cuts.insert(cuts.begin(), at);
  return assignmentOfCuts(atoms, cuts);
}

std::string mebibytes(double bytes) { return absl::StrFormat("%.1f MiB", std::ldexp(bytes, -20)); }

}  // namespace

absl::StatusOr<Assignment> placeByMemory(const PlacementGraph& graph, const CostModel& costs,
                                         double bytes) {
  if (graph.atoms().empty()) return Assignment{};
  // A range is measured as if all after it were one segment. A tensor that several of them read
  // takes a little more: then the budget is that much smaller.
  double limit = bytes;
  while (true) {
    size_t tightest = 0;
    IR_ASSIGN_OR_RETURN(const std::optional<Assignment> placed,
                        solve(graph, costs, limit, tightest));
    if (!placed) {
      IR_ASSIGN_OR_RETURN(const SegmentCost cost, costs.range(tightest, tightest + 1));
      return absl::ResourceExhaustedError(absl::StrCat(
          "budget-memory: from ", graph.describe(tightest), " on (", graph.atoms()[tightest].label,
          ") no segment is within ", mebibytes(bytes),
          ": that one op with what cannot be cut from it takes ",
          mebibytes(cost.proof.memory_bytes),
          cost.proof.memory_bytes > bytes ? ""
                                          : ", and tensors that several segments read the rest",
          "; give more memory, or a shorter sequence"));
    }
    IR_ASSIGN_OR_RETURN(const PlacementCost cost, costs.cost(*placed));
    if (cost.proof.memory_bytes <= bytes) return *placed;
    limit -= cost.proof.memory_bytes - bytes;
  }
}

}  // namespace lindero::passes
