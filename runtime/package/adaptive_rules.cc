#include "runtime/package/adaptive_rules.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/package/circuit_points.h"
#include "runtime/package/circuit_reads.h"
#include "runtime/package/rule_context.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

FieldPath columnField(const Circuit& circuit, int t, uint32_t c) {
  const Table& table = circuit.tables(t);
  return FieldPath("circuit.pb")
      .at("tables", t, table.name())
      .at("columns", c, table.columns(static_cast<int>(c)).name());
}

// Nothing of phase 1 is left to the prover because no constraint reads it, or to the runtime
// because what it counts would change what it counts from.
absl::Status checkWitness(const Circuit& circuit, const CircuitReads& reads) {
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    std::vector<bool> read(table.columns_size(), false), looked_up = read;
    for (const Constraint& constraint : table.constraints()) {
      for (auto [c, offset] : reads.of(constraint.node()).columns) read[c] = true;
    }
    for (const Lookup& lookup : table.lookups()) {
      if (lookup.provide()) continue;
      for (uint32_t node : lookupNodes(lookup)) {
        for (auto [c, offset] : reads.of(node).columns) looked_up[c] = true;
      }
    }
    for (int c = firstColumnOfPhase(table, 1); c < firstColumnOfPhase(table, 2); ++c) {
      if (read[c]) continue;
      return columnField(circuit, t, c).error(FormatRule::kWitness, "no constraint reads it");
    }
    for (const Lookup& lookup : table.lookups()) {
      if (!lookup.provide() || !looked_up[lookup.multiplicity_column()]) continue;
      return columnField(circuit, t, lookup.multiplicity_column())
          .error(FormatRule::kLookups, "it holds multiplicities, and a lookup reads it");
    }
  }
  return absl::OkStatus();
}

// R0: what the constraint of a generated column says is zero.
PointValues definition(const RuleContext& context, ColumnRef ref) {
  const CircuitPoints& points = context.points;
  const Column& column = context.column(ref);
  const PointValues own = points.column(ref.table, ref.column, 0);
  if (column.has_expression()) return own - points.at(column.expression().value());
  const PointValues before = points.column(ref.table, ref.column, -1);
  const PointValues first = points.isFirst();
  if (column.has_scan()) {
    const PointValues not_first = PointValues::all(M31::fromUnsigned(1)) - first;
    return own - not_first * points.at(column.scan().mul()) * before -
           points.at(column.scan().add());
  }
  const Fraction& fraction = column.fraction();
  PointValues step = own;
  if (fraction.running()) {
    step = own - before + first * points.claimedSum(fraction.claimed_sum()) -
           points.at(fraction.add());
  }
  return step * points.at(fraction.denominator()) - points.at(fraction.numerator());
}

absl::Status checkDefined(const RuleContext& context, CircuitInfo& info) {
  info.definitions.clear();
  absl::Status result;
  for (int t = 0; t < context.circuit.tables_size(); ++t) {
    const Table& table = context.circuit.tables(t);
    std::vector<int32_t>& defines = info.definitions.emplace_back(table.constraints_size(), -1);
    std::map<std::array<uint32_t, kPoints>, std::vector<int>> constraints;
    for (int i = 0; i < table.constraints_size(); ++i) {
      constraints[context.points.at(table.constraints(i).node()).keyUpToSign()].push_back(i);
    }
    for (int c = firstColumnOfPhase(table, 2); c < table.columns_size(); ++c) {
      if (table.columns(c).has_gather()) continue;
      const ColumnRef ref{static_cast<uint32_t>(t), static_cast<uint32_t>(c)};
      auto found = constraints.find(definition(context, ref).keyUpToSign());
      if (found == constraints.end()) {
        if (!result.ok()) continue;
        result = context.field(ref).reject(
            "R0: it is filled from its generator, but no constraint says so: a prover may put "
            "anything there");
        continue;
      }
      for (int i : found->second) defines[i] = c;
    }
  }
  return result;
}

// The phase after which each column is a function of what is committed, challenges aside.
class DeterminedPhases {
 public:
  explicit DeterminedPhases(const RuleContext& context) : context_(context) {
    for (const Table& table : context.circuit.tables()) {
      std::vector<uint8_t>& phases = phases_.emplace_back();
      for (const Column& column : table.columns()) {
        phases.push_back(static_cast<uint8_t>(column.phase()));
      }
    }
    for (int phase : {2, 3}) {
      for (const std::vector<ColumnRef>& level : context.info.levels[phase]) {
        for (const ColumnRef& ref : level) phases_[ref.table][ref.column] = ofColumn(ref);
      }
    }
  }

  // Of all that the node reads. R3 and R4 hold.
  uint8_t of(uint32_t table, uint32_t node) const {
    uint8_t phase = 0;
    const NodeReads& reads = context_.reads.of(node);
    for (auto [c, offset] : reads.columns) phase = std::max(phase, phases_[table][c]);
    for (uint32_t claimed_sum : reads.claimed_sums) {
      const ColumnRef& running = context_.info.claimed_sum_columns[claimed_sum];
      phase = std::max(phase, phases_[running.table][running.column]);
    }
    return phase;
  }

