#include "runtime/check/buses.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/eval/describe.h"

namespace lindero::runtime {
namespace {

// With more misplaced tuples than this, they are not matched with each other any more: the bus is
// wrong either way.
constexpr size_t kMaxMissing = size_t{1} << 20;

using TupleKey = std::vector<std::array<uint32_t, 4>>;

TupleKey keyOf(absl::Span<const QM31> tuple) {
  TupleKey key;
  for (const QM31& value : tuple) key.push_back(value.limbs());
  return key;
}

uint64_t hashOf(absl::Span<const QM31> tuple) {
  uint64_t hash = 0;
  for (const QM31& value : tuple) {
    for (uint32_t limb : value.limbs()) {
      hash = (hash ^ limb) * 0x9e3779b97f4a7c15;
      hash ^= hash >> 29;
    }
  }
  return hash * 0xbf58476d1ce4e5b9;
}

// A tuple that is looked up `surplus` times more than provided, and where that shows.
struct Imbalance {
  M31 surplus;
  uint32_t table = 0;
  uint64_t row = 0;
  std::string where;
};

}  // namespace

BusChecker::BusChecker(const Circuit& circuit, const CircuitInfo& info)
    : circuit_(circuit),
      counter_(circuit, info, {.extension_components = true, .max_missing = kMaxMissing}) {
  const std::vector<bool> tagged = taggedBuses(circuit);
  for (int t = 0; t < circuit.tables_size(); ++t) {
    Tagged of{static_cast<uint32_t>(t), {}, nullptr};
    std::vector<RootGroup> groups;
    for (int i = 0; i < circuit.tables(t).lookups_size(); ++i) {
      const Lookup& lookup = circuit.tables(t).lookups(i);
      RootGroup roots(lookup.tuple().begin(), lookup.tuple().end());
      roots.insert(roots.begin(), lookup.multiplicity());
      if (tagged[lookup.bus()]) {
        groups.push_back(std::move(roots));
        of.lookups.push_back(static_cast<uint32_t>(i));
      }
      if (!lookup.provide()) continue;
      providers_.push_back(
          std::make_unique<RowProgram>(circuit, info, t, absl::MakeConstSpan(&roots, 1)));
    }
    if (groups.empty()) continue;
    of.program = std::make_unique<RowProgram>(circuit, info, t, groups);
    tagged_.push_back(std::move(of));
  }
}

void BusChecker::forEachTagged(const Columns& columns, const Scalars& scalars,
                               VisitTagged visit) const {
  std::vector<QM31> tuple;
  for (const Tagged& of : tagged_) {
    const Table& table = circuit_.tables(static_cast<int>(of.table));
    RowEvaluator(*of.program, columns, scalars)
        .run(
            0, tableHeight(table),
            [&](size_t group, uint64_t first_row, size_t rows, absl::Span<const RootValues> roots) {
              const Lookup& lookup = table.lookups(static_cast<int>(of.lookups[group]));
              for (size_t i = 0; i < rows; ++i) {
                const M31 multiplicity = M31::fromCanonical(roots[0].baseAt(i));
                if (multiplicity.isZero()) continue;
                tuple.clear();
                for (const RootValues& component : roots.subspan(1)) {
                  tuple.push_back(component.at(i));
                }
                visit(of, lookup, first_row + i, multiplicity, tuple);
              }
            });
  }
}

std::vector<Failure> BusChecker::check(const Columns& columns, const Scalars& scalars,
                                       ThreadPool& pool, size_t examples) const {
  BusCounts counts = counter_.count(columns, scalars, pool);
  // Per bus; only what does not balance row by row gets here.
  std::vector<std::map<TupleKey, Imbalance>> imbalances(circuit_.buses_size());
  auto note = [&](uint32_t bus, absl::Span<const QM31> tuple, M31 surplus, uint32_t table,
                  uint64_t row, const std::string& where) {
    auto [it, fresh] =
        imbalances[bus].try_emplace(keyOf(tuple), Imbalance{M31(), table, row, where});
    it->second.surplus += surplus;
  };
  for (const MissingTuple& missing : counts.missing) {
    const Lookup& lookup =
        circuit_.tables(static_cast<int>(missing.table)).lookups(static_cast<int>(missing.lookup));
    note(lookup.bus(), missing.tuple, missing.multiplicity, missing.table, missing.row,
         lookup.name());
  }
  for (size_t p = 0; p < counts.providers.size(); ++p) {
    const ProviderCounts& provider = counts.providers[p];
    const Table& table = circuit_.tables(static_cast<int>(provider.table));
    const Lookup& lookup = table.lookups(static_cast<int>(provider.lookup));
    std::vector<QM31> tuple;
    RowEvaluator(*providers_[p], columns, scalars)
        .run(0, tableHeight(table),
             [&](size_t, uint64_t first_row, size_t rows, absl::Span<const RootValues> roots) {
               for (size_t i = 0; i < rows; ++i) {
                 uint32_t provided = roots[0].baseAt(i), counted = provider.counts[first_row + i];
                 if (provided == counted) continue;
                 tuple.clear();
                 for (const RootValues& component : roots.subspan(1))
                   tuple.push_back(component.at(i));
                 note(lookup.bus(), tuple,
                      M31::fromCanonical(counted) - M31::fromCanonical(provided), provider.table,
                      first_row + i, lookup.name());
               }
             });
  }

  // Of a bus that balances, which is most often, nothing but a sum of hashes is kept.
  std::vector<uint64_t> sums(circuit_.buses_size(), 0);
  forEachTagged(columns, scalars,
                [&](const Tagged&, const Lookup& lookup, uint64_t, M31 multiplicity,
                    absl::Span<const QM31> tuple) {
                  sums[lookup.bus()] +=
                      static_cast<uint64_t>(multiplicity.centered()) * hashOf(tuple);
                });
  if (std::any_of(sums.begin(), sums.end(), [](uint64_t sum) { return sum != 0; })) {
    forEachTagged(columns, scalars,
                  [&](const Tagged& of, const Lookup& lookup, uint64_t row, M31 multiplicity,
                      absl::Span<const QM31> tuple) {
                    if (sums[lookup.bus()] == 0) return;
                    note(lookup.bus(), tuple, multiplicity, of.table, row, lookup.name());
                  });
  }

  std::map<std::pair<uint32_t, uint32_t>, Failure> failures;  // bus, table
  for (uint32_t bus = 0; bus < imbalances.size(); ++bus) {
    for (const auto& [key, imbalance] : imbalances[bus]) {
      if (imbalance.surplus.isZero()) continue;
      const Table& table = circuit_.tables(static_cast<int>(imbalance.table));
      Failure& failure = failures[{bus, imbalance.table}];
      failure.kind = Failure::Kind::kBus;
      failure.table = table.name();
      failure.name = circuit_.buses(static_cast<int>(bus)).name();
      ++failure.rows;
      if (failure.examples.size() >= examples) continue;
      std::vector<QM31> tuple;
      for (const auto& limbs : key) tuple.push_back(QM31::fromLimbs(limbs));
      int64_t surplus = imbalance.surplus.centered();
      FailureExample example;
      example.row = imbalance.row;
      if (const Instance* instance = findInstance(table, imbalance.row)) {
        example.node = instance->node();
        example.region = instance->region();
      }
      example.detail = absl::StrCat(imbalance.where, " ", describeTuple(tuple), " is looked up ",
                                    surplus > 0 ? surplus : -surplus, " times ",
                                    surplus > 0 ? "more" : "less", " than it is provided");
      failure.examples.push_back(std::move(example));
    }
  }
  std::vector<Failure> result;
  for (auto& [key, failure] : failures) result.push_back(std::move(failure));
  return result;
}

}  // namespace lindero::runtime
