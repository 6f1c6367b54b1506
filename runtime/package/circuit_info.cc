#include "runtime/package/circuit_info.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "absl/status/status.h"
#include "runtime/field/m31.h"
#include "runtime/package/adaptive_rules.h"
#include "runtime/package/circuit_lookups.h"
#include "runtime/package/circuit_nodes.h"
#include "runtime/package/circuit_publics.h"
#include "runtime/package/field_path.h"
#include "runtime/package/formats.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

class Analyzer {
 public:
  Analyzer(const Circuit& circuit, AdaptiveRules rules) : circuit_(circuit), rules_(rules) {}

  absl::StatusOr<CircuitInfo> run() {
    LINDERO_RETURN_IF_ERROR(checkHeader());
    LINDERO_RETURN_IF_ERROR(checkTables());
    LINDERO_RETURN_IF_ERROR(checkChallengesAndBuses());
    LINDERO_RETURN_IF_ERROR(checkClaimedSums());
    absl::StatusOr<std::vector<NodeInfo>> nodes = analyzeNodes(circuit_, info_.claimed_sum_columns);
    if (!nodes.ok()) return nodes.status();
    info_.nodes = *std::move(nodes);
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      LINDERO_RETURN_IF_ERROR(checkGenerators(t));
      LINDERO_RETURN_IF_ERROR(checkConstraints(t));
    }
    LINDERO_RETURN_IF_ERROR(checkLookups(circuit_, info_));
    LINDERO_RETURN_IF_ERROR(checkPublics(circuit_));
    LINDERO_RETURN_IF_ERROR(checkExports(circuit_, info_));
    LINDERO_RETURN_IF_ERROR(checkSegments());
    LINDERO_RETURN_IF_ERROR(orderColumns(circuit_, info_));
    absl::Status adaptive = checkAdaptiveRules(circuit_, info_);
    const bool analysed = info_.definitions.size() == static_cast<size_t>(circuit_.tables_size());
    if (rules_ == AdaptiveRules::kHold || !analysed) LINDERO_RETURN_IF_ERROR(adaptive);
    return std::move(info_);
  }

 private:
  static FieldPath tableField(int t, const Table& table) {
    return FieldPath("circuit.pb").at("tables", t, table.name());
  }

  absl::Status checkHeader() const {
    FieldPath top("circuit.pb");
    if (circuit_.format() != kCircuitFormat) {
      return top.error(FormatRule::kEncoding, "format ", circuit_.format(),
                       " is not known (known: ", kCircuitFormat, "); compile the model again");
    }
    if (circuit_.modulus() != kModulus) {
      return top.error(FormatRule::kEncoding, "modulus ", circuit_.modulus(),
                       " is not supported (supported: ", kModulus, ")");
    }
    if (circuit_.extension_degree() != 4) {
      return top.error(FormatRule::kEncoding, "extension_degree ", circuit_.extension_degree(),
                       " is not supported (supported: 4)");
    }
    return absl::OkStatus();
  }

  absl::Status checkTables() const {
    FieldPath top("circuit.pb");
    if (circuit_.tables_size() == 0) return top.error(FormatRule::kLimits, "there is no table");
    if (circuit_.tables_size() > kMaxTables) {
      return top.error(FormatRule::kLimits, "more than ", kMaxTables, " tables");
    }
    if (circuit_.challenges_size() > kMaxChallenges) {
      return top.error(FormatRule::kLimits, "more than ", kMaxChallenges, " challenges");
    }
    if (circuit_.sum_groups_size() > kMaxSumGroups) {
      return top.error(FormatRule::kLimits, "more than ", kMaxSumGroups, " sum groups");
    }
    std::unordered_set<std::string> names;
    int64_t columns = 0;
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      const Table& table = circuit_.tables(t);
      FieldPath field = tableField(t, table);
      LINDERO_RETURN_IF_ERROR(checkUniqueName(field, names, table.name()));
      if (table.log_height() > kMaxLogHeight) {
        return field.error(FormatRule::kLimits, "log_height ", table.log_height(), " is more than ",
                           kMaxLogHeight);
      }
      if (table.columns_size() == 0) {
        return field.error(FormatRule::kLimits, "there is no column");
      }
      if ((columns += table.columns_size()) > kMaxColumns) {
        return top.error(FormatRule::kLimits, "more than ", kMaxColumns, " columns");
      }
      LINDERO_RETURN_IF_ERROR(checkColumns(field, table));
      LINDERO_RETURN_IF_ERROR(checkInstances(field, table));
    }
    return absl::OkStatus();
  }

  static absl::Status checkColumns(const FieldPath& field, const Table& table) {
    std::unordered_set<std::string> names;
    uint32_t phase = 0;
    for (int c = 0; c < table.columns_size(); ++c) {
      const Column& column = table.columns(c);
      FieldPath here = field.at("columns", c, column.name());
      LINDERO_RETURN_IF_ERROR(checkUniqueName(here, names, column.name()));
      if (column.phase() > 3)
        return here.error(FormatRule::kColumns, "phase ", column.phase(), " is not in 0..3");
      if (column.phase() < phase)
        return here.error(FormatRule::kColumns, "columns are not ordered by phase");
      phase = column.phase();
      bool generated = column.generator_case() != Column::GENERATOR_NOT_SET;
      if (generated != (phase >= 2)) {
        return here.error(FormatRule::kColumns, generated
                                                    ? "a column of phase 0 or 1 has a generator"
                                                    : "a column of phase 2 or 3 has no generator");
      }
    }
    return absl::OkStatus();
  }

  static absl::Status checkInstances(const FieldPath& field, const Table& table) {
    uint64_t end = 0, height = tableHeight(table);
    for (int i = 0; i < table.instances_size(); ++i) {
      const Instance& instance = table.instances(i);
      FieldPath here = field.at("instances", i, instance.node());
      if (instance.first_row() < end)
        return here.error(FormatRule::kInstances, "overlaps the instance before, or out of order");
      if (instance.rows() == 0 || instance.first_row() >= height ||
          instance.rows() > height - instance.first_row()) {
        return here.error(FormatRule::kInstances, "rows ", instance.first_row(), " + ",
                          instance.rows(), " do not lie in the table's ", height, " rows");
      }
      end = instance.first_row() + instance.rows();
    }
    return absl::OkStatus();
  }

  absl::Status checkChallengesAndBuses() const {
    std::unordered_set<std::string> names;
    for (int i = 0; i < circuit_.challenges_size(); ++i) {
      const Challenge& challenge = circuit_.challenges(i);
      FieldPath field = FieldPath("circuit.pb").at("challenges", i, challenge.name());
      LINDERO_RETURN_IF_ERROR(checkUniqueName(field, names, challenge.name()));
      if (challenge.phase() != 1 && challenge.phase() != 2) {
        return field.error(FormatRule::kPhases, "phase ", challenge.phase(), " is not 1 or 2");
      }
    }
    names.clear();
    for (int i = 0; i < circuit_.buses_size(); ++i) {
      const Bus& bus = circuit_.buses(i);
      FieldPath field = FieldPath("circuit.pb").at("buses", i, bus.name());
      LINDERO_RETURN_IF_ERROR(checkUniqueName(field, names, bus.name()));
      if (bus.width() == 0) return field.error(FormatRule::kPhases, "the width is 0");
      if (bus.phase() > 2)
        return field.error(FormatRule::kPhases, "phase ", bus.phase(), " is not in 0..2");
    }
    names.clear();
    for (int i = 0; i < circuit_.sum_groups_size(); ++i) {
      const SumGroup& group = circuit_.sum_groups(i);
      LINDERO_RETURN_IF_ERROR(checkUniqueName(
          FieldPath("circuit.pb").at("sum_groups", i, group.name()), names, group.name()));
    }
    return absl::OkStatus();
  }

  // Every claimed sum is the last row of exactly one running fraction column, of the claimed sum's
  // table.
  absl::Status checkClaimedSums() {
    for (int i = 0; i < circuit_.claimed_sums_size(); ++i) {
      const ClaimedSum& claimed_sum = circuit_.claimed_sums(i);
      FieldPath field = FieldPath("circuit.pb").at("claimed_sums", i, claimed_sum.name());
      if (claimed_sum.name().empty()) return field.error(FormatRule::kNames, "the name is empty");
      if (claimed_sum.table() >= static_cast<uint32_t>(circuit_.tables_size())) {
        return field.error(FormatRule::kClaimedSums, "table ", claimed_sum.table(),
                           " does not exist");
      }
      if (claimed_sum.group() >= static_cast<uint32_t>(circuit_.sum_groups_size())) {
        return field.error(FormatRule::kClaimedSums, "sum group ", claimed_sum.group(),
                           " does not exist");
      }
    }
    std::vector<int> uses(circuit_.claimed_sums_size(), 0);
    info_.claimed_sum_columns.resize(circuit_.claimed_sums_size());
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      const Table& table = circuit_.tables(t);
      for (int c = 0; c < table.columns_size(); ++c) {
        const Column& column = table.columns(c);
        if (!column.has_fraction()) continue;
        FieldPath field = tableField(t, table).at("columns", c, column.name());
        const Fraction& fraction = column.fraction();
        if (!fraction.running()) {
          if (fraction.add() == 0 && fraction.claimed_sum() == 0) continue;
          return field.error(FormatRule::kClaimedSums,
                             "add and claimed sum belong to running fractions only");
        }
        if (fraction.claimed_sum() >= uses.size()) {
          return field.error(FormatRule::kClaimedSums, "claimed sum ", fraction.claimed_sum(),
                             " does not exist");
        }
        if (circuit_.claimed_sums(fraction.claimed_sum()).table() != static_cast<uint32_t>(t)) {
          return field.error(FormatRule::kClaimedSums, "claimed sum ", fraction.claimed_sum(),
                             " is of another table");
        }
        ++uses[fraction.claimed_sum()];
        info_.claimed_sum_columns[fraction.claimed_sum()] = {static_cast<uint32_t>(t),
                                                             static_cast<uint32_t>(c)};
      }
    }
    for (int i = 0; i < circuit_.claimed_sums_size(); ++i) {
      if (uses[i] == 1) continue;
      return FieldPath("circuit.pb")
          .at("claimed_sums", i, circuit_.claimed_sums(i).name())
          .error(FormatRule::kClaimedSums, uses[i] == 0 ? "no running column publishes it"
                                                        : "several running columns publish it");
    }
    return absl::OkStatus();
  }

  // A generator knows columns up to its own phase, challenges drawn and claimed sums published
  // before it.
  absl::Status checkGeneratorNode(const FieldPath& field, absl::string_view what, uint32_t node,
                                  int t, uint32_t phase) const {
    LINDERO_RETURN_IF_ERROR(checkTableNode(circuit_, info_, field, what, node, t));
    const NodeInfo& info = info_.nodes[node];
    if (info.phase > phase)
      return field.error(FormatRule::kKnown, what, ": reads a column of a later phase");
    if (info.challenge_phase >= phase) {
      return field.error(FormatRule::kKnown, what, ": reads a challenge that is drawn after phase ",
                         info.challenge_phase);
    }
    if (info.claimed_sum_phase >= phase) {
      return field.error(FormatRule::kKnown, what, ": reads a claimed sum of phase ",
                         info.claimed_sum_phase);
    }
    return absl::OkStatus();
  }

  absl::Status checkGenerators(int t) const {
    const Table& table = circuit_.tables(t);
    for (int c = firstColumnOfPhase(table, 2); c < table.columns_size(); ++c) {
      const Column& column = table.columns(c);
      FieldPath field = tableField(t, table).at("columns", c, column.name());
      auto check = [&](absl::string_view what, uint32_t node) {
        return checkGeneratorNode(field, what, node, t, column.phase());
      };
      if (column.has_expression()) {
        LINDERO_RETURN_IF_ERROR(check("expression.value", column.expression().value()));
      } else if (column.has_scan()) {
        LINDERO_RETURN_IF_ERROR(check("scan.mul", column.scan().mul()));
        LINDERO_RETURN_IF_ERROR(check("scan.add", column.scan().add()));
        if (column.scan().rows() >= tableHeight(table)) {
          return field.error(FormatRule::kScans, "scan.rows ", column.scan().rows(),
                             " is not below the table's height");
        }
      } else if (column.has_fraction()) {
        LINDERO_RETURN_IF_ERROR(check("fraction.numerator", column.fraction().numerator()));
        LINDERO_RETURN_IF_ERROR(check("fraction.denominator", column.fraction().denominator()));
        if (column.fraction().running()) {
          LINDERO_RETURN_IF_ERROR(check("fraction.add", column.fraction().add()));
        }
      } else {
        LINDERO_RETURN_IF_ERROR(checkGather(field, column, t));
      }
    }
    return absl::OkStatus();
  }

  absl::Status checkGather(const FieldPath& field, const Column& column, int t) const {
    const Gather& gather = column.gather();
    LINDERO_RETURN_IF_ERROR(
        checkTableNode(circuit_, info_, field, "gather.index", gather.index(), t));
    const NodeInfo& index = info_.nodes[gather.index()];
    if (index.phase != 0 || index.challenge_phase != 0 || index.claimed_sum_phase != 0) {
      return field.error(FormatRule::kGathers, "gather.index: reads more than fixed columns");
    }
    uint64_t end = 0;
    for (int s = 0; s < gather.sources_size(); ++s) {
      const GatherSource& source = gather.sources(s);
      FieldPath here = field.at("gather.sources", s);
      if (source.table() >= static_cast<uint32_t>(circuit_.tables_size())) {
        return here.error(FormatRule::kGathers, "table ", source.table(), " does not exist");
      }
      const Table& table = circuit_.tables(source.table());
      if (source.column() >= static_cast<uint32_t>(table.columns_size())) {
        return here.error(FormatRule::kGathers, "table \"", table.name(), "\" has no column ",
                          source.column());
      }
      if (table.columns(source.column()).phase() != column.phase()) {
        return here.error(FormatRule::kGathers,
                          "the source column is of another phase than the gathering one");
      }
      if (source.rows() > tableHeight(table))
        return here.error(FormatRule::kGathers, "more rows than the source table has");
      if (source.base() < end)
        return here.error(FormatRule::kGathers, "overlaps the source before, or out of order");
      end = uint64_t{source.base()} + source.rows();
      if (end >= kModulus)
        return here.error(FormatRule::kGathers, "base + rows does not fit the field");
    }
    return absl::OkStatus();
  }

  absl::Status checkConstraints(int t) const {
    const Table& table = circuit_.tables(t);
    for (int i = 0; i < table.constraints_size(); ++i) {
      const Constraint& constraint = table.constraints(i);
      FieldPath field = tableField(t, table).at("constraints", i, constraint.name());
      if (constraint.name().empty()) return field.error(FormatRule::kNames, "the name is empty");
      LINDERO_RETURN_IF_ERROR(checkTableNode(circuit_, info_, field, "node", constraint.node(), t));
      if (!Constraint::Kind_IsValid(constraint.kind())) {
        return field.error(FormatRule::kEncoding, "unknown kind ",
                           static_cast<int>(constraint.kind()));
      }
      if (info_.nodes[constraint.node()].degree > kMaxDegree) {
        return field.error(FormatRule::kDegree, "degree ",
                           static_cast<int>(info_.nodes[constraint.node()].degree),
                           " is more than ", kMaxDegree);
      }
    }
    return absl::OkStatus();
  }

  // The segments partition the tables.
  absl::Status checkSegments() const {
    std::unordered_set<std::string> names;
    std::vector<bool> covered(circuit_.tables_size(), false);
    for (int i = 0; i < circuit_.segments_size(); ++i) {
      const Segment& segment = circuit_.segments(i);
      FieldPath field = FieldPath("circuit.pb").at("segments", i, segment.name());
      LINDERO_RETURN_IF_ERROR(checkUniqueName(field, names, segment.name()));
      for (uint32_t table : segment.tables()) {
        if (table >= covered.size())
          return field.error(FormatRule::kSegments, "table ", table, " does not exist");
        if (covered[table])
          return field.error(FormatRule::kSegments, "table ", table, " is in two segments");
        covered[table] = true;
      }
    }
    for (size_t t = 0; t < covered.size(); ++t) {
      if (!covered[t])
        return FieldPath("circuit.pb")
            .error(FormatRule::kSegments, "segments: table ", t, " is in no segment");
    }
    return absl::OkStatus();
  }

  const Circuit& circuit_;
  const AdaptiveRules rules_;
  CircuitInfo info_;
};

}  // namespace

