#include "passes/general/eliminate_dead_ops/eliminate_dead_ops.h"

#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"

namespace lindero::passes {

namespace {

bool isPure(const ir::Op& op) {
  if (!op.def().pure) return op.def().terminator;
  return !op.block() || llvm::all_of(op.block()->ops(), isPure);
}

bool isDead(const ir::Op& op) {
  for (unsigned i = 0; i < op.numResults(); ++i) {
    if (!op.result(i)->users().empty()) return false;
  }
  return !op.def().terminator && isPure(op);
}

// Readers come after what they read, so that one backward sweep finds all.
bool sweep(ir::Block& block) {
  bool changed = false;
  for (ir::Op& op : llvm::make_early_inc_range(llvm::reverse(block.ops()))) {
    if (op.block()) changed |= sweep(*op.block());
    if (!isDead(op)) continue;
    op.erase();
    changed = true;
  }
  return changed;
}

class EliminateDeadOps : public Pass {
 public:
  llvm::StringRef name() const override { return "eliminate-dead-ops"; }
  llvm::StringRef summary() const override { return "Drops ops whose results nobody reads"; }
  absl::StatusOr<bool> run(ir::Module& module) override {
    bool changed = false;
    for (const auto& function : module.functions()) changed |= sweep(function->body());
    return changed;
  }
};

}  // namespace

std::unique_ptr<Pass> createEliminateDeadOps() { return std::make_unique<EliminateDeadOps>(); }
absl::Status registerEliminateDeadOps() { return registerPass(createEliminateDeadOps); }

}  // namespace lindero::passes