 private:
  uint8_t ofColumn(ColumnRef ref) const {
    const Column& column = context_.column(ref);
    uint8_t phase = 0;
    if (!column.has_gather()) {
      for (uint32_t node : generatorNodes(column)) phase = std::max(phase, of(ref.table, node));
    }
    for (const GatherSource& source : column.gather().sources()) {
      phase = std::max(phase, phases_[source.table()][source.column()]);
    }
    return phase;
  }

  const RuleContext& context_;
  std::vector<std::vector<uint8_t>> phases_;
};

// R5.
absl::Status checkLateValues(const RuleContext& context) {
  const DeterminedPhases determined(context);
  std::unordered_map<uint32_t, uint8_t> numerators;
  for (const SingleFraction& fraction : context.reads.fractions()) {
    auto [at, fresh] = numerators.try_emplace(fraction.numerator);
    if (fresh) at->second = determined.of(fraction.column.table, fraction.numerator);
    for (uint32_t factor : context.reads.factors(fraction.denominator)) {
      const std::vector<uint32_t>& challenges = context.reads.of(factor).challenges;
      LINDERO_RETURN_IF_ERROR(context.reads.visit(1 + challenges.size()));
      for (uint32_t challenge : challenges) {
        const uint32_t drawn = context.challengePhase(challenge);
        const bool tuple = drawn < context.committedPhase(factor);
        if (!tuple && drawn >= at->second) continue;
        return context.field(fraction.column)
            .reject("R5: the challenge \"",
                    context.circuit.challenges(static_cast<int>(challenge)).name(),
                    "\" of its denominator is drawn before ",
                    tuple ? "what stands beside it is committed" : "its numerator is determined");
      }
    }
  }
  return absl::OkStatus();
}

// R6.
class RunningColumns {
 public:
  explicit RunningColumns(const RuleContext& context) : context_(context) {}

  absl::Status check() {
    for (int t = 0; t < context_.circuit.tables_size(); ++t) {
      const Table& table = context_.circuit.tables(t);
      for (int c = firstColumnOfPhase(table, 2); c < table.columns_size(); ++c) {
        const Column& column = table.columns(c);
        for (uint32_t node : generatorNodes(column)) read(t, node, column.name());
        for (const GatherSource& source : column.gather().sources()) {
          object({source.table(), source.column()}, column.name());
        }
      }
      for (int i = 0; i < table.constraints_size(); ++i) {
        const Constraint& constraint = table.constraints(i);
        read(t, constraint.node(), constraint.name(), context_.info.definitions[t][i]);
      }
      for (const Lookup& lookup : table.lookups()) {
        for (uint32_t node : lookupNodes(lookup)) read(t, node, lookup.name());
      }
    }
    return objections_.first(context_, "R6");
  }

 private:
  void read(int t, uint32_t node, const std::string& by, int32_t except = -1) {
    for (auto [c, offset] : context_.reads.of(node).columns) {
      if (static_cast<int64_t>(c) == except) continue;
      object({static_cast<uint32_t>(t), c}, by);
    }
  }
  void object(ColumnRef column, const std::string& by) {
    const Column& read = context_.column(column);
    if (!read.has_fraction() || !read.fraction().running()) return;
    objections_.add(column, absl::StrCat("\"", by,
                                         "\" reads it, and it is a running sum, whose "
                                         "constant is free"));
  }

  const RuleContext& context_;
  Objections objections_;
};

// R7.
absl::Status checkCrossingSums(const RuleContext& context) {
  auto isCommitted = [&](uint32_t node) {
    return context.info.nodes[node].phase < 2 && context.info.nodes[node].claimed_sum_phase == 0;
  };
  for (int k = 0; k < context.circuit.claimed_sums_size(); ++k) {
    const uint32_t group = context.circuit.claimed_sums(k).group();
    if (!context.circuit.sum_groups(static_cast<int>(group)).exported()) continue;
    const ColumnRef running = context.info.claimed_sum_columns[k];
    std::vector<uint32_t> parts = {running.column};  // of its table
    for (auto [c, offset] : context.reads.of(context.column(running).fraction().add()).columns)
      if (context.column({running.table, c}).phase() > 1) parts.push_back(c);
    for (uint32_t c : parts) {
      const Column& part = context.column({running.table, c});
      if (part.has_fraction() && isCommitted(part.fraction().numerator()) &&
          isCommitted(part.fraction().denominator()))
        continue;
      return context.field(running).reject(
          "R7: its sum group is exported, and \"", part.name(),
          "\" in it is no fraction of columns of phases 0 and 1 alone");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status checkAdaptiveRules(const Circuit& circuit, CircuitInfo& info) {
  LINDERO_ASSIGN_OR_RETURN(const CircuitPoints points, CircuitPoints::create(circuit));
  LINDERO_ASSIGN_OR_RETURN(CircuitReads reads, CircuitReads::create(circuit));
  const RuleContext context{circuit, info, points, reads};
  LINDERO_RETURN_IF_ERROR(checkDefined(context, info));
  LINDERO_RETURN_IF_ERROR(checkWitness(circuit, reads));
  LINDERO_RETURN_IF_ERROR(checkDenominators(context));
  LINDERO_RETURN_IF_ERROR(checkGatheredColumns(context));
  LINDERO_RETURN_IF_ERROR(checkLateValues(context));
  info.work = reads.visits();
  LINDERO_RETURN_IF_ERROR(RunningColumns(context).check());
  return checkCrossingSums(context);
}

}  // namespace lindero::runtime
