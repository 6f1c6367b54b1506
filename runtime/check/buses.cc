#include "runtime/check/buses.h"

#include <array>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/eval/describe.h"

namespace lindero::runtime {
namespace {

// Beyond so many misplaced tuples they are not matched with each other any more: the bus is wrong
// either way.
constexpr size_t kMaxMissing = size_t{1} << 20;

using TupleKey = std::vector<std::array<uint32_t, 4>>;

TupleKey keyOf(absl::Span<const QM31> tuple) {
  TupleKey key;
  for (const QM31& value : tuple) key.push_back(value.limbs());
  return key;
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
  for (int t = 0; t < circuit.tables_size(); ++t) {
    for (const Lookup& lookup : circuit.tables(t).lookups()) {
      if (!lookup.provide()) continue;
      RootGroup roots(lookup.tuple().begin(), lookup.tuple().end());
      roots.insert(roots.begin(), lookup.multiplicity());
      providers_.push_back(
          std::make_unique<RowProgram>(circuit, info, t, absl::MakeConstSpan(&roots, 1)));
    }
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
