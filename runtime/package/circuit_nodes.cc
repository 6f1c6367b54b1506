#include "runtime/package/circuit_nodes.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/field/m31.h"
#include "runtime/package/field_path.h"

namespace lindero::runtime {
namespace {

absl::Status nodeError(int node, FormatRule rule, const std::string& reason) {
  return FieldPath("circuit.pb").at("nodes", node).error(rule, reason);
}

absl::StatusOr<NodeInfo> leafInfo(const Circuit& circuit,
                                  const std::vector<ColumnRef>& claimed_sum_columns, int index,
                                  const Node& node) {
  NodeInfo info;
  switch (node.op()) {
    case Node::CONSTANT:
      if (node.a() >= kModulus)
        return nodeError(index, FormatRule::kNodes, "the constant is not a canonical residue");
      return info;
    case Node::COLUMN: {
      if (node.a() >= static_cast<uint32_t>(circuit.tables_size())) {
        return nodeError(index, FormatRule::kNodes,
                         absl::StrCat("table ", node.a(), " does not exist"));
      }
      const Table& table = circuit.tables(node.a());
      if (node.b() >= static_cast<uint32_t>(table.columns_size())) {
        return nodeError(index, FormatRule::kNodes,
                         absl::StrCat("table \"", table.name(), "\" has no column ", node.b()));
      }
      if (node.offset() < -1 || node.offset() > 1) {
        return nodeError(index, FormatRule::kNodes,
                         absl::StrCat("row offset ", node.offset(), " is not in {-1, 0, 1}"));
      }
      info.table = static_cast<int32_t>(node.a());
      info.degree = 1;
      info.phase = static_cast<uint8_t>(table.columns(node.b()).phase());
      info.extension = info.phase >= 2;
      info.row_independent = false;
      return info;
    }
    case Node::CHALLENGE:
      if (node.a() >= static_cast<uint32_t>(circuit.challenges_size())) {
        return nodeError(index, FormatRule::kNodes,
                         absl::StrCat("challenge ", node.a(), " does not exist"));
      }
      info.challenge_phase = static_cast<uint8_t>(circuit.challenges(node.a()).phase());
      info.extension = true;
      return info;
    case Node::CLAIMED_SUM: {
      if (node.a() >= claimed_sum_columns.size()) {
        return nodeError(index, FormatRule::kNodes,
                         absl::StrCat("claimed sum ", node.a(), " does not exist"));
      }
      const ColumnRef& column = claimed_sum_columns[node.a()];
      info.claimed_sum_phase =
          static_cast<uint8_t>(circuit.tables(column.table).columns(column.column).phase());
      info.extension = true;
      return info;
    }
    default:  // IS_FIRST, IS_LAST
      info.degree = 1;
      info.row_independent = false;
      return info;
  }
}

// a and b are the infos of the operands; for NEG and INVERSE both are the one operand's.
absl::StatusOr<NodeInfo> operationInfo(int index, const Node& node, const NodeInfo& a,
                                       const NodeInfo& b) {
  NodeInfo info;
  if (a.table >= 0 && b.table >= 0 && a.table != b.table) {
    return nodeError(index, FormatRule::kOneTable,
                     absl::StrCat("reads columns of two tables, ", a.table, " and ", b.table));
  }
  info.table = std::max(a.table, b.table);
  unsigned degree = std::max(a.degree, b.degree);
  if (node.op() == Node::MUL) degree = std::min(255u, static_cast<unsigned>(a.degree) + b.degree);
  info.degree = static_cast<uint8_t>(degree);
  info.phase = std::max(a.phase, b.phase);
  info.challenge_phase = std::max(a.challenge_phase, b.challenge_phase);
  info.claimed_sum_phase = std::max(a.claimed_sum_phase, b.claimed_sum_phase);
  info.extension = a.extension || b.extension;
  info.row_independent = a.row_independent && b.row_independent;
  if (node.op() == Node::INVERSE && (!info.row_independent || info.claimed_sum_phase != 0)) {
    return nodeError(index, FormatRule::kInverses,
                     "INVERSE of a node that holds more than constants and challenges");
  }
  return info;
}

// Fields that an operation does not have are zero: one node has one encoding.
bool hasOnlyOwnFields(const Node& node) {
  switch (node.op()) {
    case Node::COLUMN:
      return true;
    case Node::IS_FIRST:
    case Node::IS_LAST:
      return node.a() == 0 && node.b() == 0 && node.offset() == 0;
    case Node::ADD:
    case Node::SUB:
    case Node::MUL:
      return node.offset() == 0;
    default:
      return node.b() == 0 && node.offset() == 0;
  }
}

bool isUnary(Node::Op op) { return op == Node::NEG || op == Node::INVERSE; }

// Depth-first search over nodes and columns of challenge phases, without recursion. A vertex is a
// node index, or nodes + a running number of the column. The level of a node is that of the columns
// it reads.
class LevelSearch {
 public:
  LevelSearch(const Circuit& circuit, const CircuitInfo& info) : circuit_(circuit), info_(info) {
    size_t vertices = circuit.nodes_size();
    for (const Table& table : circuit.tables()) {
      first_vertex_.push_back(vertices);
      vertices += table.columns_size();
    }
    state_.assign(vertices, kNew);
    level_.assign(vertices, 0);
  }

