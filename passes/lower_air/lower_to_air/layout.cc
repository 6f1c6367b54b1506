#include "passes/lower_air/lower_to_air/layout.h"

#include <algorithm>
#include <numeric>

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/MathExtras.h"

namespace lindero::passes {
namespace {

// Proofs and verification grow with the columns, the prover's time and memory with the cells. A
// column is worth one of so many parts of the cells.
constexpr int64_t kColumnParts = 2000;
// A fixed cell is committed with the others, but nothing is computed for it.
constexpr int64_t kFixedCellParts = 8;

template <typename Items>
int64_t costOf(const Plan& plan, const Items& items, const TableShape& shape) {
  std::vector<int64_t> rows;
  for (const auto& item : items) rows.push_back(rowsOf(plan, item));
  int64_t cost = 0;
  for (const auto& table : packRows(rows, shape, plan.column_cost)) {
    int64_t used = 0;
    for (size_t i : table) used += rows[i];
    cost += heightOf(used) * (shape.online() + shape.fixed / kFixedCellParts) +
            shape.columns() * plan.column_cost;
  }
  return cost;
}

// The candidate for `lanes` with the least cost, which reads them.
int64_t cheapest(int64_t& lanes, const std::vector<int64_t>& candidates,
                 llvm::function_ref<int64_t()> cost) {
  int64_t least = INT64_MAX, chosen = lanes;
  for (int64_t candidate : candidates) {
    lanes = candidate;
    if (int64_t c = cost(); c < least) least = c, chosen = candidate;
  }
  return chosen;
}

std::vector<int64_t> range(int64_t first, int64_t last) {
  std::vector<int64_t> all(last - first + 1);
  std::iota(all.begin(), all.end(), first);
  return all;
}

// The numbers up to `most` that divide all lengths.
std::vector<int64_t> divisors(const std::vector<int64_t>& lengths, int64_t most) {
  int64_t common = 0;
  for (int64_t n : lengths) common = std::gcd(common, n);
  std::vector<int64_t> out;
  for (int64_t lanes : range(1, most)) {
    if (common % lanes == 0) out.push_back(lanes);
  }
  return out;
}

// Roughly the cells of the main phase and of what follows from them.
int64_t estimateCells(const Plan& plan) {
  int64_t cells = 0;
  for (const Result& r : plan.results) cells += 7 * r.rows * r.columns;
  for (const Operand& o : plan.operands) cells += 2 * o.batch * o.inner * o.length;
  for (const Norm& n : plan.norms) cells += 11 * n.rows * n.width;
  for (const Attend& a : plan.attends) cells += 10 * a.heads * a.queries * a.keys;
  for (const Choice& c : plan.choices) cells += 8 * c.rows * c.columns;
  for (const Matrix& m : plan.matrices) cells += m.rows * m.columns / 16;
  return cells;
}

}  // namespace

TableShape resultShape(int64_t lanes) { return {15, 3 * lanes, 1, 2 + 2 * lanes}; }
TableShape outputShape(int64_t lanes) { return {9, lanes, 1, 2}; }
TableShape operandShape(int64_t lanes) { return {16, lanes, 2, 6}; }
TableShape normShape(int64_t lanes) { return {19, 4 * lanes + 6, 0, 4 + 3 * lanes}; }
TableShape softmaxShape(int64_t lanes) { return {16 + lanes, 5 * lanes + 4, 1, 6 + 2 * lanes}; }
TableShape argmaxShape(int64_t lanes) { return {8 + lanes, 3 * lanes + 2, 1, 2 + 2 * lanes}; }
TableShape embeddingShape(int64_t lanes) { return {9 + lanes, lanes + 1, 1, 3}; }
TableShape weightShape(int64_t lanes) { return {4 + lanes, 1, 1, 2}; }

std::vector<std::vector<size_t>> packRows(const std::vector<int64_t>& rows, const TableShape& shape,
                                          int64_t column_cost) {
  std::vector<std::vector<size_t>> tables;
  std::vector<size_t> left(rows.size());
  std::iota(left.begin(), left.end(), 0);
  while (!left.empty()) {
    int64_t total = 0;
    for (size_t i : left) total += rows[i];
    // Half of the height, if what does not fit in it fits in less than the other half.
    int64_t capacity = heightOf(total), smaller = capacity / 2, used = 0;
    std::vector<size_t> first, rest;
    for (size_t i : left) {
      bool fits = used + rows[i] <= smaller;
      if (fits) used += rows[i];
      (fits ? first : rest).push_back(i);
    }
    int64_t saved = capacity - smaller - heightOf(total - used);
    bool split = !first.empty() && saved * shape.online() >= shape.columns() * column_cost;
    tables.push_back(split ? std::move(first) : std::move(left));
    left = split ? std::move(rest) : std::vector<size_t>();
  }
  return tables;
}

int64_t rowsOf(const Plan& plan, const Result& r) { return r.columns * (r.rows / plan.lanes.rows); }
int64_t rowsOf(const Plan& plan, const Operand& o) {
  return o.batch * o.inner * llvm::divideCeil(o.length, plan.lanes.rows);
}
int64_t rowsOf(const Plan& plan, const Norm& n) { return n.rows * (n.width / plan.lanes.features); }
int64_t rowsOf(const Plan& plan, const Attend& a) {
  return a.heads * a.queries * (a.keys / plan.lanes.keys);
}
int64_t rowsOf(const Plan& plan, const Choice& c) {
  return c.rows * llvm::divideCeil(c.columns, plan.lanes.entries);
}
int64_t rowsOf(const Plan& plan, const Embed& e) {
  return e.rows * (e.width / plan.lanes.features);
}
int64_t rowsOf(const Plan& plan, const Matrix& m) {
  return m.rows * llvm::divideCeil(m.folded_columns, plan.lanes.weights);
}

void chooseLanes(Plan& plan, const LowerToAirOptions& options) {
  plan.column_cost = estimateCells(plan) / kColumnParts;
  LaneCounts& lanes = plan.lanes;
  const int64_t max_lanes = options.lanes;
  auto choose = [&](int64_t& count, const std::vector<int64_t>& candidates,
                    llvm::function_ref<int64_t()> cost) {
    count = options.widest ? candidates.back() : cheapest(count, candidates, cost);
  };
  std::vector<int64_t> tokens, features, keys, vocabularies;
  llvm::DenseSet<const Product*> chosen;
  for (const Choice& c : plan.choices) {
    chosen.insert(c.product);
    vocabularies.push_back(c.columns);
  }
  // The rows selected for an argmax are read nowhere else: zeros in front fill their blocks.
  for (const Operand& o : plan.operands) {
    if (!o.selected || !chosen.contains(o.product)) tokens.push_back(o.length);
  }
  for (const Norm& n : plan.norms) tokens.push_back(n.rows), features.push_back(n.width);
  for (const Embed& e : plan.embeds) features.push_back(e.width);
  for (const Attend& a : plan.attends) {
    keys.push_back(a.keys);
    if (a.block) keys.push_back(a.queries);
  }

  choose(lanes.rows, divisors(tokens, max_lanes), [&] {
    return costOf(plan, plan.results, resultShape(lanes.rows)) +
           costOf(plan, plan.outputs, outputShape(lanes.rows)) +
           costOf(plan, plan.operands, operandShape(lanes.rows));
  });
  choose(lanes.features, divisors(features, max_lanes), [&] {
    return costOf(plan, plan.norms, normShape(lanes.features)) +
           costOf(plan, plan.embeds, embeddingShape(lanes.features));
  });
  choose(lanes.keys, divisors(keys, max_lanes),
         [&] { return costOf(plan, plan.attends, softmaxShape(lanes.keys)); });
  choose(lanes.entries, range(1, max_lanes),
         [&] { return costOf(plan, plan.choices, argmaxShape(lanes.entries)); });
  // What an argmax reads is as wide as its blocks.
  for (Choice& c : plan.choices) {
    int64_t padded = llvm::alignTo(c.columns, lanes.entries);
    c.product->columns = padded;
    c.matrix->folded_columns = padded;
  }
  lanes.weights = options.weight_lanes;
  if (lanes.weights == 0) {
    lanes.weights = cheapest(lanes.weights, range(16, 512), [&] {
      return costOf(plan, plan.matrices, weightShape(lanes.weights));
    });
  }
}

}  // namespace lindero::passes
