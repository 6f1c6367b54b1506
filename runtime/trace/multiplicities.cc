#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/eval/bus_counter.h"
#include "runtime/eval/describe.h"
#include "runtime/package/status_macros.h"
#include "runtime/trace/generate_trace.h"

namespace lindero::runtime {
namespace {

// Multiplicities are what is counted, so no lookup may depend on them.
absl::Status checkIndependence(const Circuit& circuit, const BusCounter& counter) {
  std::set<std::pair<uint32_t, uint32_t>> multiplicities;
  for (int t = 0; t < circuit.tables_size(); ++t) {
    for (const Lookup& lookup : circuit.tables(t).lookups()) {
      if (lookup.provide())
        multiplicities.insert({static_cast<uint32_t>(t), lookup.multiplicity_column()});
    }
  }
  for (const RowProgram* program : counter.lookupPrograms()) {
    for (const RowProgram::ColumnUse& use : program->columnUses()) {
      if (!multiplicities.contains({program->table(), use.column})) continue;
      const Table& table = circuit.tables(static_cast<int>(program->table()));
      return absl::InvalidArgumentError(absl::StrCat(
          "circuit.pb: a lookup of table \"", table.name(), "\" reads the multiplicity column \"",
          table.columns(static_cast<int>(use.column)).name(), "\""));
    }
  }
  return absl::OkStatus();
}

absl::Status missingError(const Circuit& circuit, const BusCounts& counts) {
  const MissingTuple& missing = counts.missing.front();
  const Table& table = circuit.tables(static_cast<int>(missing.table));
  const Lookup& lookup = table.lookups(static_cast<int>(missing.lookup));
  return absl::OutOfRangeError(absl::StrCat(
      describeRow(table, missing.row), " of table \"", table.name(), "\": lookup \"", lookup.name(),
      "\" of ", describeTuple(missing.tuple), " finds nothing on the bus \"",
      circuit.buses(lookup.bus()).name(), "\" (", counts.missing_total,
      " such lookups): a value left its proven range, or the program misplaced it"));
}

}  // namespace

absl::Status fillMultiplicities(const Package& package, absl::Span<uint32_t> main, ThreadPool& pool,
                                bool allow_missing) {
  const Circuit& circuit = package.circuit();
  BusCounter counter(circuit, package.circuitInfo(),
                     {.extension_components = false, .max_missing = 1});
  LINDERO_RETURN_IF_ERROR(checkIndependence(circuit, counter));
  Columns columns(package, main);
  Scalars constants(circuit, package.circuitInfo());
  BusCounts counts = counter.count(columns, constants, pool);
  if (counts.missing_total != 0 && !allow_missing) return missingError(circuit, counts);
  for (const ProviderCounts& provider : counts.providers) {
    const Lookup& lookup =
        circuit.tables(static_cast<int>(provider.table)).lookups(static_cast<int>(provider.lookup));
    absl::Span<uint32_t> column =
        package.traceLayout().column(main, provider.table, lookup.multiplicity_column());
    std::copy(provider.counts.begin(), provider.counts.end(), column.begin());
  }
  return absl::OkStatus();
}

}  // namespace lindero::runtime
