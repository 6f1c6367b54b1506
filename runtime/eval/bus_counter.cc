#include "runtime/eval/bus_counter.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kBlockRows = 64 * kChunkRows;

// A piece of a table for one task.
struct Block {
  uint32_t table;  // index into the counter's list
  uint64_t first_row;
  uint64_t rows;
};

std::vector<Block> blocksOf(absl::Span<const uint64_t> heights) {
  std::vector<Block> blocks;
  for (uint32_t t = 0; t < heights.size(); ++t) {
    for (uint64_t row = 0; row < heights[t]; row += kBlockRows) {
      blocks.push_back({t, row, std::min(kBlockRows, heights[t] - row)});
    }
  }
  return blocks;
}

}  // namespace

std::vector<bool> taggedBuses(const Circuit& circuit) {
  std::vector<bool> tagged(circuit.buses_size(), true);
  for (const Table& table : circuit.tables()) {
    for (const Lookup& lookup : table.lookups()) {
      if (lookup.provide()) tagged[lookup.bus()] = false;
    }
  }
  return tagged;
}

struct BusCounter::Provider {
  uint32_t table;
  uint32_t lookup;
  const Lookup* definition;
  uint64_t height;
  // One group: the compared components.
  std::unique_ptr<RowProgram> program;
};

struct BusCounter::LookupTable {
  uint32_t table;
  // One group per lookup: multiplicity, then the compared components.
  std::unique_ptr<RowProgram> program;
  std::vector<uint32_t> lookups;  // per group, index into Table.lookups
};

// The tuples of a provider: per root the values of all rows, one array for a base root and four for
// another.
struct BusCounter::Rows {
  std::vector<std::vector<uint32_t>> limbs[4];
  // Rows that do not stand where the provider's offsets say, by selector and key.
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint64_t> displaced;

  uint32_t selectorAt(const Lookup& provider, uint64_t row) const {
    return provider.has_selector() ? limbs[0][provider.selector()][row] : 0;
  }
  uint32_t keyAt(const Lookup& provider, uint64_t row) const {
    return limbs[0][provider.key()][row];
  }

  // Where the offsets say that the key stands; nothing if that is nowhere.
  std::optional<uint64_t> expected(const Lookup& provider, uint32_t selector, uint32_t key) const {
    if (selector >= static_cast<uint32_t>(provider.offsets_size())) return std::nullopt;
    const int64_t offset = provider.offsets(static_cast<int>(selector));
    if (offset == kNotHere) return std::nullopt;
    const int64_t row = offset + M31::fromCanonical(key).centered();
    if (row < 0 || row >= static_cast<int64_t>(limbs[0][provider.key()].size())) {
      return std::nullopt;
    }
    return static_cast<uint64_t>(row);
  }
  bool holds(const Lookup& provider, uint64_t row, uint32_t selector, uint32_t key) const {
    return keyAt(provider, row) == key && selectorAt(provider, row) == selector;
  }

  void indexDisplaced(const Lookup& provider) {
    for (uint64_t row = 0; row < limbs[0][provider.key()].size(); ++row) {
      const uint32_t selector = selectorAt(provider, row), key = keyAt(provider, row);
      const std::optional<uint64_t> place = expected(provider, selector, key);
      if (place && holds(provider, *place, selector, key)) continue;
      displaced.try_emplace({selector, key}, row);
    }
  }

  std::optional<uint64_t> find(const Lookup& provider, uint32_t selector, uint32_t key) const {
    const std::optional<uint64_t> place = expected(provider, selector, key);
    if (place && holds(provider, *place, selector, key)) return place;
    auto it = displaced.find({selector, key});
    return it == displaced.end() ? std::nullopt : std::optional(it->second);
  }

  bool equals(size_t component, uint64_t row, const RootValues& values, size_t i) const {
    const bool extension = !limbs[1][component].empty();
    if (!extension && !values.kind.extension) return limbs[0][component][row] == values.baseAt(i);
    QM31 looked_up = values.at(i);
    for (size_t k = 0; k < 4; ++k) {
      uint32_t provided = k == 0 || extension ? limbs[k][component][row] : 0;
      if (provided != looked_up.limb(k)) return false;
    }
    return true;
  }
};

