#include "runtime/tamper/adaptive/late_poles.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "runtime/eval/describe.h"
#include "runtime/eval/scalars.h"
#include "runtime/package/circuit_access.h"
#include "runtime/package/status_macros.h"

namespace lindero::runtime {
namespace {

constexpr size_t kMaxShared = 1000;

using CellKey = std::tuple<uint32_t, uint32_t, uint64_t>;      // table, column, row
using PoleKey = std::pair<uint32_t, std::array<uint32_t, 4>>;  // group, the denominator up to sign

struct Contribution {
  PoleKey pole;
  CellKey cell;
  QM31 coefficient;
  bool usable;  // a parameter with a coefficient over fixed columns
};

// A fraction under a late challenge that has the form that binds.
struct Binding {
  SingleFraction fraction;
  uint32_t group;
  struct Read {
    Leaf leaf;
    uint32_t derivative;
  };
  std::vector<Read> reads;  // of the phase's columns
};

// Looks for binding fractions, and for what spoils their challenges.
class BindingSearch {
 public:
  BindingSearch(Derivatives& derivatives, const std::vector<bool>& linked,
                const Peeling* const phases[4], uint32_t phase)
      : derivatives_(derivatives),
        linked_(linked),
        circuit_(derivatives.circuit()),
        phases_(phases),
        phase_(phase) {}

  std::vector<Binding> run() {
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      for (int c = firstColumnOfPhase(circuit_.tables(t), 2); c < circuit_.tables(t).columns_size();
           ++c) {
        readColumn(static_cast<uint32_t>(t), static_cast<uint32_t>(c));
      }
    }
    for (const PublicTensor& tensor : circuit_.publics()) {
      for (uint32_t c :
           {tensor.address_challenge(), tensor.row_challenge(), tensor.column_challenge()}) {
        spoil(c, absl::StrCat("public tensor ", tensor.name(), " has its challenge"));
      }
    }
    for (int t = 0; t < circuit_.tables_size(); ++t) readConstraints(static_cast<uint32_t>(t));
    std::vector<Binding> good;
    for (auto& [challenge, bindings] : found_) {
      if (spoilt_.contains(challenge)) continue;
      for (Binding& b : bindings) good.push_back(std::move(b));
    }
    return good;
  }

  // By challenge.
  const std::map<uint32_t, std::string>& spoilt() const { return spoilt_; }
  const std::map<Place, std::set<uint32_t>>& readers() const { return readers_; }

 private:
  bool isLate(const Leaf& leaf) const {
    return leaf.kind == Leaf::Kind::kChallenge &&
           circuit_.challenges(static_cast<int>(leaf.index)).phase() >= phase_;
  }
  void spoil(uint32_t challenge, std::string why) {
    if (circuit_.challenges(static_cast<int>(challenge)).phase() < phase_) return;
    spoilt_.try_emplace(challenge, std::move(why));
  }
  void spoilAll(uint32_t node, const std::string& why) {
    for (const Leaf& leaf : derivatives_.leaves(node)) {
      if (isLate(leaf)) spoil(leaf.index, why);
    }
  }

  void readColumn(uint32_t table, uint32_t c) {
    const Column& column = columnOf(circuit_, table, c);
    const std::string name = describeColumn(circuit_, table, c);
    if (!column.has_fraction()) {
      for (uint32_t node : generatorNodes(column)) spoilAll(node, absl::StrCat(name, " reads it"));
      return;
    }
    if (column.fraction().running())
      spoilAll(column.fraction().add(), absl::StrCat(name, " adds it"));
    for (const SingleFraction& f : singleFractions(circuit_, {table, c})) readFraction(f, name);
  }

