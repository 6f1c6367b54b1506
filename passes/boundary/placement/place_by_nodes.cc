#include <set>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/boundary/placement/policy.h"

namespace lindero::passes {
namespace {

using ir::Op;

// The last op of the program that came from the node; null if none did.
const Op* lastOf(llvm::ArrayRef<const Op*> program, const std::string& node) {
  const Op* last = nullptr;
  for (const Op* op : program) {
    if (llvm::is_contained(op->location(), node)) last = op;
  }
  return last;
}

std::string nearest(llvm::ArrayRef<const Op*> program, llvm::StringRef node) {
  std::string best;
  unsigned least = UINT_MAX;
  for (const Op* op : program) {
    for (const std::string& name : op->location()) {
      const unsigned distance = node.edit_distance(name);
      if (distance < least) least = distance, best = name;
    }
  }
  return best;
}

// What of the atom reads the op, or null.
const Op* readerWithin(const PlacementGraph& graph, const Op& op, std::string& why) {
  for (const Op* reader : graph.atoms()[graph.atomOf(op)].ops) {
    for (const Flow& flow : flowsInto(*reader)) {
      if (flow.maker != &op) continue;
      why = whyTogether(flow);
      if (why.empty()) why = "what stands between them reads of one and is read by the other";
      return reader;
    }
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<Assignment> placeByNodes(const PlacementGraph& graph,
                                        llvm::ArrayRef<std::string> nodes) {
  const std::vector<const Op*> program = workOf(graph.function());
  std::set<size_t> cuts;
  for (const std::string& node : nodes) {
    const Op* op = lastOf(program, node);
    if (op == nullptr) {
      return absl::NotFoundError(
          absl::StrCat("file: no op of the integer program comes from a node '", node,
                       "'; near is '", nearest(program, node), "'"));
    }
    std::string why;
    if (const Op* reader = readerWithin(graph, *op, why)) {
      return absl::InvalidArgumentError(
          absl::StrCat("file: no boundary can be after ", node, ": ", ir::describe(*reader),
                       " reads ", ir::describe(*op), ", and ", why, "; cut after what reads it"));
    }
    if (const size_t after = graph.atomOf(*op) + 1; after < graph.atoms().size())
      cuts.insert(after);
  }
  const std::vector<size_t> sorted(cuts.begin(), cuts.end());
  return assignmentOfCuts(graph.atoms().size(), sorted);
}

}  // namespace lindero::passes