BusCounter::BusCounter(const Circuit& circuit, const CircuitInfo& info, const Options& options)
    : circuit_(circuit), options_(options), providers_of_bus_(circuit.buses_size()) {
  // compared[bus][component]: both sides know the component.
  std::vector<std::vector<bool>> compared(circuit.buses_size());
  for (int b = 0; b < circuit.buses_size(); ++b) compared[b].assign(circuit.buses(b).width(), true);
  for (const Table& table : circuit.tables()) {
    for (const Lookup& lookup : table.lookups()) {
      for (int k = 0; k < lookup.tuple_size() && !options.extension_components; ++k) {
        if (info.nodes[lookup.tuple(k)].extension) compared[lookup.bus()][k] = false;
      }
    }
  }
  const std::vector<bool> tagged = taggedBuses(circuit);
  for (int t = 0; t < circuit.tables_size(); ++t) {
    const Table& table = circuit.tables(t);
    std::vector<RootGroup> groups;
    std::vector<uint32_t> lookups;
    for (int i = 0; i < table.lookups_size(); ++i) {
      const Lookup& lookup = table.lookups(i);
      if (tagged[lookup.bus()]) continue;
      // Components that are left out are replaced by one that is known, so that positions stay.
      RootGroup tuple;
      for (int k = 0; k < lookup.tuple_size(); ++k) {
        tuple.push_back(compared[lookup.bus()][k] ? lookup.tuple(k) : lookup.multiplicity());
      }
      if (!lookup.provide()) {
        tuple.insert(tuple.begin(), lookup.multiplicity());
        groups.push_back(std::move(tuple));
        lookups.push_back(static_cast<uint32_t>(i));
        continue;
      }
      providers_of_bus_[lookup.bus()].push_back(static_cast<uint32_t>(providers_.size()));
      providers_.push_back(
          {static_cast<uint32_t>(t), static_cast<uint32_t>(i), &lookup, tableHeight(table),
           std::make_unique<RowProgram>(circuit, info, t, absl::MakeConstSpan(&tuple, 1))});
    }
    if (groups.empty()) continue;
    tables_.push_back({static_cast<uint32_t>(t),
                       std::make_unique<RowProgram>(circuit, info, t, groups), std::move(lookups)});
  }
  compared_ = std::move(compared);
}

BusCounter::~BusCounter() = default;

std::vector<const RowProgram*> BusCounter::lookupPrograms() const {
  std::vector<const RowProgram*> programs;
  for (const LookupTable& table : tables_) programs.push_back(table.program.get());
  return programs;
}

void BusCounter::readProviders(const Columns& columns, const Scalars& scalars, ThreadPool& pool,
                               std::vector<Rows>& rows) const {
  std::vector<uint64_t> heights;
  for (const Provider& provider : providers_) heights.push_back(provider.height);
  rows.resize(providers_.size());
  std::vector<Block> blocks = blocksOf(heights);
  // Allocation needs the kinds of the roots, which the first chunk shows; do it up front on one
  // row.
  for (size_t p = 0; p < providers_.size(); ++p) {
    RowEvaluator(*providers_[p].program, columns, scalars)
        .run(0, 1, [&](size_t, uint64_t, size_t, absl::Span<const RootValues> roots) {
          for (size_t k = 0; k < 4; ++k) {
            for (const RootValues& root : roots) {
              bool needed = k == 0 || root.kind.extension;
              rows[p].limbs[k].emplace_back(needed ? heights[p] : 0);
            }
          }
        });
  }
  pool.parallelFor(blocks.size(), [&](uint64_t index, int) {
    const Block& block = blocks[index];
    RowEvaluator(*providers_[block.table].program, columns, scalars)
        .run(block.first_row, block.rows,
             [&](size_t, uint64_t first_row, size_t count, absl::Span<const RootValues> roots) {
               for (size_t c = 0; c < roots.size(); ++c) {
                 for (size_t k = 0; k < (roots[c].kind.extension ? 4 : 1); ++k) {
                   const uint32_t* from = roots[c].operand.limb[k];
                   uint32_t* to = rows[block.table].limbs[k][c].data() + first_row;
                   if (roots[c].kind.scalar) {
                     std::fill_n(to, count, *from);
                   } else {
                     std::copy_n(from, count, to);
                   }
                 }
               }
             });
  });
  pool.parallelFor(providers_.size(),
                   [&](uint64_t p, int) { rows[p].indexDisplaced(*providers_[p].definition); });
}

