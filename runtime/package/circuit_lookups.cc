#include "runtime/package/circuit_lookups.h"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "runtime/field/m31.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

FieldPath lookupField(int t, const Table& table, int i) {
  return FieldPath("circuit.pb")
      .at("tables", t, table.name())
      .at("lookups", i, table.lookups(i).name());
}

absl::Status checkProvider(const FieldPath& field, const Table& table, const Lookup& lookup) {
  uint32_t column = lookup.multiplicity_column();
  if (column >= static_cast<uint32_t>(table.columns_size()) || table.columns(column).phase() != 1) {
    return field.error(FormatRule::kProviders, "multiplicity_column ", column,
                       " is not a column of phase 1");
  }
  uint32_t width = static_cast<uint32_t>(lookup.tuple_size());
  if (lookup.key() >= width)
    return field.error(FormatRule::kProviders, "key ", lookup.key(), " is not in the tuple");
  if (lookup.has_selector() && lookup.selector() >= width) {
    return field.error(FormatRule::kProviders, "selector ", lookup.selector(),
                       " is not in the tuple");
  }
  if (lookup.offsets_size() == 0 || (!lookup.has_selector() && lookup.offsets_size() != 1)) {
    return field.error(FormatRule::kProviders, lookup.offsets_size(),
                       " offsets: one is needed without a selector, at least one with a selector");
  }
  for (int64_t offset : lookup.offsets()) {
    if (offset != kNotHere && (offset > kModulus || offset < -int64_t{kModulus})) {
      return field.error(FormatRule::kProviders, "offset ", offset, " is larger than the field");
    }
  }
  return absl::OkStatus();
}

absl::Status checkTuple(const Circuit& circuit, const CircuitInfo& info, const FieldPath& field,
                        int t, const Lookup& lookup) {
  const Bus& bus = circuit.buses(lookup.bus());
  if (lookup.tuple_size() != static_cast<int>(bus.width())) {
    return field.error(FormatRule::kLookups, "the tuple has ", lookup.tuple_size(),
                       " components, the bus \"", bus.name(), "\" ", bus.width());
  }
  for (uint32_t node : lookup.tuple()) {
    LINDERO_RETURN_IF_ERROR(checkTableNode(circuit, info, field, "tuple", node, t));
    const NodeInfo& component = info.nodes[node];
    if (component.phase > bus.phase())
      return field.error(FormatRule::kLookups, "tuple: reads a phase after the bus's");
    if (component.claimed_sum_phase != 0)
      return field.error(FormatRule::kLookups, "tuple: reads a claimed sum");
    if (component.challenge_phase >= std::max(bus.phase(), 1u)) {
      return field.error(FormatRule::kLookups,
                         "tuple: reads a challenge that is drawn after the bus's phase");
    }
  }
  return absl::OkStatus();
}

absl::Status checkTableLookups(const Circuit& circuit, const CircuitInfo& info, int t) {
  const Table& table = circuit.tables(t);
  // Multiplicities are counted from the lookups, so no two providers share a column.
  std::unordered_set<uint32_t> multiplicity_columns;
  for (int i = 0; i < table.lookups_size(); ++i) {
    const Lookup& lookup = table.lookups(i);
    FieldPath field = lookupField(t, table, i);
    if (lookup.name().empty()) return field.error(FormatRule::kNames, "the name is empty");
    if (lookup.bus() >= static_cast<uint32_t>(circuit.buses_size())) {
      return field.error(FormatRule::kLookups, "bus ", lookup.bus(), " does not exist");
    }
    LINDERO_RETURN_IF_ERROR(
        checkTableNode(circuit, info, field, "multiplicity", lookup.multiplicity(), t));
    const NodeInfo& multiplicity = info.nodes[lookup.multiplicity()];
    if (multiplicity.phase > 1 || multiplicity.extension) {
      return field.error(FormatRule::kLookups,
                         "multiplicity: reads more than columns of phases 0 and 1");
    }
    LINDERO_RETURN_IF_ERROR(checkTuple(circuit, info, field, t, lookup));
    if (!lookup.provide()) continue;
    LINDERO_RETURN_IF_ERROR(checkProvider(field, table, lookup));
    if (!multiplicity_columns.insert(lookup.multiplicity_column()).second) {
      return field.error(FormatRule::kProviders, "multiplicity_column ",
                         lookup.multiplicity_column(), " belongs to another provider");
    }
  }
  return absl::OkStatus();
}

// Per bus, which components of a tuple find its provider's row.
std::vector<std::vector<uint32_t>> keyComponents(const Circuit& circuit) {
  std::vector<std::vector<uint32_t>> keys(circuit.buses_size());
  for (const Table& table : circuit.tables()) {
    for (const Lookup& lookup : table.lookups()) {
      if (!lookup.provide()) continue;
      keys[lookup.bus()].push_back(lookup.key());
      if (lookup.has_selector()) keys[lookup.bus()].push_back(lookup.selector());
    }
  }
  for (std::vector<uint32_t>& list : keys) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  return keys;
}

}  // namespace

absl::Status checkTableNode(const Circuit& circuit, const CircuitInfo& info, const FieldPath& field,
                            absl::string_view what, uint32_t node, int t) {
  if (node >= info.nodes.size()) {
    return field.error(FormatRule::kNodes, what, ": node ", node,
                       " does not exist (nodes: ", info.nodes.size(), ")");
  }
  int32_t table = info.nodes[node].table;
  if (table >= 0 && table != t) {
    return field.error(FormatRule::kOneTable, what, ": node ", node,
                       " reads columns of another table, \"", circuit.tables(table).name(), "\"");
  }
  return absl::OkStatus();
}

absl::Status checkLookups(const Circuit& circuit, const CircuitInfo& info) {
  for (int t = 0; t < circuit.tables_size(); ++t) {
    LINDERO_RETURN_IF_ERROR(checkTableLookups(circuit, info, t));
  }
  // Rows of providers are found when the trace is written: before any challenge is drawn.
  std::vector<std::vector<uint32_t>> keys = keyComponents(circuit);
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    for (int i = 0; i < table.lookups_size(); ++i) {
      const Lookup& lookup = table.lookups(i);
      for (uint32_t key : keys[lookup.bus()]) {
        if (!info.nodes[lookup.tuple(key)].extension) continue;
        return lookupField(t, table, i)
            .error(FormatRule::kProviders, "tuple[", key,
                   "] finds the provider's row and must read phases 0 and 1 only");
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace lindero::runtime
