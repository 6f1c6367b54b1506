// drop-double-negation: -(-x) becomes x. The example of passes/README.md.
#include "passes/plugin.h"

namespace {

using namespace lindero;

class DropDoubleNegation : public passes::Pass {
 public:
  llvm::StringRef name() const override { return "drop-double-negation"; }
  llvm::StringRef summary() const override { return "Replaces -(-x) by x"; }

  absl::StatusOr<bool> run(ir::Module& module) override {
    bool changed = false;
    for (const auto& function : module.functions()) {
      ir::walk(function->body(), [&](ir::Op* op) { changed |= visit(op); });
    }
    return changed;
  }

 private:
  // True if the op was a second negation. The first may have other readers; eliminate-dead-ops
  // drops it if it has none.
  static bool visit(ir::Op* op) {
    if (!op->is("tensor.neg")) return false;
    ir::Op* inner = op->operand(0)->definingOp();  // null: an argument
    if (inner == nullptr || !inner->is("tensor.neg")) return false;
    ir::Value* x = inner->operand(0);
    // Names of ONNX nodes stay with the value that now does their work.
    if (ir::Op* maker = x->definingOp()) {
      maker->addLocation(inner->location());
      maker->addLocation(op->location());
    }
    op->result()->replaceAllUsesWith(x);
    op->erase();  // walk allows it for the visited op
    return true;
  }
};

std::unique_ptr<passes::Pass> create() { return std::make_unique<DropDoubleNegation>(); }

}  // namespace

LINDERO_PASS_PLUGIN { return passes::registerPass(create); }
