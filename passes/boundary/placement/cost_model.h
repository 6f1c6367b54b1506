// What the segments of an assignment would cost, predicted without building their circuits.
//
// A segment is made a function (outline.h) in a module of its own, for which lower-to-air's plan
// and layout count the tables (measure_circuit.h); what crosses is counted as public tensors are:
// an edge at each end. From the sizes follow time, memory and bytes (proof_cost.h). Shared lookup
// tables are not modelled: each segment has those that it looks up. A segment costs some
// milliseconds per op; what was asked once is kept.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "passes/boundary/placement/assignment.h"
#include "passes/boundary/placement/proof_cost.h"
#include "passes/lower_air/lower_to_air/measure_circuit.h"

namespace lindero::passes {

struct SegmentCost {
  std::vector<TableSize> tables;
  // Of the base field: fixed (phase 0), main (phase 1), folds (phase 2), fractions of sums (phases
  // 2 and 3).
  std::array<int64_t, 4> cells = {};
  ProofSize size;
  ProofCost proof;
};

// Segments are proven one after the other: times and bytes are sums, memory is that of the largest.
struct PlacementCost {
  std::vector<SegmentCost> segments;
  int64_t crossing_elements = 0;  // of all links
  int64_t online = 0, fixed = 0;
  ProofCost proof;
};

struct CostOptions {
  LowerToAirOptions lowering = {};
  ProofParameters parameters = {};
  int64_t threads = 1;
};

class CostModel {
 public:
  // The graph must outlive it.
  explicit CostModel(const PlacementGraph& graph, CostOptions options = {})
      : graph_(graph), options_(options) {}

  // Fails, naming the ONNX node, where a segment cannot be lowered.
  absl::StatusOr<SegmentCost> segment(const Assignment& assignment, int64_t segment) const;
  absl::StatusOr<PlacementCost> cost(const Assignment& assignment) const;
  // Of the atoms first .. last - 1 as one segment, those before and after as one each.
  absl::StatusOr<SegmentCost> range(size_t first, size_t last) const;

 private:
  const PlacementGraph& graph_;
  const CostOptions options_;
  // By the segment's atoms, and the tensors that enter and leave it.
  mutable std::map<std::string, SegmentCost> known_;
};

}  // namespace lindero::passes
