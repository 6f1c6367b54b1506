// Segments as functions: what apply-proof-boundaries makes and what the cost model measures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/core/ir.h"
#include "passes/boundary/placement/assignment.h"

namespace lindero::passes {

// A crossing tensor on its way into one of the segments that read it; a tensor has a link to each.
struct Link {
  size_t crossing;               // of the graph
  const ir::Value* value;        // the result of the op that makes it
  int64_t from, to;              // segments
  std::string name;              // "cut/0": of the output and of the input
  ir::Location makers, readers;  // ONNX nodes
};

// In the order of their tensors in the program, then of the readers' segments.
std::vector<Link> linksOf(const PlacementGraph& graph, const Assignment& assignment);

// A function of the segment's ops, regions included, with
//   inputs   those of the program that they read, in order, then the links into the segment
//   outputs  those of the program that they make, in order, then the links out of it
// each under its name, in `target`, which is the program's own module or one that has no constants
// yet: it gets handles of those that are read.
ir::Function* outlineSegment(const PlacementGraph& graph, const Assignment& assignment,
                             llvm::ArrayRef<Link> links, int64_t segment, ir::Module& target,
                             llvm::StringRef name);

// Which inputs and outputs of the program a segment has, as indices.
std::vector<size_t> inputsOf(const PlacementGraph& graph, const Assignment& assignment,
                             int64_t segment);
std::vector<size_t> outputsOf(const PlacementGraph& graph, const Assignment& assignment,
                              int64_t segment);

}  // namespace lindero::passes
