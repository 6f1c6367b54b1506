// Several placements of one model's proof boundaries, through the real prover, at equal security.
//
// The model is imported and calibrated once; for each placement it is lowered, written and given a
// key. Then every placement is proven once a round, in an order that moves on by one each round, so
// that what changes on the machine meets all of them; every proof is verified with its key, and all
// must state the same integers.
//
// Disk: a package for each placement, with the files that `setup` leaves for the prover, and one
// trace and proof at a time. Time: the compilations, and rounds x placements proofs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/compare/comparison.h"
#include "compiler/driver/compile_model.h"
#include "runtime/inputs/inputs.h"
#include "runtime/prove/prover.h"
#include "runtime/run/run.h"

namespace lindero::compiler {

struct PlacedModel {
  Placement placement;
  runtime::Run run;
  std::string key;  // its file
};

// Fails with kUsage at the first that is unknown, or has options that it does not take. Policies of
// plugins are there once a model was imported with them.
absl::Status checkPolicies(const std::vector<std::string>& policies);

// Lowers the calibrated model once for each policy, into a folder of its own in `folder`, and binds
// the inputs. Without policies: all that are registered, `fused` first and `budget-memory` with
// half of the memory that fused is predicted to take; those that need more to be said, or that the
// model does not fit, are left out with a note. A placement that another one has already is left
// out, too. Fails with kUsage where fewer than two remain, with kPackage where keys are not of
// equal security.
absl::StatusOr<std::vector<PlacedModel>> placeModel(const ModelOptions& options,
                                                    const std::vector<std::string>& policies,
                                                    const runtime::Prover& prover,
                                                    PreparedModel& model,
                                                    const std::vector<runtime::InputArray>& inputs,
                                                    const std::string& folder,
                                                    runtime::Monitor& monitor);

// `rounds` transcripts of each placement, in the order in which they were made; each is given to
// `made`, too, as soon as it is there. Fails with kRejected if a proof is, and with kInternal if
// two state other integers.
absl::StatusOr<std::vector<Transcript>> proveInRounds(
    const std::vector<PlacedModel>& placed, int64_t rounds, const runtime::Prover& prover,
    const std::string& folder, const std::function<void(const Transcript&)>& made,
    runtime::Monitor& monitor);

}  // namespace lindero::compiler