bool exportsGroups(const Circuit& circuit) {
  return std::any_of(circuit.sum_groups().begin(), circuit.sum_groups().end(),
                     [](const SumGroup& group) { return group.exported(); });
}

absl::StatusOr<CircuitInfo> analyzeCircuit(const Circuit& circuit, AdaptiveRules rules) {
  return Analyzer(circuit, rules).run();
}

int firstColumnOfPhase(const Table& table, uint32_t phase) {
  auto it = std::partition_point(table.columns().begin(), table.columns().end(),
                                 [&](const Column& column) { return column.phase() < phase; });
  return static_cast<int>(it - table.columns().begin());
}

int columnsOfPhase(const Table& table, uint32_t phase) {
  return firstColumnOfPhase(table, phase + 1) - firstColumnOfPhase(table, phase);
}

std::vector<uint32_t> generatorNodes(const Column& column) {
  switch (column.generator_case()) {
    case Column::kExpression:
      return {column.expression().value()};
    case Column::kScan:
      return {column.scan().mul(), column.scan().add()};
    case Column::kFraction: {
      const Fraction& fraction = column.fraction();
      if (!fraction.running()) return {fraction.numerator(), fraction.denominator()};
      return {fraction.numerator(), fraction.denominator(), fraction.add()};
    }
    default:
      return {column.gather().index()};
  }
}

const Instance* findInstance(const Table& table, uint64_t row) {
  auto it = std::partition_point(
      table.instances().begin(), table.instances().end(),
      [&](const Instance& instance) { return instance.first_row() + instance.rows() <= row; });
  if (it == table.instances().end() || row < it->first_row()) return nullptr;
  return &*it;
}

}  // namespace lindero::runtime
