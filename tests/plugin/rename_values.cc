// A pass and a dialect from outside of the build: gives all values of an op the op's name, and
// marks functions.
#include "ir/core/op_table.h"
#include "llvm/ADT/StringExtras.h"
#include "passes/plugin.h"

namespace {

using namespace lindero;

class RenameValues : public passes::Pass {
 public:
  explicit RenameValues(std::string prefix) : prefix_(std::move(prefix)) {}
  llvm::StringRef name() const override { return "rename-values"; }
  llvm::StringRef summary() const override { return "Names results after their ops"; }

  absl::StatusOr<bool> run(ir::Module& module) override {
    bool changed = false;
    for (const auto& function : module.functions()) {
      ir::walk(function->body(), [&](ir::Op* op) {
        for (unsigned i = 0; i < op->numResults(); ++i) {
          op->result(i)->setName(prefix_ + op->name().split('.').second.str());
          changed = true;
        }
      });
    }
    return changed;
  }

 private:
  std::string prefix_;
};

absl::StatusOr<std::unique_ptr<passes::Pass>> create(const passes::PassOptions& options) {
  std::string prefix;
  passes::OptionReader reader("rename-values", options);
  reader.read("prefix", prefix);
  if (absl::Status status = reader.finish(); !status.ok()) return status;
  return std::make_unique<RenameValues>(prefix);
}

}  // namespace

LINDERO_PASS_PLUGIN {
  absl::Status status = ir::registerDialect(
      "mark", {{.name = "mark.here", .summary = "Marks a place"}}, "A dialect from a plugin.");
  status.Update(passes::registerPass("rename-values", "Names results after their ops", create));
  return status;
}