  void readFraction(const SingleFraction& f, const std::string& name) {
    spoilAll(f.numerator, absl::StrCat("a numerator of ", name, " reads it"));
    std::vector<uint32_t> late;
    bool alone = true;
    for (const Leaf& leaf : derivatives_.leaves(f.denominator)) {
      if (isLate(leaf))
        late.push_back(leaf.index);
      else
        alone &= leaf.kind == Leaf::Kind::kColumn;
    }
    if (late.empty()) return;
    for (const Leaf& leaf : derivatives_.leaves(f.numerator)) {
      if (leaf.kind == Leaf::Kind::kColumn) {
        for (uint32_t c : late) readers_[{f.column.table, leaf.index}].insert(c);
      }
    }
    const std::string why = whyNot(f, late, alone);
    if (!why.empty()) {
      for (uint32_t c : late) spoil(c, absl::StrCat(name, ": ", why));
      return;
    }
    Binding binding{f, *groupOf(derivatives_, f.column.table, f.column.column), {}};
    for (const auto& [leaf, node] : derivatives_.of(f.numerator, [&](const Leaf& leaf) {
           return leaf.kind == Leaf::Kind::kColumn &&
                  columnOf(circuit_, f.column.table, leaf.index).phase() == phase_;
         })) {
      binding.reads.push_back({leaf, node});
    }
    challenges_[{f.column.table, f.column.column}].insert(late[0]);
    found_[late[0]].push_back(std::move(binding));
  }

  // Why a fraction under late challenges binds nothing; empty: it does.
  std::string whyNot(const SingleFraction& f, const std::vector<uint32_t>& late, bool alone) {
    const CircuitInfo& info = derivatives_.info();
    if (late.size() > 1 || !alone || info.nodes[f.denominator].phase > 0) {
      return "its denominator reads more than one challenge and fixed columns";
    }
    const Leaf leaf{Leaf::Kind::kChallenge, late[0], 0};
    const auto of = derivatives_.of(f.denominator, [&](const Leaf& l) { return l == leaf; });
    if (of.size() != 1 || !(derivatives_.isConstant(of.begin()->second, 1) ||
                            derivatives_.isConstant(of.begin()->second, kModulus - 1))) {
      return "its denominator is no pole";
    }
    const NodeInfo& n = info.nodes[f.numerator];
    if (n.phase > phase_ || n.claimed_sum_phase > phase_) return "its numerator is committed later";
    const auto group = groupOf(derivatives_, f.column.table, f.column.column);
    if (!group) return "it ends in no sum";
    if (linked_[*group]) return "its sum goes on in another block";
    return "";
  }

  // A constraint that reads a late challenge, or a column that has poles in it, says that column,
  // or the sum that adds it.
  void readConstraints(uint32_t t) {
    const Table& table = tableOf(circuit_, t);
    for (int i = 0; i < table.constraints_size(); ++i) {
      int own = -1;
      for (uint32_t p = phase_ + 1; own < 0 && p <= 3; ++p) {
        own = phases_[p]->columnOf(t, static_cast<uint32_t>(i));
      }
      const std::string why =
          absl::StrCat("constraint ", table.name(), ".", table.constraints(i).name(), " reads it");
      for (const Leaf& leaf : derivatives_.leaves(table.constraints(i).node())) {
        if (isLate(leaf)) {
          auto it = own < 0 ? challenges_.end() : challenges_.find({t, static_cast<uint32_t>(own)});
          if (it == challenges_.end() || !it->second.contains(leaf.index)) {
            // Constraints of the lookups under other late challenges read those.
            if (found_.contains(leaf.index)) spoil(leaf.index, why);
          }
        }
        if (leaf.kind != Leaf::Kind::kColumn) continue;
        auto it = challenges_.find({t, leaf.index});
        if (it == challenges_.end() || (own >= 0 && static_cast<uint32_t>(own) == leaf.index)) {
          continue;
        }
        if (own >= 0 && adds(table.columns(own), leaf)) continue;
        for (uint32_t c : it->second) spoil(c, why);
      }
    }
  }

  bool adds(const Column& sum, const Leaf& leaf) {
    if (!sum.has_fraction() || !sum.fraction().running()) return false;
    const auto of = derivatives_.of(sum.fraction().add(), [&](const Leaf& l) { return l == leaf; });
    if (of.size() != 1 || !derivatives_.isConstant(of.begin()->second, 1)) return false;
    for (uint32_t node : {sum.fraction().numerator(), sum.fraction().denominator()}) {
      if (derivatives_.reads(node, leaf)) return false;
    }
    return true;
  }