// The components of looked-up tuples, and where the provider has its own.
struct BusCounter::Direct {
  struct Component {
    const uint32_t* looked_up;
    const uint32_t* provided;
    size_t step;  // per row that looks up; 0 where all have the same
  };
  uint32_t provider;
  int64_t offset;
  absl::InlinedVector<Component, 8> components;
};

// Nearly all lookups are of base elements, and all rows of a chunk have one selector.
std::optional<BusCounter::Direct> BusCounter::findDirect(uint32_t bus,
                                                         absl::Span<const RootValues> tuple,
                                                         size_t count,
                                                         const std::vector<Rows>& rows) const {
  for (uint32_t p : providers_of_bus_[bus]) {
    const Lookup& provider = *providers_[p].definition;
    uint32_t selector = 0;
    if (provider.has_selector()) {
      const RootValues& values = tuple[provider.selector()];
      selector = values.baseAt(0);
      for (size_t i = 1; i < count && !values.kind.scalar; ++i) {
        if (values.operand.limb[0][i] != selector) return std::nullopt;
      }
    }
    const bool known = selector < static_cast<uint32_t>(provider.offsets_size());
    const int64_t offset = known ? provider.offsets(static_cast<int>(selector)) : kNotHere;
    if (offset == kNotHere) {
      if (!rows[p].displaced.empty()) return std::nullopt;  // it may stand there
      continue;
    }
    Direct direct{p, offset, {}};
    for (size_t c = 0; c < tuple.size(); ++c) {
      const bool places =
          c == provider.key() || (provider.has_selector() && c == provider.selector());
      if (!places && !compared_[bus][c]) continue;
      if (tuple[c].kind.extension || !rows[p].limbs[1][c].empty()) return std::nullopt;
      direct.components.push_back({tuple[c].operand.limb[0], rows[p].limbs[0][c].data(),
                                   tuple[c].kind.scalar ? size_t{0} : size_t{1}});
    }
    return direct;
  }
  return std::nullopt;
}

// What countRow does for every row of a chunk.
void BusCounter::countChunk(const LookupTable& table, size_t group, uint64_t first_row,
                            size_t count, absl::Span<const RootValues> roots,
                            const std::vector<Rows>& rows,
                            std::vector<std::vector<uint32_t>>& counts, BusCounts& found) const {
  const uint32_t bus = circuit_.tables(table.table).lookups(table.lookups[group]).bus();
  const std::optional<Direct> direct = findDirect(bus, roots.subspan(1), count, rows);
  if (!direct) {
    for (size_t i = 0; i < count; ++i)
      countRow(table, group, i, first_row + i, roots, rows, counts, found);
    return;
  }
  const RootValues& key = roots[1 + providers_[direct->provider].definition->key()];
  const uint64_t height = providers_[direct->provider].height;
  uint32_t* const totals = counts[direct->provider].data();
  for (size_t i = 0; i < count; ++i) {
    const M31 multiplicity = M31::fromCanonical(roots[0].baseAt(i));
    if (multiplicity.isZero()) continue;
    const uint64_t row =
        static_cast<uint64_t>(direct->offset + M31::fromCanonical(key.baseAt(i)).centered());
    bool stands = row < height;
    for (const Direct::Component& c : direct->components)
      stands = stands && c.looked_up[i * c.step] == c.provided[row];
    if (stands) {
      totals[row] = (M31::fromCanonical(totals[row]) + multiplicity).value();
    } else {
      countRow(table, group, i, first_row + i, roots, rows, counts, found);
    }
  }
}

