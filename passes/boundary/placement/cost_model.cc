#include "passes/boundary/placement/cost_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "passes/boundary/placement/outline.h"

namespace lindero::passes {
namespace {

constexpr int64_t kExtension = 4;

std::string keyOf(const PlacementGraph& graph, const Assignment& assignment,
                  llvm::ArrayRef<Link> links, int64_t segment) {
  std::string key;
  for (size_t atom = 0; atom < graph.atoms().size(); ++atom) {
    if (assignment.segments[atom] == segment) absl::StrAppend(&key, atom, " ");
  }
  for (const Link& link : links) {
    if (link.from != segment && link.to != segment) continue;
    absl::StrAppend(&key, link.from == segment ? ">" : "<",
                    absl::Hex(reinterpret_cast<uintptr_t>(link.value)));
  }
  return key;
}

}  // namespace

absl::StatusOr<SegmentCost> CostModel::segment(const Assignment& assignment,
                                               int64_t segment) const {
  const std::vector<Link> links = linksOf(graph_, assignment);
  auto [it, fresh] = known_.try_emplace(keyOf(graph_, assignment, links, segment));
  if (!fresh) return it->second;
  ir::Module scratch;
  const ir::Function* function =
      outlineSegment(graph_, assignment, links, segment, scratch, "main");
  auto tables = measureCircuit(*function, options_.lowering);
  if (!tables.ok()) {
    known_.erase(it);
    return tables.status();
  }
  SegmentCost& cost = it->second;
  cost.tables = *std::move(tables);
  for (const TableSize& table : cost.tables) {
    const TableShape& shape = table.shape;
    const int64_t columns[] = {shape.fixed, shape.main, kExtension * shape.folds,
                               kExtension * shape.fractions};
    for (size_t kind = 0; kind < cost.cells.size(); ++kind) {
      cost.cells[kind] += columns[kind] * table.height;
      cost.size.columns += columns[kind];
    }
    cost.size.height = std::max(cost.size.height, table.height);
  }
  cost.size.fixed = cost.cells[0];
  cost.size.online = cost.cells[1] + cost.cells[2] + cost.cells[3];
  cost.proof = proofCost(cost.size, options_.parameters, options_.threads);
  return cost;
}

absl::StatusOr<PlacementCost> CostModel::cost(const Assignment& assignment) const {
  IR_RETURN_IF_ERROR(checkAssignment(graph_, assignment));
  PlacementCost total;
  for (const Link& link : linksOf(graph_, assignment)) {
    total.crossing_elements += link.value->type().elements();
  }
  for (int64_t s = 0; s < assignment.count(); ++s) {
    IR_ASSIGN_OR_RETURN(SegmentCost cost, segment(assignment, s));
    total.online += cost.size.online;
    total.fixed += cost.size.fixed;
    total.proof.seconds += cost.proof.seconds;
    total.proof.proof_bytes += cost.proof.proof_bytes;
    total.proof.memory_bytes = std::max(total.proof.memory_bytes, cost.proof.memory_bytes);
    total.segments.push_back(std::move(cost));
  }
  return total;
}

absl::StatusOr<SegmentCost> CostModel::range(size_t first, size_t last) const {
  std::vector<size_t> cuts;
  if (first > 0) cuts.push_back(first);
  if (last < graph_.atoms().size()) cuts.push_back(last);
  return segment(assignmentOfCuts(graph_.atoms().size(), cuts), first > 0 ? 1 : 0);
}

}  // namespace lindero::passes
