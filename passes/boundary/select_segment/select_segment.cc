#include "passes/boundary/select_segment/select_segment.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/boundary/placement/outline.h"

namespace lindero::passes {
namespace {

class SelectSegment : public Pass {
 public:
  explicit SelectSegment(std::string function) : function_(std::move(function)) {}
  llvm::StringRef name() const override { return "select-segment"; }
  llvm::StringRef summary() const override { return "Keep the function of one segment, as @main"; }

  absl::StatusOr<bool> run(ir::Module& module) override {
    std::vector<std::string> names;
    if (const ir::Function* main = module.findFunction("main")) {
      for (const ir::Op& op : main->body().ops()) {
        if (op.is("proof.segment")) names.push_back(op.symbolAttr("function"));
      }
    }
    if (names.empty()) {
      return absl::InvalidArgumentError(
          "no function @main composes segments; run apply-proof-boundaries before");
    }
    if (!llvm::is_contained(names, function_)) {
      return absl::InvalidArgumentError(
          absl::StrCat("no segment is @", function_, "; there are ", absl::StrJoin(names, ", ")));
    }
    ir::Function* chosen = module.findFunction(function_);
    IR_ASSIGN_OR_RETURN(const PlacementGraph graph, PlacementGraph::of(*chosen));
    while (module.functions().size() > 1) {
      module.eraseFunction(
          module.functions()[module.functions().front().get() == chosen ? 1 : 0].get());
    }
    const Assignment whole = assignmentOfCuts(graph.atoms().size(), {});
    outlineSegment(graph, whole, {}, 0, module, "main");
    module.eraseFunction(chosen);
    return true;
  }

 private:
  const std::string function_;
};

}  // namespace

std::unique_ptr<Pass> createSelectSegment(std::string function) {
  return std::make_unique<SelectSegment>(std::move(function));
}

absl::Status registerSelectSegment() {
  return registerPass("select-segment", SelectSegment("").summary(),
                      [](const PassOptions& given) -> absl::StatusOr<std::unique_ptr<Pass>> {
                        std::string function;
                        OptionReader reader("select-segment", given);
                        reader.read("function", function);
                        IR_RETURN_IF_ERROR(reader.finish());
                        return createSelectSegment(function);
                      });
}

}  // namespace lindero::passes
