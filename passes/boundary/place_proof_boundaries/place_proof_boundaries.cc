#include "passes/boundary/place_proof_boundaries/place_proof_boundaries.h"

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::passes {
namespace {

class PlaceProofBoundaries : public Pass {
 public:
  PlaceProofBoundaries(PlacementPolicy policy, CostOptions costs)
      : policy_(std::move(policy)), costs_(std::move(costs)) {}
  llvm::StringRef name() const override { return "place-proof-boundaries"; }
  llvm::StringRef summary() const override {
    return "Assign the ops of the integer program to proofs, as a policy says";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* main = module.findFunction("main");
    if (main == nullptr) {
      return absl::InvalidArgumentError("the module has no function @main");
    }
    IR_ASSIGN_OR_RETURN(const PlacementGraph graph, PlacementGraph::of(*main));
    IR_ASSIGN_OR_RETURN(const Assignment assignment, policy_(graph, CostModel(graph, costs_)));
    IR_RETURN_IF_ERROR(checkAssignment(graph, assignment));
    return writeAssignment(graph, assignment, *main);
  }

 private:
  PlacementPolicy policy_;
  CostOptions costs_;
};

absl::StatusOr<std::unique_ptr<Pass>> createFrom(const PassOptions& given) {
  constexpr llvm::StringLiteral kOwn[] = {"policy", "log-blowup", "queries", "threads"};
  PlaceProofBoundariesOptions options;
  PassOptions own;
  for (const auto& option : given) {
    (llvm::is_contained(kOwn, option.first) ? own : options.policy_options).push_back(option);
  }
  OptionReader reader("place-proof-boundaries", own);
  reader.read("policy", options.policy);
  readCostOptions(reader, options.costs);
  IR_RETURN_IF_ERROR(reader.finish());
  return createPlaceProofBoundaries(options);
}

}  // namespace

void readCostOptions(OptionReader& reader, CostOptions& costs) {
  reader.read("log-blowup", costs.parameters.log_blowup);
  reader.read("queries", costs.parameters.queries);
  reader.read("threads", costs.threads);
}

absl::StatusOr<std::unique_ptr<Pass>> createPlaceProofBoundaries(
    const PlaceProofBoundariesOptions& options) {
  IR_RETURN_IF_ERROR(registerBuiltInPolicies());
  if (options.costs.threads < 1 || options.costs.parameters.queries < 1 ||
      options.costs.parameters.log_blowup < 1 || options.costs.parameters.log_blowup > 16) {
    return absl::InvalidArgumentError(
        "place-proof-boundaries: threads and queries are at least 1, log-blowup is 1 to 16");
  }
  IR_ASSIGN_OR_RETURN(PlacementPolicy policy,
                      makePlacementPolicy(options.policy, options.policy_options));
  return std::make_unique<PlaceProofBoundaries>(std::move(policy), options.costs);
}

absl::Status registerPlaceProofBoundaries() {
  IR_RETURN_IF_ERROR(registerBuiltInPolicies());
  return registerPass("place-proof-boundaries",
                      "Assign the ops of the integer program to proofs, as a policy says",
                      createFrom);
}

}  // namespace lindero::passes
