#include "passes/import_cleanup/import_cleanup.h"

#include "passes/import_cleanup/close_choices/close_choices.h"
#include "passes/import_cleanup/close_scores/close_scores.h"
#include "passes/import_cleanup/drop_batch/drop_batch.h"
#include "passes/import_cleanup/drop_narrow/drop_narrow.h"
#include "passes/import_cleanup/flatten_rows/flatten_rows.h"
#include "passes/import_cleanup/fold_constants/fold_constants.h"
#include "passes/import_cleanup/fuse_activation/fuse_activation.h"
#include "passes/import_cleanup/fuse_attention/fuse_attention.h"
#include "passes/import_cleanup/fuse_layernorm/fuse_layernorm.h"
#include "passes/import_cleanup/fuse_linear/fuse_linear.h"
#include "passes/import_cleanup/fuse_sibling_linears/fuse_sibling_linears.h"
#include "passes/import_cleanup/fuse_softmax/fuse_softmax.h"
#include "passes/import_cleanup/lower_logic/lower_logic.h"
#include "passes/import_cleanup/merge_duplicates/merge_duplicates.h"
#include "passes/import_cleanup/normalize_order/normalize_order.h"
#include "passes/import_cleanup/recognize_embedding/recognize_embedding.h"
#include "passes/import_cleanup/recognize_masks/recognize_masks.h"
#include "passes/import_cleanup/select_outputs/select_outputs.h"
#include "passes/import_cleanup/set_length/set_length.h"
#include "passes/import_cleanup/simplify_views/simplify_views.h"
#include "passes/import_cleanup/verify_canonical/verify_canonical.h"

namespace lindero::passes {

llvm::StringRef importCleanupPipeline() {
  return "recognize-masks,fold-constants,drop-narrow,drop-batch,fold-constants,eliminate-dead-ops,"
         "merge-duplicates,"
         "simplify-"
         "views,"
         "fuse-softmax,close-scores,close-choices,fuse-layernorm,fuse-linear,fuse-attention,"
         "fuse-activation{of_integers=false},lower-logic,fold-constants,fuse-activation,simplify-"
         "views,"
         "fuse-linear{fold_scales=true},recognize-embedding,flatten-rows,simplify-views,normalize-"
         "order,"
         "fuse-sibling-linears,simplify-views,"
         "merge-duplicates,normalize-order,verify-canonical";
}

absl::Status registerImportCleanup() {
  absl::Status status;
  for (auto registerOne :
       {registerCloseChoices,       registerCloseScores,        registerDropBatch,
        registerDropNarrow,         registerFlattenRows,        registerFoldConstants,
        registerFuseActivation,     registerFuseAttention,      registerFuseLayernorm,
        registerFuseLinear,         registerFuseSiblingLinears, registerFuseSoftmax,
        registerLowerLogic,         registerMergeDuplicates,    registerNormalizeOrder,
        registerRecognizeEmbedding, registerRecognizeMasks,     registerSelectOutputs,
        registerSetLength,          registerSimplifyViews,      registerVerifyCanonical}) {
    status.Update(registerOne());
  }
  return status;
}

}  // namespace lindero::passes
