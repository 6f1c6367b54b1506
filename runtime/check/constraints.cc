#include "runtime/check/constraints.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace lindero::runtime {
namespace {

constexpr uint64_t kBlockRows = 32 * kChunkRows;
constexpr size_t kMaxCells = 32;  // in an example

bool isZero(const RootValues& root, size_t rows) {
  if (root.kind.scalar) return root.at(0).isZero();
  for (size_t k = 0; k < (root.kind.extension ? 4 : 1); ++k) {
    uint32_t any = 0;
    for (size_t i = 0; i < rows; ++i) any |= root.operand.limb[k][i];
    if (any != 0) return false;
  }
  return true;
}

// The distinct columns and offsets below a node, in the order of columns.
std::vector<std::pair<uint32_t, int>> columnsRead(const Circuit& circuit, uint32_t root) {
  std::set<std::pair<uint32_t, int>> columns;
  std::set<uint32_t> seen;
  std::vector<uint32_t> stack = {root};
  while (!stack.empty()) {
    uint32_t index = stack.back();
    stack.pop_back();
    if (!seen.insert(index).second) continue;
    const Node& node = circuit.nodes(static_cast<int>(index));
    if (node.op() == Node::COLUMN) columns.insert({node.b(), node.offset()});
    if (node.op() < Node::ADD) continue;
    stack.push_back(node.a());
    if (node.op() != Node::NEG && node.op() != Node::INVERSE) stack.push_back(node.b());
  }
  return {columns.begin(), columns.end()};
}

}  // namespace

// Where one constraint fails.
struct ConstraintChecker::Hits {
  uint64_t count = 0;
  std::vector<uint64_t> rows;  // the first ones, ascending
};

ConstraintChecker::ConstraintChecker(const Circuit& circuit, const CircuitInfo& info)
    : circuit_(circuit) {
  for (int t = 0; t < circuit.tables_size(); ++t) {
    std::vector<RootGroup> groups;
    for (const Constraint& constraint : circuit.tables(t).constraints())
      groups.push_back({constraint.node()});
    programs_.push_back(groups.empty() ? nullptr
                                       : std::make_unique<RowProgram>(circuit, info, t, groups));
  }
}

std::vector<Failure> ConstraintChecker::checkAll(const Columns& columns, const Scalars& scalars,
                                                 ThreadPool& pool, size_t examples) const {
  std::vector<RowRange> ranges;
  for (int t = 0; t < circuit_.tables_size(); ++t) {
    ranges.push_back({static_cast<uint32_t>(t), 0, tableHeight(circuit_.tables(t))});
  }
  return check(ranges, columns, scalars, pool, examples);
}

std::vector<Failure> ConstraintChecker::check(absl::Span<const RowRange> ranges,
                                              const Columns& columns, const Scalars& scalars,
                                              ThreadPool& pool, size_t examples) const {
  std::vector<RowRange> blocks;
  for (const RowRange& range : ranges) {
    if (programs_[range.table] == nullptr) continue;
    for (uint64_t done = 0; done < range.rows; done += kBlockRows) {
      blocks.push_back(
          {range.table, range.first_row + done, std::min(kBlockRows, range.rows - done)});
    }
  }
  using Key = std::pair<uint32_t, uint32_t>;  // table, constraint
  std::vector<std::map<Key, Hits>> found(blocks.size());
  pool.parallelFor(blocks.size(), [&](uint64_t task, int) {
    const RowRange& block = blocks[task];
    RowEvaluator(*programs_[block.table], columns, scalars)
        .run(block.first_row, block.rows,
             [&](size_t constraint, uint64_t first_row, size_t rows,
                 absl::Span<const RootValues> roots) {
               if (isZero(roots[0], rows)) return;
               Hits& hits = found[task][{block.table, static_cast<uint32_t>(constraint)}];
               for (size_t i = 0; i < rows; ++i) {
                 if (roots[0].at(i).isZero()) continue;
                 ++hits.count;
                 if (hits.rows.size() < examples) hits.rows.push_back(first_row + i);
               }
             });
  });
  std::map<Key, Hits> all;
  for (const auto& block : found) {
    for (const auto& [key, hits] : block) {
      Hits& total = all[key];
      total.count += hits.count;
      for (uint64_t row : hits.rows) {
        if (total.rows.size() < examples) total.rows.push_back(row);
      }
    }
  }
  std::vector<Failure> failures;
  for (const auto& [key, hits] : all)
    failures.push_back(describe(key.first, key.second, hits, columns));
  return failures;
}

Failure ConstraintChecker::describe(uint32_t t, uint32_t c, const Hits& hits,
                                    const Columns& columns) const {
  const Table& table = circuit_.tables(static_cast<int>(t));
  const Constraint& constraint = table.constraints(static_cast<int>(c));
  Failure failure;
  failure.kind = Failure::Kind::kConstraint;
  failure.table = table.name();
  failure.name = constraint.name();
  failure.rows = hits.count;
  const uint64_t height = tableHeight(table);
  std::vector<std::pair<uint32_t, int>> read = columnsRead(circuit_, constraint.node());
  if (read.size() > kMaxCells) read.resize(kMaxCells);
  for (uint64_t row : hits.rows) {
    FailureExample example;
    example.row = row;
    if (const Instance* instance = findInstance(table, row)) {
      example.node = instance->node();
      example.region = instance->region();
    }
    for (const auto& [column, offset] : read) {
      uint64_t at = (row + static_cast<uint64_t>(static_cast<int64_t>(offset))) & (height - 1);
      example.cells.push_back(
          {table.columns(static_cast<int>(column)).name(), offset, columns.view(t, column).at(at)});
    }
    failure.examples.push_back(std::move(example));
  }
  return failure;
}

}  // namespace lindero::runtime
