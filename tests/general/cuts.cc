// cuts MODEL EXPONENTS INPUT: cuts the integer program that these exponents make of an ONNX model
// of static shapes between all of its atoms (passes/boundary), runs whole and segments on the
// input, and fails where an integer differs. Prints the number of segments.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "compiler/driver/compilation.h"
#include "ir/core/text.h"
#include "ir/core/verifier.h"
#include "ir/integer/interpreter.h"
#include "passes/boundary/apply_proof_boundaries/apply_proof_boundaries.h"
#include "passes/boundary/placement/assignment.h"
#include "passes/quantize/compare.h"
#include "runtime/package/status_macros.h"
#include "tests/general/program.h"

namespace lindero {
namespace {

using ir::integer::IntArray;

// Its text, with the constants of the program's module.
absl::StatusOr<std::unique_ptr<ir::Module>> copyOf(const ir::Module& module) {
  ir::ParseOptions options;
  options.load = [&](const ir::Constant& declared) -> absl::StatusOr<ir::Constant> {
    return *module.constants().find(declared.name);
  };
  return ir::parse(ir::toText(module), options);
}

absl::Status cutEverywhere(ir::Module& module, int64_t& segments) {
  ir::Function& main = *module.findFunction("main");
  LINDERO_ASSIGN_OR_RETURN(const passes::PlacementGraph graph, passes::PlacementGraph::of(main));
  std::vector<size_t> cuts;
  for (size_t i = 1; i < graph.atoms().size(); ++i) cuts.push_back(i);
  const passes::Assignment assignment = passes::assignmentOfCuts(graph.atoms().size(), cuts);
  segments = assignment.count();
  passes::writeAssignment(graph, assignment, main);
  LINDERO_RETURN_IF_ERROR(passes::createApplyProofBoundaries()->run(module).status());
  return ir::verify(module);
}

absl::Status run(compiler::Compilation& compilation, const passes::Sample& sample) {
  const ir::Function& whole = compilation.integerFunction();
  std::vector<IntArray> inputs;
  for (const auto& [i, argument] : llvm::enumerate(whole.body().arguments())) {
    LINDERO_ASSIGN_OR_RETURN(IntArray one, passes::toIntegerInput(sample[i], *argument));
    inputs.push_back(std::move(one));
  }
  LINDERO_ASSIGN_OR_RETURN(std::unique_ptr<ir::Module> cut, copyOf(*whole.module()));
  int64_t segments = 0;
  LINDERO_RETURN_IF_ERROR(cutEverywhere(*cut, segments));
  LINDERO_ASSIGN_OR_RETURN(const std::vector<IntArray> expected,
                           ir::integer::interpret(whole, inputs));
  LINDERO_ASSIGN_OR_RETURN(const std::vector<IntArray> found,
                           ir::integer::interpret(*cut->findFunction("main"), inputs));
  if (found != expected) return absl::InternalError("segments compute other integers");
  std::cout << segments << '\n';
  return absl::OkStatus();
}

}  // namespace
}  // namespace lindero

int main(int argc, char** argv) { return lindero::general::mainOf(argc, argv, lindero::run); }
