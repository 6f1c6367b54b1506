// Whether what changed rows look up and provide still balances, bus by bus, and which
// multiplicities would make it balance.
//
// A lookup's term is multiplicity / (z - sum_k alpha^k tuple_k), a provider's the negative, under
// random z and alpha that are nobody's: a changed row costs its own term. Memory: a field element
// per lookup and row.
#ifndef LINDERO_RUNTIME_CHECK_LOOKUP_BALANCE_H_
#define LINDERO_RUNTIME_CHECK_LOOKUP_BALANCE_H_

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "runtime/check/changed_cells.h"

namespace lindero::runtime {

class LookupBalance {
 public:
  // `cells` is as accepted, and must outlive this.
  explicit LookupBalance(ChangedCells& cells);

  // By how much the touched rows of a lookup (a part) change the sum of its bus.
  QM31 delta(uint32_t part);

  // The changes, and those of the multiplicities that make as many of the changed rows' lookups
  // balance as possible: what looked up a row of a provider and does not any more, or does now.
  // Those of the part `except` are not counted. The cells are as accepted before and after.
  std::vector<CellChange> withMultiplicities(absl::Span<const CellChange> changes, uint32_t except);
  // Of the last call: parts with a changed row that looks up what nobody provides, ascending.
  absl::Span<const uint32_t> missing() const { return missing_; }

  // Whether the column holds multiplicities, and both rows provide one tuple.
  bool provideTheSame(uint32_t table, uint32_t column, uint64_t row, uint64_t other);

 private:
  // Of a provider: selector and key (see Lookup), by which a row is found.
  using Key = std::pair<uint32_t, uint32_t>;
  struct Provider {
    const Lookup* definition;
    uint32_t table;
    uint64_t height;
    uint32_t part;
    std::vector<bool> compared = {};  // per component: both sides read phases 0 and 1 only
    // Rows that do not stand where the offsets say.
    std::map<Key, uint64_t> displaced = {};
    std::vector<uint32_t> changed = {};  // by row: place of its multiplicity among changes, plus 1

    Key keyOf(absl::Span<const QM31> tuple) const;
    std::optional<uint64_t> expected(const Key& key) const;
  };
  // Where a tuple stands: provider and row.
  struct Place {
    uint32_t provider;
    uint32_t row;
  };
  static constexpr Place kNowhere{~uint32_t{0}, 0};
  struct PartTerms {
    std::vector<QM31> honest = {};   // the terms of all rows
    std::vector<Place> places = {};  // where the tuples of all rows stand; of a provider none
  };
  // A touched lookup and its rows.
  using Touched = std::pair<uint32_t, std::vector<uint64_t>>;

  void prepareTerms();
  void prepareProviders();
  void preparePlaces();
  QM31 denominator(absl::Span<const QM31> values) const;
  Place findTuple(uint32_t bus, absl::Span<const QM31> tuple);
  void count(const Place& place, M31 delta, std::vector<CellChange>& changes);
  // What the changed rows look up now.
  std::vector<Touched> countTouched(uint32_t except, std::vector<CellChange>& changes);

  ChangedCells& cells_;
  std::vector<PartTerms> parts_;  // by part; empty unless it is a lookup
  std::vector<Provider> providers_;
  std::vector<QM31> challenges_;
  std::vector<uint32_t> missing_;
  std::vector<QM31> numerators_, denominators_;  // of the rows of a part
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_LOOKUP_BALANCE_H_
