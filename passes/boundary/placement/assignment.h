// An assignment of atoms to segments: what a policy decides, and what the attribute `segment` in
// the IR says.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "passes/boundary/placement/placement_graph.h"

namespace lindero::passes {

// Segments are numbered from 0 without gaps, and values go from lower to higher numbers: one run of
// each, in their order, computes all.
struct Assignment {
  std::vector<int64_t> segments;  // of each atom
  int64_t count() const;          // of segments
  bool operator==(const Assignment&) const = default;
};

// One atom after the other, a new segment before each of the cuts (ascending, in 1 .. atoms - 1).
Assignment assignmentOfCuts(size_t atoms, llvm::ArrayRef<size_t> cuts);

// Fails, naming the op, where an assignment is not as above.
absl::Status checkAssignment(const PlacementGraph& graph, const Assignment& assignment);

// The assignment that the IR shows. Fails, naming the ops, where one of them has no segment or a
// value goes from one segment to another that may not leave its proof.
absl::StatusOr<Assignment> readAssignment(const PlacementGraph& graph);

// Shows it: on each outermost region whose ops are in one segment, else on what is in it. True if
// an attribute changed.
bool writeAssignment(const PlacementGraph& graph, const Assignment& assignment, ir::Function& main);
bool eraseAssignment(ir::Function& main);

}  // namespace lindero::passes