  // The level of a column among those of its phase.
  absl::StatusOr<uint32_t> columnLevel(ColumnRef column) {
    uint64_t root = vertexOf(column);
    phase_ = circuit_.tables(column.table).columns(column.column).phase();
    stack_.push_back({root, column});
    while (!stack_.empty()) {
      Frame frame = stack_.back();
      if (state_[frame.vertex] == kNew) {
        state_[frame.vertex] = kOpen;
        if (absl::Status status = open(frame); !status.ok()) return status;
      } else {
        stack_.pop_back();
        if (state_[frame.vertex] == kOpen) close(frame);
      }
    }
    return level_[root];
  }

 private:
  enum State : uint8_t { kNew, kOpen, kDone };
  struct Frame {
    uint64_t vertex;
    ColumnRef column;  // of column vertices
  };

  bool isColumn(uint64_t vertex) const {
    return vertex >= static_cast<uint64_t>(circuit_.nodes_size());
  }
  uint64_t vertexOf(ColumnRef column) const { return first_vertex_[column.table] + column.column; }
  const Column& columnAt(ColumnRef ref) const {
    return circuit_.tables(ref.table).columns(ref.column);
  }

  // What the vertex reads and that can depend on columns of the phase at hand.
  std::vector<Frame> dependencies(const Frame& frame) const {
    std::vector<Frame> result;
    auto addNode = [&](uint32_t node) {
      if (info_.nodes[node].phase >= phase_) result.push_back({node, {}});
    };
    auto addColumn = [&](ColumnRef ref) {
      if (columnAt(ref).phase() == phase_) result.push_back({vertexOf(ref), ref});
    };
    if (!isColumn(frame.vertex)) {
      const Node& node = circuit_.nodes(static_cast<int>(frame.vertex));
      if (node.op() == Node::COLUMN) {
        addColumn({node.a(), node.b()});
      } else if (node.op() >= Node::ADD) {
        addNode(node.a());
        if (!isUnary(node.op())) addNode(node.b());
      }
      return result;
    }
    const Column& column = columnAt(frame.column);
    for (uint32_t node : generatorNodes(column)) addNode(node);
    for (const GatherSource& source : column.gather().sources()) {
      addColumn({source.table(), source.column()});
    }
    return result;
  }

  absl::Status open(const Frame& frame) {
    for (const Frame& next : dependencies(frame)) {
      if (state_[next.vertex] == kNew) stack_.push_back(next);
      if (state_[next.vertex] == kOpen) {
        const ColumnRef& ref = isColumn(frame.vertex) ? frame.column : next.column;
        const Table& table = circuit_.tables(ref.table);
        return FieldPath("circuit.pb")
            .at("tables", ref.table, table.name())
            .at("columns", ref.column, table.columns(ref.column).name())
            .error(FormatRule::kCycles, "its generator depends on the column itself");
      }
    }
    return absl::OkStatus();
  }

  void close(const Frame& frame) {
    uint32_t level = 0;
    for (const Frame& next : dependencies(frame)) {
      level = std::max(level, level_[next.vertex] + (isColumn(next.vertex) ? 1 : 0));
    }
    level_[frame.vertex] = level;
    state_[frame.vertex] = kDone;
  }

  const Circuit& circuit_;
  const CircuitInfo& info_;
  std::vector<uint64_t> first_vertex_;
  std::vector<State> state_;
  std::vector<uint32_t> level_;
  std::vector<Frame> stack_;
  uint32_t phase_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<NodeInfo>> analyzeNodes(
    const Circuit& circuit, const std::vector<ColumnRef>& claimed_sum_columns) {
  if (circuit.nodes_size() > kMaxNodes) {
    return FieldPath("circuit.pb")
        .error(FormatRule::kLimits, "nodes: ", circuit.nodes_size(), " nodes, more than the ",
               kMaxNodes, " of format 1");
  }
  std::vector<NodeInfo> infos;
  infos.reserve(circuit.nodes_size());
  for (int i = 0; i < circuit.nodes_size(); ++i) {
    const Node& node = circuit.nodes(i);
    if (!Node::Op_IsValid(node.op())) {
      return nodeError(i, FormatRule::kEncoding,
                       absl::StrCat("unknown operation ", static_cast<int>(node.op())));
    }
    if (!hasOnlyOwnFields(node)) {
      return nodeError(i, FormatRule::kNodes,
                       absl::StrCat("sets a field that ", Node::Op_Name(node.op()), " has not"));
    }
    absl::StatusOr<NodeInfo> info;
    if (node.op() < Node::ADD) {
      info = leafInfo(circuit, claimed_sum_columns, i, node);
    } else {
      uint32_t a = node.a(), b = isUnary(node.op()) ? node.a() : node.b();
      if (a >= static_cast<uint32_t>(i) || b >= static_cast<uint32_t>(i)) {
        return nodeError(i, FormatRule::kNodes,
                         absl::StrCat("operand ", std::max(a, b), " is not an earlier node"));
      }
      info = operationInfo(i, node, infos[a], infos[b]);
    }
    if (!info.ok()) return info.status();
    infos.push_back(*std::move(info));
  }
  return infos;
}

absl::Status orderColumns(const Circuit& circuit, CircuitInfo& info) {
  LevelSearch search(circuit, info);
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    for (int c = firstColumnOfPhase(table, 2); c < table.columns_size(); ++c) {
      ColumnRef ref{static_cast<uint32_t>(t), static_cast<uint32_t>(c)};
      absl::StatusOr<uint32_t> level = search.columnLevel(ref);
      if (!level.ok()) return level.status();
      auto& levels = info.levels[table.columns(c).phase()];
      if (levels.size() <= *level) levels.resize(*level + 1);
      levels[*level].push_back(ref);
    }
  }
  return absl::OkStatus();
}

}  // namespace lindero::runtime
