#include "passes/boundary/print_placement/print_placement.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "ir/core/status_macros.h"
#include "ir/core/text.h"
#include "llvm/Support/raw_ostream.h"
#include "passes/boundary/place_proof_boundaries/place_proof_boundaries.h"
#include "passes/boundary/placement/outline.h"

namespace lindero::passes {
namespace {

using Row = std::vector<std::string>;

// Columns as wide as their widest cell; the first is left-aligned.
void print(const std::vector<Row>& rows, std::string& out) {
  std::vector<size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const Row& row : rows) {
    absl::StrAppendFormat(&out, "%-*s", static_cast<int>(widths[0]), row[0]);
    for (size_t c = 1; c < row.size(); ++c) {
      absl::StrAppendFormat(&out, "  %*s", static_cast<int>(widths[c]), row[c]);
    }
    out += "\n";
  }
}

std::string mega(double value, double unit) { return absl::StrFormat("%.2f", value / unit); }
const double kMiB = std::ldexp(1, 20), kKiB = std::ldexp(1, 10);

struct Contents {
  int64_t atoms = 0, lookups = 0, in = 0, out = 0;
  std::string first, last;  // labels
};

Row totalRow(const PlacementCost& cost, const std::vector<Contents>& all) {
  Contents sum;
  std::array<int64_t, 4> cells = {};
  int64_t columns = 0;
  for (size_t s = 0; s < all.size(); ++s) {
    sum.atoms += all[s].atoms, sum.lookups += all[s].lookups;
    columns += cost.segments[s].size.columns;
    for (size_t p = 0; p < cells.size(); ++p) cells[p] += cost.segments[s].cells[p];
  }
  return {absl::StrCat("all ", all.size()),
          absl::StrCat(sum.atoms),
          absl::StrCat(sum.lookups),
          absl::StrCat(cost.crossing_elements),
          absl::StrCat(cost.crossing_elements),
          "",
          absl::StrCat(columns),
          absl::StrCat(cells[0]),
          absl::StrCat(cells[1]),
          absl::StrCat(cells[2]),
          absl::StrCat(cells[3]),
          mega(cost.proof.memory_bytes, kMiB),
          mega(cost.proof.seconds, 1),
          mega(cost.proof.proof_bytes, kKiB)};
}

void printLinks(const PlacementGraph& graph, const Assignment& assignment, std::string& out) {
  const std::vector<Link> links = linksOf(graph, assignment);
  if (links.empty()) return;
  std::vector<Row> rows{{"link", "segments", "elements", "type", "from", "to"}};
  for (const Link& link : links) {
    rows.push_back({link.name, absl::StrCat(link.from, " -> ", link.to),
                    absl::StrCat(link.value->type().elements()), ir::toText(link.value->type()),
                    absl::StrJoin(link.makers, ", "), absl::StrJoin(link.readers, ", ")});
  }
  out += "\n";
  print(rows, out);
}

class PrintPlacement : public Pass {
 public:
  explicit PrintPlacement(CostOptions costs) : costs_(std::move(costs)) {}
  llvm::StringRef name() const override { return "print-placement"; }
  llvm::StringRef summary() const override {
    return "Print the proofs that the program is placed in, and what they are predicted to cost";
  }

  absl::StatusOr<bool> run(ir::Module& module) override {
    const ir::Function* main = module.findFunction("main");
    if (main == nullptr) {
      return absl::InvalidArgumentError("the module has no function @main");
    }
    IR_ASSIGN_OR_RETURN(const PlacementGraph graph, PlacementGraph::of(*main));
    IR_ASSIGN_OR_RETURN(const Assignment assignment, readAssignment(graph));
    IR_ASSIGN_OR_RETURN(const PlacementCost cost, CostModel(graph, costs_).cost(assignment));
    llvm::errs() << placementTable(graph, assignment, cost);
    return false;
  }

 private:
  CostOptions costs_;
};

}  // namespace

std::string placementTable(const PlacementGraph& graph, const Assignment& assignment,
                           const PlacementCost& cost) {
  std::vector<Contents> all(cost.segments.size());
  for (size_t atom = 0; atom < graph.atoms().size(); ++atom) {
    Contents& contents = all[assignment.segments[atom]];
    ++contents.atoms;
    for (const auto& [bus, count] : graph.atoms()[atom].lookups) contents.lookups += count;
    if (contents.first.empty()) contents.first = graph.atoms()[atom].label;
    contents.last = graph.atoms()[atom].label;
  }
  for (const Link& link : linksOf(graph, assignment)) {
    all[link.from].out += link.value->type().elements();
    all[link.to].in += link.value->type().elements();
  }
  std::vector<Row> rows{{"segment", "atoms", "lookups", "in", "out", "rows", "columns", "fixed",
                         "main", "folds", "fractions", "MiB", "s", "KiB"}};
  for (size_t s = 0; s < all.size(); ++s) {
    const Contents& c = all[s];
    const SegmentCost& segment = cost.segments[s];
    rows.push_back({absl::StrCat(s, " ", c.first, c.first == c.last ? "" : " .. " + c.last),
                    absl::StrCat(c.atoms), absl::StrCat(c.lookups), absl::StrCat(c.in),
                    absl::StrCat(c.out), absl::StrCat(segment.size.height),
                    absl::StrCat(segment.size.columns), absl::StrCat(segment.cells[0]),
                    absl::StrCat(segment.cells[1]), absl::StrCat(segment.cells[2]),
                    absl::StrCat(segment.cells[3]), mega(segment.proof.memory_bytes, kMiB),
                    mega(segment.proof.seconds, 1), mega(segment.proof.proof_bytes, kKiB)});
  }
  rows.push_back(totalRow(cost, all));
  std::string out;
  print(rows, out);
  printLinks(graph, assignment, out);
  return out;
}

std::unique_ptr<Pass> createPrintPlacement(CostOptions costs) {
  return std::make_unique<PrintPlacement>(std::move(costs));
}

absl::Status registerPrintPlacement() {
  return registerPass("print-placement", PrintPlacement({}).summary(),
                      [](const PassOptions& given) -> absl::StatusOr<std::unique_ptr<Pass>> {
                        CostOptions costs;
                        OptionReader reader("print-placement", given);
                        readCostOptions(reader, costs);
                        IR_RETURN_IF_ERROR(reader.finish());
                        return createPrintPlacement(costs);
                      });
}

}  // namespace lindero::passes
