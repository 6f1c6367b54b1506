#include "passes/boundary/apply_proof_boundaries/apply_proof_boundaries.h"

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "ir/integer/crossing.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/boundary/placement/outline.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;

absl::Status refuse(absl::string_view why) { return absl::InvalidArgumentError(why); }

// All that is needed of @main once its body is gone.
struct Segment {
  ir::Function* function;
  std::vector<size_t> inputs, outputs;
};

std::vector<std::string> strings(const ir::Location& nodes) { return {nodes.begin(), nodes.end()}; }

class ApplyProofBoundaries : public Pass {
 public:
  llvm::StringRef name() const override { return "apply-proof-boundaries"; }
  llvm::StringRef summary() const override {
    return "Make a function of each segment, and @main the one that composes them";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    ir::Function* main = module.findFunction("main");
    if (main == nullptr) return refuse("the module has no function @main");
    if (main->body().terminator() == nullptr) return refuse("@main does not end in a return");
    IR_ASSIGN_OR_RETURN(const PlacementGraph graph, PlacementGraph::of(*main));
    IR_ASSIGN_OR_RETURN(const Assignment assignment, readAssignment(graph));
    if (assignment.count() < 2) return eraseAssignment(*main);

    const std::vector<Link> links = linksOf(graph, assignment);
    IR_RETURN_IF_ERROR(checkNames(graph, links));
    std::vector<Segment> segments;
    for (int64_t s = 0; s < assignment.count(); ++s) {
      const std::string name = absl::StrCat("segment", s);
      if (module.findFunction(name) != nullptr) {
        return refuse(absl::StrCat("the module has a function @", name, " already"));
      }
      segments.push_back({outlineSegment(graph, assignment, links, s, module, name),
                          inputsOf(graph, assignment, s), outputsOf(graph, assignment, s)});
    }
    compose(*main, segments, links);
    return true;
  }

 private:
  // Of what @main returned: an argument or a constant stands for itself.
  struct Output {
    Value* argument;
    std::string constant;
    ir::Type type;
  };

  static void compose(ir::Function& main, llvm::ArrayRef<Segment> segments,
                      llvm::ArrayRef<Link> links) {
    ir::Block& body = main.body();
    const Op& end = *body.terminator();
    const std::vector<ir::NamedAttribute> attributes = end.attributes().vec();
    std::vector<Output> outputs;
    for (const Value* value : end.operands()) {
      const Value* source = ir::integer::sourceOf(value);
      const Op* maker = source->definingOp();
      const bool constant = maker != nullptr && maker->is("integer.constant");
      outputs.push_back({maker != nullptr ? nullptr : body.arguments()[source->index()].get(),
                         constant ? maker->symbolAttr("value") : "", value->type()});
    }
    while (!body.empty()) body.ops().back().erase();

    ir::Builder builder(&body);
    std::map<std::string, Value*> linked;
    std::vector<Value*> returned(outputs.size());
    for (const Segment& segment : segments) addSegment(body, segment, links, linked, returned);
    for (const auto& [i, output] : llvm::enumerate(outputs)) {
      if (output.argument != nullptr) returned[i] = output.argument;
      if (!output.constant.empty()) {
        returned[i] = builder.value("integer.constant", {}, output.type,
                                    {{"value", ir::Symbol{output.constant}}});
      }
    }
    builder.create("integer.return", returned, {}, attributes);
  }

  static void addSegment(ir::Block& body, const Segment& segment, llvm::ArrayRef<Link> links,
                         std::map<std::string, Value*>& linked, std::vector<Value*>& returned) {
    ir::Builder builder(&body);
    const ir::Block& callee = segment.function->body();
    std::vector<Value*> operands;
    for (const auto& [i, argument] : llvm::enumerate(callee.arguments())) {
      operands.push_back(i < segment.inputs.size() ? body.arguments()[segment.inputs[i]].get()
                                                   : linked.at(argument->name().str()));
    }
    std::vector<ir::Type> types;
    for (const Value* value : callee.terminator()->operands()) types.push_back(value->type());
    Op* op = builder.create("proof.segment", operands, types,
                            {{"function", ir::Symbol{segment.function->name()}}});
    const auto& names = std::get<std::vector<std::string>>(*callee.terminator()->find("names"));
    for (unsigned i = 0; i < op->numResults(); ++i) {
      Value* result = op->result(i);
      if (i < segment.outputs.size()) {
        returned[segment.outputs[i]] = result;
        continue;
      }
      const Link& link = *llvm::find_if(links, [&](const Link& l) { return l.name == names[i]; });
      Value* y = builder.value("proof.link", {result}, result->type(),
                               {{"from", strings(link.makers)},
                                {"to", strings(link.readers)},
                                {"kind", std::string("challenge")}});
      y->setName(link.name);
      linked[link.name] = y;
    }
  }
};

}  // namespace

std::unique_ptr<Pass> createApplyProofBoundaries() {
  return std::make_unique<ApplyProofBoundaries>();
}

absl::Status registerApplyProofBoundaries() { return registerPass(createApplyProofBoundaries); }

}  // namespace lindero::passes
