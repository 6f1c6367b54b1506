// The passes that Lindero ships, and the pipelines that have a name. A new pass is known to
// pipelines and to --help once it has its line here.
#include <mutex>

#include "llvm/Support/ErrorHandling.h"
#include "passes/boundary/apply_proof_boundaries/apply_proof_boundaries.h"
#include "passes/boundary/carry_context/carry_context.h"
#include "passes/boundary/place_proof_boundaries/place_proof_boundaries.h"
#include "passes/boundary/print_placement/print_placement.h"
#include "passes/boundary/select_segment/select_segment.h"
#include "passes/general/eliminate_dead_ops/eliminate_dead_ops.h"
#include "passes/import_cleanup/import_cleanup.h"
#include "passes/lower_air/drop_class/drop_class.h"
#include "passes/lower_air/lower_sums/lower_sums.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"
#include "passes/lower_air/verify_air/verify_air.h"
#include "passes/lower_air/verify_intervals/verify_intervals.h"
#include "passes/pass.h"
#include "passes/quantize/passes.h"
#include "passes/region/form_regions/form_regions.h"

namespace lindero::passes {

void registerAllPasses() {
  static std::once_flag once;
  std::call_once(once, [] {
    absl::Status status;
    status.Update(registerEliminateDeadOps());
    status.Update(registerImportCleanup());
    status.Update(registerQuantize());
    status.Update(registerFormRegions());
    status.Update(registerCarryContext());
    status.Update(registerPlaceProofBoundaries());
    status.Update(registerPrintPlacement());
    status.Update(registerApplyProofBoundaries());
    status.Update(registerSelectSegment());
    status.Update(registerLowerToAir());
    status.Update(registerLowerSums());
    status.Update(registerVerifyAir());
    status.Update(registerVerifyIntervals());
    status.Update(registerDropClass());
    status.Update(registerPipeline("import-cleanup", "From ONNX ops to canonical ones",
                                   importCleanupPipeline()));
    status.Update(registerPipeline("default", "From an ONNX model to its circuit",
                                   "import-cleanup,quantize,form-regions,lower-to-air,verify-"
                                   "intervals,lower-sums,verify-air"));
    if (!status.ok()) llvm::report_fatal_error(llvm::StringRef(status.ToString()));
  });
}

}  // namespace lindero::passes
