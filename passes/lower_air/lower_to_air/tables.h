// One function per kind of work: stacks its items in a table. The file of each states the columns
// and their equations; GADGETS.md, what pins each column and why no equation can wrap.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "passes/lower_air/lower_to_air/circuit_builder.h"
#include "passes/lower_air/lower_to_air/lookup_tables.h"
#include "passes/lower_air/lower_to_air/plan.h"

namespace lindero::passes {

// What all builders share.
struct Lowering {
  CircuitBuilder& circuit;
  LookupTables& tables;
  const Plan& plan;
  ir::Module& module;
  // Where constants stand, for the trace program.
  std::map<const ir::Value*, ConstantPlace> constants = {};
  // Fold sources: what the gather of the operands' factors reads.
  std::vector<std::string> source_tables = {}, source_columns = {};
  std::vector<int64_t> source_bases = {}, source_rows = {};
  int64_t score_tables = 0;  // built so far
};

// A table of stacked items.
template <typename T>
struct Stack {
  std::string name;
  struct Entry {
    T* item;
    int64_t first_row;
    int64_t rows;
  };
  std::vector<Entry> entries;
  int64_t rows = 0;
  int64_t copy_base = 0;  // fold sources: the global index of row 0
};

void buildWeights(Lowering& l, const Stack<Matrix>& stack);
void buildOperands(Lowering& l, const Stack<Operand>& stack);
void buildResults(Lowering& l, const Stack<Result>& stack);
void buildOutputs(Lowering& l, const Stack<Result>& stack);
void buildNorms(Lowering& l, const Stack<Norm>& stack);
// A row per token of all norms.
void buildNormStatistics(Lowering& l, const Plan& plan);
void buildAttends(Lowering& l, const Stack<Attend>& stack);
void buildChoices(Lowering& l, const Stack<Choice>& stack);
void buildEmbeds(Lowering& l, const Stack<Embed>& stack);
void buildSteps(Lowering& l, const Steps& steps);
// The trace program: @trace computes every value of the integer program and its witnesses, and
// places them.
absl::Status buildTrace(Lowering& l, ir::Function* trace);

// Fixed columns that name one copy of a tensor's element: tile address, place in the tile along the
// axis that is not the lanes', their product, and whether the row takes part.
struct EdgeColumns {
  Expr address, place, corner, on;
  std::string group = {};  // Edge::group
};
EdgeColumns edgeColumns(TableBuilder& t, llvm::StringRef name);

// The columns of the copies that a table gives or takes, each of the same claim group on all rows.
class EdgeSlots {
 public:
  EdgeSlots(TableBuilder& t, llvm::StringRef name) : t_(t), name_(name) {}
  // Columns for each edge of an item: no two of its edges have the same.
  std::vector<EdgeColumns*> of(llvm::ArrayRef<Edge> edges);
  std::deque<EdgeColumns>& all() { return slots_; }

 private:
  TableBuilder& t_;
  std::string name_;
  std::deque<EdgeColumns> slots_;
};

// The class of an edge's ends.
inline TableBuilder::Kind kindOf(const EdgeColumns& columns) {
  const bool of_public = llvm::StringRef(columns.group).starts_with(publicGroup(""));
  return of_public ? TableBuilder::Kind::kBoundary : TableBuilder::Kind::kContinuity;
}
// Rows whose address and place are affine in the loops; the loop `place_loop` runs over the places
// of a tile. Without `on`, as below.
void fillEdge(TableBuilder& t, const EdgeColumns& columns, int64_t first_row,
              const std::vector<Loop>& loops, size_t place_loop, int64_t address);
// Rows (column j, block of rows): j major.
void fillFeatureMajor(TableBuilder& t, const EdgeColumns& columns, int64_t first_row,
                      const Edge& edge);
// The same without `on`, with `stride` rows from a feature to the next.
void fillFeatureMajorPlace(TableBuilder& t, const EdgeColumns& columns, int64_t first_row,
                           const Edge& edge, int64_t stride);
// Rows (tensor row i, block of columns): i major; `rows` are the table's tensor rows (edge.selected
// picks among them).
void fillTokenMajor(TableBuilder& t, const EdgeColumns& columns, int64_t first_row, int64_t rows,
                    const Edge& edge);
// Lanes that stand in an edge on the rows where the fixed column `on` is 1.
struct EdgeLanes {
  Expr on;
  Lanes lanes;
};
// Adds the lanes to the edge's sum (`sign` = 1: the row gives the tensor, -1: it takes it).
void featureMajorTerm(TableBuilder& t, llvm::StringRef name, const EdgeColumns& columns,
                      const std::vector<EdgeLanes>& values, int sign);
void tokenMajorTerm(TableBuilder& t, llvm::StringRef name, const EdgeColumns& columns,
                    const std::vector<EdgeLanes>& values, int sign);
// The step of a fold from the last of a feature's blocks of rows to the next feature's first.
ir::Value* nextFeature(CircuitBuilder& c, int64_t lanes, int64_t blocks);
// Adds sign * value / (address - ...) for a single element: of an edge, or of the public tensor of
// this name.
void scalarTerm(TableBuilder& t, llvm::StringRef name, Expr on, Expr address, Expr value, int sign,
                llvm::StringRef tensor = "");

}  // namespace lindero::passes
