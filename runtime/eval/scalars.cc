#include "runtime/eval/scalars.h"

#include "absl/strings/str_cat.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {

Scalars::Scalars(const Circuit& circuit, const CircuitInfo& info)
    : circuit_(circuit), info_(info), values_(info.nodes.size()), known_(info.nodes.size(), false) {
  for (size_t i = 0; i < info.nodes.size(); ++i) {
    // Without challenges there is no inverse that could fail but that of the constant 0, which
    // `advance` reports.
    if (info.nodes[i].row_independent && !info.nodes[i].extension) {
      known_[i] = compute(static_cast<uint32_t>(i), {}, {}).ok();
    }
  }
}

absl::Status Scalars::advance(uint32_t phase, absl::Span<const QM31> challenges,
                              absl::Span<const QM31> claimed_sums) {
  for (size_t i = 0; i < info_.nodes.size(); ++i) {
    const NodeInfo& info = info_.nodes[i];
    if (!info.row_independent || known_[i]) continue;
    if (info.challenge_phase > phase || info.claimed_sum_phase > phase) continue;
    LINDERO_RETURN_IF_ERROR(compute(static_cast<uint32_t>(i), challenges, claimed_sums));
    known_[i] = true;
  }
  return absl::OkStatus();
}

absl::Status Scalars::compute(uint32_t index, absl::Span<const QM31> challenges,
                              absl::Span<const QM31> claimed_sums) {
  const Node& node = circuit_.nodes(static_cast<int>(index));
  auto operand = [&](uint32_t i) -> const QM31& { return values_[i]; };
  QM31& value = values_[index];
  switch (node.op()) {
    case Node::CONSTANT:
      value = QM31(M31::fromCanonical(node.a()));
      break;
    case Node::CHALLENGE:
      value = challenges[node.a()];
      break;
    case Node::CLAIMED_SUM:
      value = claimed_sums[node.a()];
      break;
    case Node::ADD:
      value = operand(node.a()) + operand(node.b());
      break;
    case Node::SUB:
      value = operand(node.a()) - operand(node.b());
      break;
    case Node::MUL:
      value = operand(node.a()) * operand(node.b());
      break;
    case Node::NEG:
      value = -operand(node.a());
      break;
    default:  // INVERSE; COLUMN, IS_FIRST and IS_LAST depend on the row
      if (operand(node.a()).isZero()) {
        return absl::InvalidArgumentError(
            absl::StrCat("nodes[", index, "]: a derived challenge is the inverse of zero"));
      }
      value = operand(node.a()).inverse();
      break;
  }
  return absl::OkStatus();
}

}  // namespace lindero::runtime
