// Policies: what decides where proofs begin and end. A policy is a function of the graph and the
// cost model that returns an assignment; it changes nothing. place-proof-boundaries{policy=NAME}
// runs it.
//
// - fused: one proof of all
// - per-layer: each layer (of form-regions), what comes before the first, what comes after the last
// - per-region: a new proof wherever the region changes
// - file=PATH: after each ONNX node that the file names, a line each; # begins a comment
// - budget-memory=SIZE: the fewest proofs of at most so much memory each, in the model's
//   prediction: 3GiB, 512MiB, or bytes
//
// A plugin adds its own, with options of its own (passes/boundary/README.md).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "passes/boundary/placement/assignment.h"
#include "passes/boundary/placement/cost_model.h"
#include "passes/pass.h"

namespace lindero::passes {

using PlacementPolicy =
    std::function<absl::StatusOr<Assignment>(const PlacementGraph& graph, const CostModel& costs)>;
// Reads the policy's options (OptionReader); an unknown one is an error.
using PolicyFactory = std::function<absl::StatusOr<PlacementPolicy>(const PassOptions& options)>;

struct PolicyInfo {
  std::string name, summary;
  PolicyFactory factory;
};

// A name that is taken is an error.
absl::Status registerPlacementPolicy(llvm::StringRef name, llvm::StringRef summary,
                                     PolicyFactory factory);
std::vector<const PolicyInfo*> allPlacementPolicies();  // sorted by name

// "per-layer", "budget-memory=3GiB", "cut-narrowest{segments=3}": what is after '=' is the option
// of the policy's own name.
absl::StatusOr<PlacementPolicy> makePlacementPolicy(llvm::StringRef text,
                                                    const PassOptions& options = {});

// Those listed above; further calls do nothing.
absl::Status registerBuiltInPolicies();

// "3GiB", "512MiB", "64KiB", "1000": bytes; at least 1.
absl::StatusOr<int64_t> parseBytes(llvm::StringRef text);

// Of the chain of atoms, the fewest segments that take at most `bytes` of memory each; of those the
// one that commits the fewest cells. Dynamic programming over the ranges of atoms. A range is not
// looked at once one that it extends takes twice the budget.
absl::StatusOr<Assignment> placeByMemory(const PlacementGraph& graph, const CostModel& costs,
                                         double bytes);

// Cuts after the atoms that hold these ONNX nodes. Fails where a node is in none, or where its atom
// goes on after it.
absl::StatusOr<Assignment> placeByNodes(const PlacementGraph& graph,
                                        llvm::ArrayRef<std::string> nodes);

}  // namespace lindero::passes
