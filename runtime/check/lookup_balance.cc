#include "runtime/check/lookup_balance.h"

#include <algorithm>

#include "runtime/check/challenges.h"

namespace lindero::runtime {
namespace {

constexpr uint64_t kTupleSeed = 0x7475706c65;  // any that differs from callers' seeds

bool isLookup(const CircuitPart& part) { return part.kind == CircuitPart::Kind::kLookup; }

}  // namespace

LookupBalance::Key LookupBalance::Provider::keyOf(absl::Span<const QM31> tuple) const {
  return {definition->has_selector() ? tuple[definition->selector()].limb(0) : 0,
          tuple[definition->key()].limb(0)};
}

std::optional<uint64_t> LookupBalance::Provider::expected(const Key& key) const {
  if (key.first >= static_cast<uint32_t>(definition->offsets_size())) return std::nullopt;
  int64_t offset = definition->offsets(static_cast<int>(key.first));
  int64_t row = offset + M31::fromCanonical(key.second).centered();
  if (offset == kNotHere || row < 0 || row >= static_cast<int64_t>(height)) return std::nullopt;
  return static_cast<uint64_t>(row);
}

LookupBalance::LookupBalance(ChangedCells& cells)
    : cells_(cells), parts_(cells.index().parts().size()) {
  uint32_t width = 0;
  for (const Bus& bus : cells.package().circuit().buses()) width = std::max(width, bus.width());
  challenges_ = drawChallenges(kTupleSeed, width + 1);
  prepareTerms();
  prepareProviders();
  preparePlaces();
}

// Of a lookup's values: multiplicity, then the tuple.
QM31 LookupBalance::denominator(absl::Span<const QM31> values) const {
  QM31 denominator = challenges_[0];
  for (size_t k = 1; k < values.size(); ++k) denominator += challenges_[k] * values[k];
  return denominator;
}

void LookupBalance::prepareTerms() {
  for (uint32_t p = 0; p < parts_.size(); ++p) {
    if (!isLookup(cells_.part(p))) continue;
    const Lookup& lookup = cells_.lookup(p);
    std::vector<QM31>& terms = parts_[p].honest;
    std::vector<QM31> multiplicities;
    cells_.evaluateAll(p, [&](size_t, absl::Span<const QM31> values) {
      terms.push_back(denominator(values));
      multiplicities.push_back(lookup.provide() ? -values[0] : values[0]);
    });
    batchInverse(absl::MakeSpan(terms));
    for (size_t row = 0; row < terms.size(); ++row) terms[row] *= multiplicities[row];
  }
}

void LookupBalance::prepareProviders() {
  const Circuit& circuit = cells_.package().circuit();
  const CircuitInfo& info = cells_.package().circuitInfo();
  std::vector<std::vector<bool>> compared(circuit.buses_size());
  for (int b = 0; b < circuit.buses_size(); ++b) compared[b].assign(circuit.buses(b).width(), true);
  for (uint32_t p = 0; p < parts_.size(); ++p) {
    if (!isLookup(cells_.part(p))) continue;
    const Lookup& lookup = cells_.lookup(p);
    for (int k = 0; k < lookup.tuple_size(); ++k) {
      if (info.nodes[lookup.tuple(k)].extension) compared[lookup.bus()][k] = false;
    }
    if (!lookup.provide()) continue;
    providers_.push_back({&lookup, cells_.part(p).table, tableHeight(cells_.tableOf(p)), p});
  }
  for (Provider& provider : providers_) {
    provider.compared = compared[provider.definition->bus()];
    std::vector<Key> keys;
    cells_.evaluateAll(provider.part, [&](size_t, absl::Span<const QM31> values) {
      keys.push_back(provider.keyOf(values.subspan(1)));
    });
    for (uint64_t row = 0; row < provider.height; ++row) {
      std::optional<uint64_t> place = provider.expected(keys[row]);
      if (!place || keys[*place] != keys[row]) provider.displaced.try_emplace(keys[row], row);
    }
    provider.changed.assign(provider.height, 0);
  }
}

void LookupBalance::preparePlaces() {
  for (uint32_t p = 0; p < parts_.size(); ++p) {
    if (!isLookup(cells_.part(p)) || cells_.lookup(p).provide()) continue;
    std::vector<Place>& places = parts_[p].places;
    places.assign(tableHeight(cells_.tableOf(p)), kNowhere);
    cells_.evaluateAll(p, [&](size_t row, absl::Span<const QM31> values) {
      if (values[0].isZero()) return;
      places[row] = findTuple(cells_.lookup(p).bus(), values.subspan(1));
    });
  }
}

QM31 LookupBalance::delta(uint32_t part) {
  const Lookup& lookup = cells_.lookup(part);
  const std::vector<uint64_t>& rows = cells_.rows(part);
  numerators_.clear();
  denominators_.clear();
  cells_.evaluate(part, rows, [&](size_t, absl::Span<const QM31> values) {
    numerators_.push_back(lookup.provide() ? -values[0] : values[0]);
    denominators_.push_back(denominator(values));
  });
  batchInverse(absl::MakeSpan(denominators_));
  QM31 sum;
  for (size_t i = 0; i < numerators_.size(); ++i) {
    sum += numerators_[i] * denominators_[i] - parts_[part].honest[rows[i]];
  }
  return sum;
}

LookupBalance::Place LookupBalance::findTuple(uint32_t bus, absl::Span<const QM31> tuple) {
  for (uint32_t i = 0; i < providers_.size(); ++i) {
    const Provider& provider = providers_[i];
    if (provider.definition->bus() != bus) continue;
    const Key key = provider.keyOf(tuple);
    absl::Span<const QM31> found;
    auto provides = [&](uint64_t row) {
      found = cells_.at(provider.part, row).subspan(1);
      return provider.keyOf(found) == key;
    };
    std::optional<uint64_t> place = provider.expected(key);
    if (!place || !provides(*place)) {
      auto it = provider.displaced.find(key);
      if (it == provider.displaced.end()) continue;
      place = it->second;
      provides(*place);
    }
    bool same = true;
    for (size_t k = 0; k < tuple.size(); ++k) {
      same &= !provider.compared[k] || found[k] == tuple[k];
    }
    if (same) return {i, static_cast<uint32_t>(*place)};
  }
  return kNowhere;
}

void LookupBalance::count(const Place& place, M31 delta, std::vector<CellChange>& changes) {
  Provider& provider = providers_[place.provider];
  const uint32_t column = provider.definition->multiplicity_column();
  uint32_t& at = provider.changed[place.row];
  if (at == 0) {
    changes.push_back(
        {provider.table, column, place.row, cells_.mainCell(provider.table, column, place.row)});
    at = static_cast<uint32_t>(changes.size());
  }
  uint32_t& multiplicity = changes[at - 1].value;
  multiplicity = (M31::fromCanonical(multiplicity) + delta).value();
}

std::vector<LookupBalance::Touched> LookupBalance::countTouched(uint32_t except,
                                                                std::vector<CellChange>& changes) {
  std::vector<Touched> touched;
  std::vector<uint32_t> parts = cells_.takeOthers();
  std::sort(parts.begin(), parts.end());
  for (uint32_t p : parts) {
    if (p != except && !parts_[p].places.empty()) {
      bool missing = false;
      cells_.evaluate(p, cells_.rows(p), [&](size_t, absl::Span<const QM31> values) {
        const M31 multiplicity = M31::fromCanonical(values[0].limb(0));
        if (multiplicity.value() == 0) return;
        const Place place = findTuple(cells_.lookup(p).bus(), values.subspan(1));
        if (place.provider == kNowhere.provider) {
          missing = true;
        } else {
          count(place, multiplicity, changes);
        }
      });
      if (missing) missing_.push_back(p);
      touched.emplace_back(p, cells_.rows(p));
    }
    cells_.clearRows(p);
  }
  return touched;
}

std::vector<CellChange> LookupBalance::withMultiplicities(absl::Span<const CellChange> changes,
                                                          uint32_t except) {
  std::vector<CellChange> result(changes.begin(), changes.end());
  missing_.clear();
  for (const CellChange& change : changes) cells_.write(change);
  const std::vector<Touched> touched = countTouched(except, result);
  cells_.undo();
  // What they looked up before.
  for (const auto& [p, rows] : touched) {
    const std::vector<Place>& places = parts_[p].places;
    cells_.evaluate(p, rows, [&, &rows = rows](size_t i, absl::Span<const QM31> values) {
      const Place& place = places[rows[i]];
      if (place.provider == kNowhere.provider) return;
      count(place, -M31::fromCanonical(values[0].limb(0)), result);
    });
  }
  for (size_t i = changes.size(); i < result.size(); ++i) {
    for (Provider& provider : providers_) {
      if (provider.table == result[i].table &&
          provider.definition->multiplicity_column() == result[i].column) {
        provider.changed[result[i].row] = 0;
      }
    }
  }
  return result;
}

bool LookupBalance::provideTheSame(uint32_t table, uint32_t column, uint64_t row, uint64_t other) {
  for (const Provider& provider : providers_) {
    if (provider.table != table || provider.definition->multiplicity_column() != column) continue;
    absl::Span<const QM31> values = cells_.at(provider.part, row).subspan(1);
    const std::vector<QM31> tuple(values.begin(), values.end());
    return cells_.at(provider.part, other).subspan(1) == absl::MakeConstSpan(tuple);
  }
  return false;
}

}  // namespace lindero::runtime
