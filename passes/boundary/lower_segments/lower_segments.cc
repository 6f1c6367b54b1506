#include "passes/boundary/lower_segments/lower_segments.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ir/core/field.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/STLExtras.h"
#include "passes/boundary/placement/outline.h"
#include "passes/lower_air/lower_to_air/measure_circuit.h"
#include "passes/lower_air/lowering.h"

namespace lindero::passes {
namespace {

absl::Status refuse(std::string why) {
  return absl::UnimplementedError(absl::StrCat("proof boundaries: ", why));
}

int64_t rowsOf(const Link& link) {
  const auto& shape = link.value->type().shape;
  return shape.empty() ? 1 : link.value->type().elements() / shape.back();
}

// The verifier gives a public input to one circuit, and indices go no further.
absl::Status checkInputs(const PlacementGraph& graph, const Assignment& assignment) {
  std::map<size_t, int64_t> reader;
  for (int64_t s = 0; s < assignment.count(); ++s) {
    for (size_t input : inputsOf(graph, assignment, s)) {
      const auto [it, fresh] = reader.try_emplace(input, s);
      if (fresh) continue;
      return refuse(absl::StrCat("input ", graph.function().body().arguments()[input]->name().str(),
                                 " holds indices, which do not cross, and is read in segments ",
                                 it->second, " and ", s,
                                 ": cut at none of the nodes between its readers (--boundaries "
                                 "file=PATH names nodes to cut after)"));
    }
  }
  return absl::OkStatus();
}

// Slots and addresses: all that does not depend on where the tensors stand.
LinkEnds numberLinks(llvm::ArrayRef<Link> links, const std::map<int64_t, int64_t>& lanes) {
  LinkEnds ends;
  int64_t address = kFirstLinkAddress;
  for (const auto& [slot, link] : llvm::enumerate(links)) {
    ends[link.name] = {static_cast<int64_t>(slot), address, lanes.at(rowsOf(link)), 0};
    address += link.value->type().elements();  // tiles, at most
  }
  return ends;
}

// The columns of the tiles that a segment gives.
void readTiles(const ir::Module& module, LinkEnds& ends) {
  for (const ir::Op& op : module.findFunction("circuit")->body().ops()) {
    if (!op.is("air.public") || !op.has("slot") || op.stringAttr("kind") != "output") continue;
    ends.at(op.stringAttr("name")).columns = op.intAttr("tile_columns");
  }
}

}  // namespace

absl::StatusOr<std::vector<std::unique_ptr<ir::Module>>> lowerSegments(
    const ir::Function& main, const LowerToAirOptions& options) {
  IR_ASSIGN_OR_RETURN(const PlacementGraph graph, PlacementGraph::of(main));
  IR_ASSIGN_OR_RETURN(const Assignment assignment, readAssignment(graph));
  IR_RETURN_IF_ERROR(checkInputs(graph, assignment));
  const std::vector<Link> links = linksOf(graph, assignment);
  IR_RETURN_IF_ERROR(checkNames(graph, links));
  if (links.size() > 65536) return refuse(absl::StrCat(links.size(), " links; at most 65536"));
  std::vector<int64_t> rows;
  for (const Link& link : links) rows.push_back(rowsOf(link));
  IR_ASSIGN_OR_RETURN(const auto lanes, lanesDown(main, options, rows));
  int64_t elements = 0;
  for (const Link& link : links) elements += link.value->type().elements();
  if (elements >= ir::kFieldModulus - kFirstLinkAddress)
    return refuse(absl::StrCat(elements, " elements cross, more than there are addresses"));
  LinkEnds ends = numberLinks(links, lanes);

  std::vector<std::unique_ptr<ir::Module>> modules;
  for (int64_t s = 0; s < assignment.count(); ++s) {
    auto module = std::make_unique<ir::Module>();
    module->setNodeTypes(main.module()->nodeTypes());
    outlineSegment(graph, assignment, links, s, *module, "main");
    LinkEnds own;
    for (const Link& link : links) {
      if (link.from == s || link.to == s) own[link.name] = ends.at(link.name);
    }
    PassManager manager;
    addLowering(manager, options, std::move(own));
    IR_RETURN_IF_ERROR(manager.run(*module).status());
    readTiles(*module, ends);
    modules.push_back(std::move(module));
  }
  return modules;
}

}  // namespace lindero::passes