void BusCounter::countRow(const LookupTable& table, size_t group, size_t i, uint64_t row,
                          absl::Span<const RootValues> roots, const std::vector<Rows>& rows,
                          std::vector<std::vector<uint32_t>>& counts, BusCounts& found) const {
  M31 multiplicity = M31::fromCanonical(roots[0].baseAt(i));
  if (multiplicity.isZero()) return;
  const Lookup& lookup = circuit_.tables(table.table).lookups(table.lookups[group]);
  absl::Span<const RootValues> tuple = roots.subspan(1);
  for (uint32_t p : providers_of_bus_[lookup.bus()]) {
    const Provider& provider = providers_[p];
    const Lookup& definition = *provider.definition;
    const uint32_t selector =
        definition.has_selector() ? tuple[definition.selector()].baseAt(i) : 0;
    const std::optional<uint64_t> target =
        rows[p].find(definition, selector, tuple[definition.key()].baseAt(i));
    if (!target) continue;
    bool same = true;
    for (size_t c = 0; c < tuple.size() && same; ++c) {
      same = !compared_[lookup.bus()][c] || rows[p].equals(c, *target, tuple[c], i);
    }
    if (!same) continue;
    uint32_t& count = counts[p][*target];
    count = (M31::fromCanonical(count) + multiplicity).value();
    return;
  }
  ++found.missing_total;
  if (found.missing.size() >= options_.max_missing) return;
  MissingTuple missing{table.table, table.lookups[group], row, multiplicity, {}};
  for (size_t c = 0; c < tuple.size(); ++c) {
    missing.tuple.push_back(compared_[lookup.bus()][c] ? tuple[c].at(i) : QM31());
  }
  found.missing.push_back(std::move(missing));
}

BusCounts BusCounter::count(const Columns& columns, const Scalars& scalars,
                            ThreadPool& pool) const {
  std::vector<Rows> rows;
  readProviders(columns, scalars, pool, rows);
  // Indexed by worker, provider, row; sums do not depend on who counted what.
  std::vector<std::vector<std::vector<uint32_t>>> counts(pool.size());
  for (auto& worker : counts) {
    for (const Provider& provider : providers_) worker.emplace_back(provider.height, 0);
  }
  std::vector<uint64_t> heights;
  for (const LookupTable& table : tables_)
    heights.push_back(tableHeight(circuit_.tables(table.table)));
  std::vector<Block> blocks = blocksOf(heights);
  std::vector<BusCounts> found(blocks.size());
  pool.parallelFor(blocks.size(), [&](uint64_t index, int worker) {
    const Block& block = blocks[index];
    const LookupTable& table = tables_[block.table];
    RowEvaluator(*table.program, columns, scalars)
        .run(block.first_row, block.rows,
             [&](size_t group, uint64_t first_row, size_t count,
                 absl::Span<const RootValues> roots) {
               countChunk(table, group, first_row, count, roots, rows, counts[worker],
                          found[index]);
             });
  });

  BusCounts result;
  for (size_t p = 0; p < providers_.size(); ++p) {
    std::vector<uint32_t> total = std::move(counts[0][p]);
    for (size_t worker = 1; worker < counts.size(); ++worker) {
      for (size_t i = 0; i < total.size(); ++i) {
        total[i] =
            (M31::fromCanonical(total[i]) + M31::fromCanonical(counts[worker][p][i])).value();
      }
    }
    result.providers.push_back({providers_[p].table, providers_[p].lookup, std::move(total)});
  }
  for (BusCounts& block : found) {
    result.missing_total += block.missing_total;
    std::move(block.missing.begin(), block.missing.end(), std::back_inserter(result.missing));
  }
  std::stable_sort(result.missing.begin(), result.missing.end(),
                   [](const MissingTuple& a, const MissingTuple& b) {
                     return std::tie(a.table, a.lookup, a.row) < std::tie(b.table, b.lookup, b.row);
                   });
  if (result.missing.size() > options_.max_missing) result.missing.resize(options_.max_missing);
  return result;
}

}  // namespace lindero::runtime
