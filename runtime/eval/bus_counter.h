// Counts, for every row of every provider of a bus, how often the row's tuple is looked up.
//
// A looked-up tuple stands in the row that circuit.proto's offsets and key compute for it; the
// tuple there is compared component by component, and what stands nowhere is reported. Before
// challenges are drawn, components of phase 2 are unknown and left out. Cost: a few nanoseconds per
// lookup and row, and one count per provider row and thread.
#ifndef LINDERO_RUNTIME_EVAL_BUS_COUNTER_H_
#define LINDERO_RUNTIME_EVAL_BUS_COUNTER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/eval/columns.h"
#include "runtime/eval/row_program.h"
#include "runtime/parallel/thread_pool.h"

namespace lindero::runtime {

// Which buses have no provider: what is given there is a lookup of a negative multiplicity, and
// nothing is counted.
std::vector<bool> taggedBuses(const Circuit& circuit);

// A lookup whose tuple does not stand in a provider's row that it computes.
struct MissingTuple {
  uint32_t table;
  uint32_t lookup;  // index into Table.lookups
  uint64_t row;
  M31 multiplicity;
  std::vector<QM31> tuple;  // components that were left out are 0
};

struct ProviderCounts {
  uint32_t table;
  uint32_t lookup;
  std::vector<uint32_t> counts;  // per row, a residue
};

struct BusCounts {
  std::vector<ProviderCounts> providers;
  uint64_t missing_total = 0;
  std::vector<MissingTuple>
      missing;  // the first ones by table, lookup, row; at most Options.max_missing
};

class BusCounter {
 public:
  struct Options {
    // Compare components that hold challenges or columns of phase 2. Requires that those are
    // filled.
    bool extension_components = false;
    size_t max_missing = 16;
  };

  BusCounter(const Circuit& circuit, const CircuitInfo& info, const Options& options);
  ~BusCounter();

  BusCounts count(const Columns& columns, const Scalars& scalars, ThreadPool& pool) const;

  // Of every table with lookups, what those read; for finding dependencies.
  std::vector<const RowProgram*> lookupPrograms() const;

 private:
  struct Provider;
  struct LookupTable;
  struct Rows;
  struct Direct;

  void readProviders(const Columns& columns, const Scalars& scalars, ThreadPool& pool,
                     std::vector<Rows>& rows) const;
  std::optional<Direct> findDirect(uint32_t bus, absl::Span<const RootValues> tuple, size_t count,
                                   const std::vector<Rows>& rows) const;
  void countChunk(const LookupTable& table, size_t group, uint64_t first_row, size_t count,
                  absl::Span<const RootValues> roots, const std::vector<Rows>& rows,
                  std::vector<std::vector<uint32_t>>& counts, BusCounts& found) const;
  void countRow(const LookupTable& table, size_t group, size_t i, uint64_t row,
                absl::Span<const RootValues> roots, const std::vector<Rows>& rows,
                std::vector<std::vector<uint32_t>>& counts, BusCounts& found) const;

  const Circuit& circuit_;
  Options options_;
  std::vector<Provider> providers_;
  std::vector<std::vector<uint32_t>> providers_of_bus_;  // indices into providers_
  std::vector<LookupTable> tables_;
  std::vector<std::vector<bool>> compared_;  // per bus and component: both sides know it
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_EVAL_BUS_COUNTER_H_