  Derivatives& derivatives_;
  const std::vector<bool>& linked_;
  const Circuit& circuit_;
  const Peeling* const* phases_;
  uint32_t phase_;
  std::map<uint32_t, std::vector<Binding>> found_;  // by challenge
  std::map<Place, std::set<uint32_t>> challenges_;  // that a fraction column has poles in
  std::map<uint32_t, std::string> spoilt_;
  std::map<Place, std::set<uint32_t>> readers_;  // challenges of fractions that read a column
};

// Solves the poles' equations.
class PoleSystem {
 public:
  PoleSystem(Derivatives& derivatives, const Peeling& peeling, const Witness& filled,
             ThreadPool& pool)
      : derivatives_(derivatives),
        circuit_(derivatives.circuit()),
        peeling_(peeling),
        filled_(filled),
        pool_(pool) {
    result_.open = peeling.parameters;
  }

  absl::Status read(const std::vector<Binding>& bindings) {
    Scalars scalars(circuit_, derivatives_.info());
    LINDERO_RETURN_IF_ERROR(scalars.advance(3, filled_.challenges, filled_.claimed_sums));
    moving_ = dependents(circuit_, peeling_, peeling_.parameters);
    for (const Binding& b : bindings) readBinding(b, scalars);
    std::sort(contributions_.begin(), contributions_.end(),
              [](const Contribution& a, const Contribution& b) {
                return std::tie(a.pole, a.cell) < std::tie(b.pole, b.cell);
              });
    for (size_t i = 0; i < contributions_.size(); ++i) {
      poles_[contributions_[i].pole].push_back(i);
    }
    result_.poles = poles_.size();
    return absl::OkStatus();
  }

  LatePoles solve() {
    while (bindAlone() || bindShared()) {
    }
    return std::move(result_);
  }

 private:
  void readBinding(const Binding& b, const Scalars& scalars) {
    RootGroup roots{b.fraction.denominator};
    std::vector<const Binding::Read*> reads;
    for (const Binding::Read& read : b.reads) {
      const Place place{b.fraction.column.table, read.leaf.index};
      if (!peeling_.parameters.contains(place) && !moving_.contains(place)) continue;
      reads.push_back(&read);
      roots.push_back(read.derivative);
    }
    if (reads.empty()) return;
    RowProgram program(circuit_, derivatives_.info(), b.fraction.column.table,
                       absl::MakeConstSpan(&roots, 1));
    std::mutex mutex;
    forAllRows(circuit_, program, *filled_.columns, scalars, pool_,
               [&](size_t, uint64_t first, size_t rows, absl::Span<const RootValues> values) {
                 std::lock_guard<std::mutex> lock(mutex);
                 for (size_t k = 0; k < reads.size(); ++k) {
                   for (size_t i = 0; i < rows; ++i) {
                     add(b, *reads[k], first + i, values[0].at(i), values[k + 1].at(i));
                   }
                 }
               });
  }

  void add(const Binding& b, const Binding::Read& read, uint64_t row, const QM31& denominator,
           const QM31& derivative) {
    if (derivative.isZero()) return;
    const uint32_t t = b.fraction.column.table;
    const uint64_t at = rowAt(row, read.leaf.offset, tableHeight(tableOf(circuit_, t)));
    const Place place{t, read.leaf.index};
    auto in = [&](const std::map<Place, RowMask>& masks) {
      auto it = masks.find(place);
      return it != masks.end() && it->second[at] != 0;
    };
    const bool parameter = in(peeling_.parameters);
    if (!parameter && !in(moving_)) return;
    const NodeInfo& info = derivatives_.info().nodes[read.derivative];
    const bool negated = (-denominator).limbs() < denominator.limbs();
    contributions_.push_back({{b.group, negated ? (-denominator).limbs() : denominator.limbs()},
                              {t, read.leaf.index, at},
                              negated ? -derivative : derivative,
                              parameter && info.phase == 0 && info.claimed_sum_phase == 0});
  }

