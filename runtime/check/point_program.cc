#include "runtime/check/point_program.h"

#include <map>

namespace lindero::runtime {
namespace {

// Below `roots`, operands first.
std::vector<uint32_t> nodesBelow(const Circuit& circuit, const CircuitInfo& info,
                                 absl::Span<const uint32_t> roots) {
  std::map<uint32_t, bool> seen;
  std::vector<uint32_t> stack(roots.begin(), roots.end());
  while (!stack.empty()) {
    uint32_t index = stack.back();
    stack.pop_back();
    if (!seen.try_emplace(index, true).second || info.nodes[index].row_independent) continue;
    const Node& node = circuit.nodes(static_cast<int>(index));
    if (node.op() < Node::ADD) continue;
    stack.push_back(node.a());
    if (node.op() != Node::NEG) stack.push_back(node.b());
  }
  std::vector<uint32_t> nodes;
  for (const auto& [index, unused] : seen) nodes.push_back(index);
  return nodes;
}

M31 base(const QM31& value) { return M31::fromCanonical(value.limb(0)); }

QM31 scale(const QM31& value, M31 factor) {
  std::array<uint32_t, 4> limbs;
  for (size_t k = 0; k < 4; ++k) limbs[k] = (M31::fromCanonical(value.limb(k)) * factor).value();
  return QM31::fromLimbs(limbs);
}

}  // namespace

PointProgram::PointProgram(const Circuit& circuit, const CircuitInfo& info, const Scalars& scalars,
                           uint32_t table, absl::Span<const uint32_t> roots)
    : table_(table), mask_(tableHeight(circuit.tables(static_cast<int>(table))) - 1) {
  std::map<uint32_t, uint32_t> slot_of;
  for (uint32_t index : nodesBelow(circuit, info, roots)) {
    const uint32_t slot = static_cast<uint32_t>(slots_.size());
    slot_of[index] = slot;
    slots_.emplace_back();
    if (info.nodes[index].row_independent) {
      slots_.back() = scalars.at(index);
      continue;
    }
    const Node& node = circuit.nodes(static_cast<int>(index));
    Instruction i{Code::kFirst, false, false, 0, slot, 0, 0};
    if (node.op() == Node::COLUMN) {
      i.code = info.nodes[index].extension ? Code::kExtensionCell : Code::kBaseCell;
      i.offset = node.offset();
      i.a = node.b();
    } else if (node.op() == Node::IS_LAST) {
      i.code = Code::kLast;
    } else if (node.op() != Node::IS_FIRST) {
      i.code = node.op() == Node::ADD   ? Code::kAdd
               : node.op() == Node::SUB ? Code::kSub
               : node.op() == Node::MUL ? Code::kMul
                                        : Code::kNeg;
      i.a = slot_of.at(node.a());
      i.a_extension = info.nodes[node.a()].extension;
      i.b = node.op() == Node::NEG ? i.a : slot_of.at(node.b());
      i.b_extension = node.op() != Node::NEG && info.nodes[node.b()].extension;
    }
    instructions_.push_back(i);
  }
  for (uint32_t root : roots) root_slots_.push_back(slot_of.at(root));
  roots_.resize(roots.size());
}

absl::Span<const QM31> PointProgram::run(const Columns& columns, uint64_t row) {
  for (const Instruction& i : instructions_) {
    QM31& out = slots_[i.out];
    const bool extension = i.a_extension || i.b_extension;
    switch (i.code) {
      case Code::kBaseCell: {
        uint64_t at = (row + static_cast<uint64_t>(int64_t{i.offset})) & mask_;
        out = QM31(M31::fromCanonical(columns.view(table_, i.a).limb[0][at]));
        break;
      }
      case Code::kExtensionCell:
        out =
            columns.view(table_, i.a).at((row + static_cast<uint64_t>(int64_t{i.offset})) & mask_);
        break;
      case Code::kFirst:
        out = QM31(M31::fromCanonical(row == 0 ? 1 : 0));
        break;
      case Code::kLast:
        out = QM31(M31::fromCanonical(row == mask_ ? 1 : 0));
        break;
      case Code::kAdd:
        out = extension ? slots_[i.a] + slots_[i.b] : QM31(base(slots_[i.a]) + base(slots_[i.b]));
        break;
      case Code::kSub:
        out = extension ? slots_[i.a] - slots_[i.b] : QM31(base(slots_[i.a]) - base(slots_[i.b]));
        break;
      case Code::kMul:
        if (i.a_extension && i.b_extension) {
          out = slots_[i.a] * slots_[i.b];
        } else if (i.a_extension) {
          out = scale(slots_[i.a], base(slots_[i.b]));
        } else if (i.b_extension) {
          out = scale(slots_[i.b], base(slots_[i.a]));
        } else {
          out = QM31(base(slots_[i.a]) * base(slots_[i.b]));
        }
        break;
      case Code::kNeg:
        out = -slots_[i.a];
        break;
    }
  }
  for (size_t k = 0; k < roots_.size(); ++k) roots_[k] = slots_[root_slots_[k]];
  return roots_;
}

}  // namespace lindero::runtime
