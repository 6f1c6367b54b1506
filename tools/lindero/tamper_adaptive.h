// lindero tamper --adaptive: the report of the adaptive adversary.
#pragma once

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/package/bundle_package.h"
#include "runtime/package/statement.pb.h"
#include "tools/lindero/context.h"

namespace lindero::cli {

struct AdaptiveArguments {
  uint64_t seed = 1;
  int threads = 0;
  uint64_t rows = 0;  // of each column to mutate; 0: all
};

// Of a member, in the run's last step.
struct MemberTrace {
  const Statement& statement;
  absl::Span<const uint32_t> main;
};

// Adds what was examined and found to the summary, of each member and of the links between them;
// returns how many things were found.
absl::StatusOr<uint64_t> tamperAdaptively(const runtime::BundlePackage& package,
                                          absl::Span<const MemberTrace> traces,
                                          const AdaptiveArguments& arguments, Context& context,
                                          Summary& summary);

// The same of a package without a run: of any witness alone, and no cells are mutated.
absl::StatusOr<uint64_t> examineAnyWitness(const runtime::BundlePackage& package,
                                           const AdaptiveArguments& arguments, Context& context,
                                           Summary& summary);

}  // namespace lindero::cli