  bool isOpen(const CellKey& cell) const {
    auto it = result_.open.find({std::get<0>(cell), std::get<1>(cell)});
    return it != result_.open.end() && it->second[std::get<2>(cell)] != 0;
  }
  void close(const CellKey& cell) {
    result_.open[{std::get<0>(cell), std::get<1>(cell)}][std::get<2>(cell)] = 0;
    ++result_.bound;
  }

  // The pole's unknowns with their coefficients; false: it reads what moves with others.
  bool unknowns(const std::vector<size_t>& pole, std::map<CellKey, QM31>& cells) const {
    for (size_t i : pole) {
      const Contribution& c = contributions_[i];
      const bool open = isOpen(c.cell);
      if (open && c.usable) {
        cells[c.cell] += c.coefficient;
      } else if (open || moves(c.cell)) {
        return false;
      }
    }
    std::erase_if(cells, [](const auto& entry) { return entry.second.isZero(); });
    return true;
  }
  bool moves(const CellKey& cell) const {
    auto it = moving_.find({std::get<0>(cell), std::get<1>(cell)});
    return it != moving_.end() && it->second[std::get<2>(cell)] != 0;
  }

  bool bindAlone() {
    bool changed = false;
    for (const auto& [key, pole] : poles_) {
      std::map<CellKey, QM31> cells;
      if (used_.contains(key) || !unknowns(pole, cells) || cells.size() != 1) continue;
      close(cells.begin()->first);
      used_.insert(key);
      changed = true;
    }
    if (changed) moving_ = dependents(circuit_, peeling_, result_.open);
    return changed;
  }

  // Of several unknowns, the last one follows the others, which are free.
  bool bindShared() {
    bool changed = false;
    for (const auto& [key, pole] : poles_) {
      std::map<CellKey, QM31> cells;
      if (used_.contains(key) || !unknowns(pole, cells) || cells.size() < 2) continue;
      const auto [follower, own] = *cells.rbegin();
      auto cell = [](const CellKey& k) {
        return Cell{std::get<0>(k), std::get<1>(k), std::get<2>(k)};
      };
      for (const auto& [other, coefficient] : cells) {
        if (other == follower || result_.shared.size() == kMaxShared) continue;
        result_.shared.push_back({cell(other), cell(follower), -(coefficient * own.inverse())});
      }
      used_.insert(key);
      close(follower);
      changed = true;
    }
    return changed;
  }

  Derivatives& derivatives_;
  const Circuit& circuit_;
  const Peeling& peeling_;
  const Witness& filled_;
  ThreadPool& pool_;
  LatePoles result_;
  std::map<Place, RowMask> moving_;
  std::vector<Contribution> contributions_;
  std::map<PoleKey, std::vector<size_t>> poles_;
  std::set<PoleKey> used_;  // an equation determines one cell
};

}  // namespace

absl::StatusOr<LatePoles> bindByLatePoles(Derivatives& derivatives, const std::vector<bool>& linked,
                                          const Peeling* const phases[4], uint32_t phase,
                                          const Witness& filled, ThreadPool& pool) {
  BindingSearch search(derivatives, linked, phases, phase);
  std::vector<Binding> bindings;
  if (phase < 3) bindings = search.run();
  PoleSystem system(derivatives, *phases[phase], filled, pool);
  LINDERO_RETURN_IF_ERROR(system.read(bindings));
  LatePoles result = system.solve();
  for (const auto& [place, open] : result.open) {
    auto it = search.readers().find(place);
    if (it == search.readers().end()) continue;
    for (uint32_t c : it->second) {
      auto spoilt = search.spoilt().find(c);
      if (spoilt == search.spoilt().end()) continue;
      result.why_not[place].insert(
          absl::StrCat("challenge ", derivatives.circuit().challenges(static_cast<int>(c)).name(),
                       " binds nothing: ", spoilt->second));
    }
  }
  return result;
}

}  // namespace lindero::runtime
