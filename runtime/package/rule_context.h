// What the adaptive rules share, and those that have a file of their own. Internal to
// runtime/package.
#ifndef LINDERO_RUNTIME_PACKAGE_RULE_CONTEXT_H_
#define LINDERO_RUNTIME_PACKAGE_RULE_CONTEXT_H_

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "runtime/package/circuit_info.h"
#include "runtime/package/circuit_points.h"
#include "runtime/package/circuit_reads.h"
#include "runtime/package/field_path.h"

namespace lindero::runtime {

struct RuleContext {
  const Circuit& circuit;
  const CircuitInfo& info;
  const CircuitPoints& points;
  CircuitReads& reads;

  const Table& table(uint32_t t) const { return circuit.tables(static_cast<int>(t)); }
  const Column& column(ColumnRef ref) const {
    return table(ref.table).columns(static_cast<int>(ref.column));
  }
  uint32_t challengePhase(uint32_t challenge) const {
    return circuit.challenges(static_cast<int>(challenge)).phase();
  }
  // The latest phase in which something is committed that the node reads.
  uint32_t committedPhase(uint32_t node) const {
    return std::max(info.nodes[node].phase, info.nodes[node].claimed_sum_phase);
  }
  FieldPath field(ColumnRef ref) const {
    return FieldPath("circuit.pb")
        .at("tables", ref.table, table(ref.table).name())
        .at("columns", ref.column, column(ref).name());
  }
};

// What speaks against columns, in the order of tables and columns: rules that go through what reads
// a column report the first column.
class Objections {
 public:
  void add(ColumnRef column, std::string reason) {
    reasons_.try_emplace({column.table, column.column}, std::move(reason));
  }
  absl::Status first(const RuleContext& context, absl::string_view rule) const {
    if (reasons_.empty()) return absl::OkStatus();
    const auto& [at, reason] = *reasons_.begin();
    return context.field({at.first, at.second}).reject(rule, ": ", reason);
  }

 private:
  std::map<std::pair<uint32_t, uint32_t>, std::string> reasons_;
};

// R1.
absl::Status checkDenominators(const RuleContext& context);
// R2, R3 and R4.
absl::Status checkGatheredColumns(const RuleContext& context);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_RULE_CONTEXT_H_
