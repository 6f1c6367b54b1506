#include "passes/lower_air/drop_class/drop_class.h"

#include "absl/strings/str_cat.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/general/eliminate_dead_ops/eliminate_dead_ops.h"

namespace lindero::passes {
namespace {

constexpr llvm::StringLiteral kName = "drop-class";
constexpr llvm::StringLiteral kSummary =
    "Leave out the constraints of a class, to see what they refuse; for experiments";

// Of a rule; empty for columns and expressions, which say nothing of the witness.
std::string classOf(const ir::Op& op) {
  if (op.is("air.public")) return op.has("slot") ? "continuity" : "boundary";
  if (op.is("air.link")) return "continuity";
  if (op.is("air.lookup") || op.is("air.provide")) return "local";
  if (!op.is("air.constrain") && !op.is("air.term")) return "";
  return op.has("kind") ? op.stringAttr("kind") : "local";
}

class DropClass : public Pass {
 public:
  explicit DropClass(DropClassOptions options) : options_(std::move(options)) {}
  llvm::StringRef name() const override { return kName; }
  llvm::StringRef summary() const override { return kSummary; }

  absl::StatusOr<bool> run(ir::Module& module) override {
    if (!llvm::is_contained({"local", "continuity", "boundary"}, options_.dropped)) {
      return failure("class is local, continuity or boundary, not '", options_.dropped, "'");
    }
    ir::Function* circuit = module.findFunction("circuit");
    if (!circuit) return failure("the module has no function @circuit");
    bool lowered = false, changed = false;
    ir::walk(circuit->body(), [&](ir::Op* op) { lowered |= op->is("air.fraction"); });
    if (lowered) return failure("this pass runs before lower-sums");
    ir::walk(circuit->body(), [&](ir::Op* op) {
      if (classOf(*op) != options_.dropped) return;
      op->erase();
      changed = true;
    });
    if (!changed) return false;
    if (ir::Function* trace = module.findFunction("trace")) module.eraseFunction(trace);
    if (absl::Status s = createEliminateDeadOps()->run(module).status(); !s.ok()) return s;
    ir::walk(circuit->body(), [](ir::Op* op) {
      if (op->is("air.gather") && op->result()->users().empty()) op->erase();
    });
    for (ir::Op& op : circuit->body().ops()) {
      if (op.is("air.table")) readWitness(*op.block());
    }
    return true;
  }

 private:
  static void readWitness(ir::Block& table) {
    std::vector<ir::Value*> unread;
    for (ir::Op& op : table.ops()) {
      if (op.is("air.column") && op.intAttr("phase") == 1 && op.result()->users().empty()) {
        unread.push_back(op.result());
      }
    }
    ir::Builder body(&table);
    for (ir::Value* x : unread) {
      ir::Value* zero = body.value("air.sub", {x, x}, ir::Type::base());
      std::string name = absl::StrCat("nothing of ", x->definingOp()->stringAttr("name"));
      body.create("air.constrain", {zero}, {}, {{"name", name}, {"kind", std::string("local")}});
    }
  }

  template <typename... Words>
  static absl::Status failure(const Words&... words) {
    return absl::InvalidArgumentError(absl::StrCat(words...));
  }

  DropClassOptions options_;
};

}  // namespace

std::unique_ptr<Pass> createDropClass(DropClassOptions options) {
  return std::make_unique<DropClass>(std::move(options));
}

absl::Status registerDropClass() {
  return registerPass(kName, kSummary,
                      [](const PassOptions& given) -> absl::StatusOr<std::unique_ptr<Pass>> {
                        DropClassOptions options;
                        OptionReader reader(kName, given);
                        reader.read("class", options.dropped);
                        if (absl::Status status = reader.finish(); !status.ok()) return status;
                        return createDropClass(options);
                      });
}

}  // namespace lindero::passes
