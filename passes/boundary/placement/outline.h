// Segments as functions: what apply-proof-boundaries makes and what the cost model measures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ir/core/ir.h"
#include "passes/boundary/placement/assignment.h"

namespace lindero::passes {

// A tensor on its way into one of the segments that read it; a tensor has a link to each.
struct Link {
  const ir::Value* value;        // a crossing of the graph, or an input of the program
  int64_t from, to;              // segments
  std::string name;              // "cut/0": of the output and of the input
  ir::Location makers, readers;  // ONNX nodes, or the input's name
};

// Inputs first, which the first segment that reads one gives to the others; then the order of the
// tensors in the program. Of a tensor, that of the readers' segments.
std::vector<Link> linksOf(const PlacementGraph& graph, const Assignment& assignment);

// An error if an input or an output of the program has the name of a link: a segment has both.
absl::Status checkNames(const PlacementGraph& graph, llvm::ArrayRef<Link> links);

// A function of the segment's ops, regions included, with
//   inputs   those of the program that they read, in order, then the links into the segment
//   outputs  those of the program that they make, in order, then the links out of it
// each under its name, in `target`, which is the program's own module or one that has no constants
// yet: it gets handles of those that are read.
ir::Function* outlineSegment(const PlacementGraph& graph, const Assignment& assignment,
                             llvm::ArrayRef<Link> links, int64_t segment, ir::Module& target,
                             llvm::StringRef name);

// Which inputs and outputs of the program a segment has, as indices. Indices (of rows, of tokens)
// do not cross: they are inputs of each segment that reads them. An input that is an output, too,
// is one of the segment that has it.
std::vector<size_t> inputsOf(const PlacementGraph& graph, const Assignment& assignment,
                             int64_t segment);
std::vector<size_t> outputsOf(const PlacementGraph& graph, const Assignment& assignment,
                              int64_t segment);

}  // namespace lindero::passes
