#include "passes/lower_air/lower_to_air/choose_layout.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

namespace lindero::passes {
namespace {

// Proofs and verification grow with the columns, the prover's time and memory with the cells. A
// column is worth a part of the cells, 1 / column_parts. A row of the tallest table is worth
// row_cells: more, the larger FRI's blowup is, which follows from what is preferred.
struct Worth {
  int64_t column_parts, row_cells;
};
Worth worthOf(Prefer prefer) {
  switch (prefer) {
    case Prefer::kSpeed:
      return {6400, 40};
    case Prefer::kBalance:
      return {1600, 60};
    case Prefer::kSize:
      return {400, 85};
  }
  return {};
}
// A fixed cell is committed once for all proofs; each sums it up a few times.
constexpr int64_t kFixedCellParts = 8;

// Of a layout with a table that is taller than the limit.
constexpr int64_t kTooTall = int64_t{1} << 56;
constexpr int64_t kNoLimit = INT64_MAX;

// Items of a kind, as if they stood in one table.
std::vector<Placed> placeAll(const TableKind& kind, const Layout& layout,
                             llvm::ArrayRef<size_t> items) {
  std::vector<Placed> placed;
  int64_t row = 0;
  for (size_t item : items) {
    placed.push_back({item, row, kind.rows(item, layout)});
    row += placed.back().rows;
  }
  return placed;
}

// Numbers of a family that turn out equal: those of lengths that do not restrict one another.
struct LaneGroup {
  std::vector<LaneId> ids;
  int64_t divided = 0;  // by the lanes, whatever they are: the greatest common divisor
  int64_t common = 0;   // of the lengths, too, where all rows are to be full
  int64_t longest = 0;  // line whose last row may be partial
  std::vector<int64_t> numbers = {};  // of lanes that may be chosen
  int64_t cost = 0;
};

int64_t greatestDivisor(int64_t of, int64_t most) {
  int64_t n = std::min(of, most);
  while (n > 1 && of % n != 0) --n;
  return of == 0 ? most : std::max<int64_t>(n, 1);
}

class LayoutSearch {
 public:
  LayoutSearch(const Wiring& wiring, llvm::ArrayRef<const TableKind*> kinds)
      : wiring_(wiring), kinds_(kinds), layout_(wiring) {
    const Worth worth = worthOf(wiring.options().prefer);
    for (const TableKind* kind : kinds_) {
      for (size_t item = 0; item < kind->items(); ++item) used_.insert(kind->lanes(item));
    }
    const llvm::ArrayRef<LaneRule> rules = wiring_.laneRules();
    for (LaneId id = kOneLane + 1; id < rules.size(); ++id) {
      std::vector<LaneGroup>& groups = groups_[rules[id].family];
      if (rules[id].family != id && used_.contains(id)) join(groups, id);
    }
    for (auto& [family, groups] : groups_) {
      // Of no length: the family's only number, or that of items which are as good with any.
      if (groups.empty()) groups.push_back(groupOf(family));
      for (LaneGroup& group : groups) group.numbers = numbersOf(group);
      if (groups.front().ids.front() == family) continue;
      llvm::max_element(groups, [](const LaneGroup& a, const LaneGroup& b) {
        return a.numbers.back() < b.numbers.back();
      })->ids.push_back(family);
    }
    costs_ = {estimateCells() / worth.column_parts, worth.row_cells};
  }

  absl::StatusOr<ChosenLayout> run() {
    absl::StatusOr<ChosenLayout> best = search(kNoLimit);
    if (!best.ok()) return best;
    for (int64_t limit = tallestOf(best->sizes) / 2;; limit /= 2) {
      absl::StatusOr<ChosenLayout> lower = search(limit);
      if (!lower.ok() || tallestOf(lower->sizes) > limit) return best;
      if (costs_.of(lower->sizes) < costs_.of(best->sizes)) best = std::move(lower);
    }
  }

 private:
  // With no table of more rows, if the items leave a choice.
  absl::StatusOr<ChosenLayout> search(int64_t tallest) {
    limits_ = {costs_.column, tallest};
    layout_ = Layout(wiring_);
    setMostLanes();
    // Those of gadgets made later first: they may pad what earlier ones hold.
    for (auto& [family, groups] : llvm::reverse(groups_)) {
      for (LaneGroup& group : groups) choose(group);
      if (!wiring_.options().widest) shareTables(groups);
    }
    for (const TableKind* kind : kinds_) layout_.setStacks(*kind, stack(*kind, itemsOf(*kind)));
    if (absl::Status s = layout_.address(); !s.ok()) return s;
    return ChosenLayout{layout_, limits_, measure(), costs_};
  }

  std::vector<TableSize> measure() const {
    CircuitBuilder counter;
    LookupTables tables;
    ConstantPlaces constants;
    AirLowering l{counter, tables, wiring_, layout_, constants};
    std::vector<TableSize> sizes;
    for (const TableKind* kind : kinds_) {
      for (const Stack& stack : layout_.stacks(*kind)) {
        TableBuilder table(counter, stack.name, stack.rows);
        kind->build(l, table, stack.items);
        sizes.push_back(table.size());
      }
    }
    llvm::append_range(sizes, tables.measure(limits_));
    return sizes;
  }

  LaneGroup groupOf(LaneId id) const {
    const LaneRule& rule = wiring_.laneRules()[id];
    LaneGroup group{.ids = {id}, .longest = rule.length};
    for (int64_t length : rule.lengths) group.divided = std::gcd(group.divided, length);
    group.common = std::gcd(group.divided, rule.length);
    return group;
  }

  // Joins the first group that leaves both at least half of the lanes that they could have: in full
  // rows, and of those that may be chosen.
  void join(std::vector<LaneGroup>& groups, LaneId id) const {
    const LaneGroup own = groupOf(id);
    auto most = [&](const LaneGroup& g) { return numbersOf(g).back(); };
    auto full = [&](const LaneGroup& g) {
      return greatestDivisor(g.common, wiring_.laneRules()[id].most);
    };
    for (LaneGroup& group : groups) {
      if (pinned(group) != pinned(own)) continue;
      LaneGroup both = group;
      both.ids.push_back(id);
      both.divided = std::gcd(group.divided, own.divided);
      both.common = std::gcd(group.common, own.common);
      both.longest = std::max(group.longest, own.longest);
      if (2 * full(both) < std::max(full(group), full(own))) continue;
      if (2 * most(both) < std::max(most(group), most(own))) continue;
      group = std::move(both);
      return;
    }
    groups.push_back(own);
  }

  // The one number that it may have: that of a link's tile, or of an option. 0: there are others.
  int64_t pinned(const LaneGroup& group) const {
    const LaneRule& rule = wiring_.laneRules()[group.ids.front()];
    return rule.least == rule.most ? rule.most : 0;
  }

  // Full rows, unless those are much shorter than rows may be.
  std::vector<int64_t> numbersOf(const LaneGroup& group) const {
    if (const int64_t lanes = pinned(group); lanes > 0) return {lanes};
    const LaneRule& rule = wiring_.laneRules()[group.ids.front()];
    const int64_t full = greatestDivisor(group.common, rule.most);
    const bool partial = wiring_.options().widest ? group.longest > 0
                                                  : group.longest > full && 2 * full <= rule.most;
    const int64_t divided = partial ? group.divided : group.common;
    std::vector<int64_t> numbers;
    for (int64_t n = rule.least; n <= rule.most; ++n) {
      if (rule.pads || divided % n == 0) numbers.push_back(n);
    }
    return numbers;
  }

  void setLanes(const LaneGroup& group, int64_t lanes) {
    for (LaneId id : group.ids) layout_.setLanes(id, lanes);
  }

  std::vector<size_t> itemsOf(const TableKind& kind) const {
    std::vector<size_t> items(kind.items());
    std::iota(items.begin(), items.end(), 0);
    return items;
  }
  std::vector<size_t> itemsOf(const TableKind& kind, const LaneGroup& group) const {
    std::vector<size_t> items;
    for (size_t item = 0; item < kind.items(); ++item) {
      if (llvm::is_contained(group.ids, kind.lanes(item))) items.push_back(item);
    }
    return items;
  }

  // Sorted by their lanes, the lanes of the first item first.
  std::vector<std::vector<size_t>> byLanes(const TableKind& kind,
                                           llvm::ArrayRef<size_t> items) const {
    std::vector<std::vector<size_t>> sorted;
    for (size_t item : items) {
      auto lanes = [&](size_t i) { return layout_.lanes(kind.lanes(i)); };
      auto same = llvm::find_if(sorted, [&](auto& s) { return lanes(s.front()) == lanes(item); });
      (same == sorted.end() ? sorted.emplace_back() : *same).push_back(item);
    }
    return sorted;
  }

  // Of a table of these items, which have the same lanes.
  const TableShape& shapeOf(const TableKind& kind, const std::vector<size_t>& items) {
    auto [it, made] = shapes_.try_emplace({&kind, layout_.lanes(kind.lanes(items.front())), items});
    if (made) it->second = measureTable(kind, wiring_, layout_, placeAll(kind, layout_, items));
    return it->second;
  }

  std::vector<int64_t> rowsOf(const TableKind& kind, llvm::ArrayRef<size_t> items) const {
    std::vector<int64_t> rows;
    for (size_t item : items) rows.push_back(kind.rows(item, layout_));
    return rows;
  }

  std::vector<Stack> stack(const TableKind& kind, llvm::ArrayRef<size_t> items) {
    std::vector<Stack> stacks;
    for (const std::vector<size_t>& alike : byLanes(kind, items)) {
      for (std::vector<size_t>& packed :
           packRows(rowsOf(kind, alike), shapeOf(kind, alike), limits_)) {
        for (size_t& item : packed) item = alike[item];
        Stack stack{.name = kind.name(), .items = placeAll(kind, layout_, packed)};
        if (!stacks.empty()) absl::StrAppend(&stack.name, "_", stacks.size());
        stack.rows = stack.items.back().first_row + stack.items.back().rows;
        stacks.push_back(std::move(stack));
      }
    }
    return stacks;
  }

  int64_t costOf(const TableKind& kind, llvm::ArrayRef<size_t> items) {
    int64_t cost = 0;
    for (const std::vector<size_t>& alike : byLanes(kind, items)) {
      const TableShape& shape = shapeOf(kind, alike);
      for (const Stack& table : stack(kind, alike)) {
        const int64_t height = heightOf(table.rows);
        cost += costs_.of(shape, height);
        if (height > limits_.tallest) return kTooTall;
      }
    }
    return cost;
  }

  // The rows of all items of the group.
  int64_t rowsOf(const LaneGroup& group) const {
    int64_t rows = 0;
    for (const TableKind* kind : kinds_) {
      for (size_t item : itemsOf(*kind, group)) rows += kind->rows(item, layout_);
    }
    return rows;
  }

  // The number with the least cost of the tables that hold items of the group, without others.
  void choose(LaneGroup& group) {
    int64_t chosen = group.numbers.back();
    group.cost = INT64_MAX;
    const bool pads = wiring_.laneRules()[group.ids.front()].pads;
    int64_t fewest_rows = INT64_MAX;
    const bool widest =
        wiring_.options().widest && !llvm::is_contained(group.ids, wiring_.weightLanes());
    for (int64_t lanes : group.numbers) {
      if (widest) break;
      setLanes(group, lanes);
      // More lanes would be padding.
      if (const int64_t rows = rowsOf(group); pads) {
        if (rows >= fewest_rows) continue;
        fewest_rows = rows;
      }
      int64_t cost = 0;
      for (const TableKind* kind : kinds_) cost += costOf(*kind, itemsOf(*kind, group));
      if (cost < group.cost) group.cost = cost, chosen = lanes;
    }
    setLanes(group, chosen);
  }

  // A group takes the lanes of another one where it costs less to stand in its tables than in some
  // of its own: in full rows; or in partial ones, if it is of items that are short or cannot fill
  // rows. The other group's lanes stay as they are.
  void shareTables(std::vector<LaneGroup>& groups) {
    std::vector<const LaneGroup*> by_cost;
    for (const LaneGroup& group : groups) by_cost.push_back(&group);
    llvm::stable_sort(by_cost, [](auto* a, auto* b) { return a->cost < b->cost; });
    auto lanesOf = [&](const LaneGroup* group) { return layout_.lanes(group->ids.front()); };
    for (const LaneGroup* group : by_cost) {
      if (pinned(*group) > 0) continue;
      const int64_t most = wiring_.laneRules()[group->ids.front()].most;
      int64_t chosen = lanesOf(group), least = costOfTables(*group);
      for (const LaneGroup* other : by_cost) {
        if (other == group) continue;
        const int64_t lanes = lanesOf(other);
        const bool partial = group->longest > 0 && group->divided % lanes == 0 &&
                             4 * greatestDivisor(group->common, most) <= most;
        if (!partial && group->common % lanes != 0) continue;
        setLanes(*group, lanes);
        const int64_t cost = costOfTables(*group);
        if (cost < least) least = cost, chosen = lanes;
      }
      setLanes(*group, chosen);
    }
  }

  // Of all tables of the kinds that hold items of the group.
  int64_t costOfTables(const LaneGroup& group) {
    int64_t cost = 0;
    for (const TableKind* kind : kinds_) {
      if (!itemsOf(*kind, group).empty()) cost += costOf(*kind, itemsOf(*kind));
    }
    return cost;
  }

  void setMostLanes() {
    for (const auto& [family, groups] : groups_) {
      for (const LaneGroup& group : groups) setLanes(group, group.numbers.back());
    }
  }

  // The cells of the main phase and of what follows from them, with many lanes.
  int64_t estimateCells() {
    int64_t cells = 0;
    setMostLanes();
    for (const TableKind* kind : kinds_) {
      for (const std::vector<size_t>& alike : byLanes(*kind, itemsOf(*kind))) {
        const std::vector<int64_t> rows = rowsOf(*kind, alike);
        cells +=
            std::accumulate(rows.begin(), rows.end(), int64_t{0}) * shapeOf(*kind, alike).online();
      }
    }
    return cells;
  }

  const Wiring& wiring_;
  const llvm::ArrayRef<const TableKind*> kinds_;
  Layout layout_;
  LayoutCosts costs_;
  TableLimits limits_;
  std::set<LaneId> used_;
  std::map<LaneId, std::vector<LaneGroup>> groups_;  // by family
  std::map<std::tuple<const TableKind*, int64_t, std::vector<size_t>>, TableShape> shapes_;
};

}  // namespace

int64_t LayoutCosts::of(const TableShape& shape, int64_t height) const {
  return height * (shape.online() + shape.fixed / kFixedCellParts) + shape.columns() * column;
}

int64_t LayoutCosts::of(llvm::ArrayRef<TableSize> tables) const {
  int64_t cost = tallestOf(tables) * row;
  for (const TableSize& table : tables) cost += of(table.shape, table.height);
  return cost;
}

int64_t tallestOf(llvm::ArrayRef<TableSize> tables) {
  int64_t height = 0;
  for (const TableSize& table : tables) height = std::max(height, table.height);
  return height;
}

TableShape measureTable(const TableKind& kind, const Wiring& wiring, const Layout& layout,
                        llvm::ArrayRef<Placed> items) {
  if (items.empty()) return {};
  CircuitBuilder counter;
  LookupTables tables;
  ConstantPlaces constants;
  AirLowering lowering{counter, tables, wiring, layout, constants};
  TableBuilder table(counter, kind.name(), items.back().first_row + items.back().rows);
  kind.build(lowering, table, items);
  return table.shape();
}

namespace {

// Those of the items, in this order, that fit into so many rows; and the others.
struct Halves {
  std::vector<size_t> first, rest;
  int64_t used = 0;
};
Halves fill(llvm::ArrayRef<size_t> items, llvm::ArrayRef<int64_t> rows, int64_t most) {
  Halves halves;
  for (size_t i : items) {
    const bool fits = halves.used + rows[i] <= most;
    if (fits) halves.used += rows[i];
    (fits ? halves.first : halves.rest).push_back(i);
  }
  return halves;
}

// As few as the limit allows, each with what still fits.
std::vector<std::vector<size_t>> underLimit(llvm::ArrayRef<int64_t> rows, int64_t tallest) {
  std::vector<std::vector<size_t>> tables;
  std::vector<size_t> left(rows.size());
  std::iota(left.begin(), left.end(), 0);
  while (!left.empty()) {
    Halves halves = fill(left, rows, tallest);
    // What is left is taller, each item alone.
    if (halves.first.empty()) std::swap(halves.first, halves.rest);
    tables.push_back(std::move(halves.first));
    left = std::move(halves.rest);
  }
  return tables;
}

// Smaller tables where that saves more than the columns cost.
void packTable(std::vector<size_t> left, llvm::ArrayRef<int64_t> rows, const TableShape& shape,
               int64_t column_cost, std::vector<std::vector<size_t>>& tables) {
  while (!left.empty()) {
    int64_t total = 0;
    for (size_t i : left) total += rows[i];
    // Half of the height, if what does not fit in it fits in less than the other half: in the order
    // of the program, or else with the tallest first.
    const int64_t capacity = heightOf(total), smaller = capacity / 2;
    auto saves = [&](const Halves& halves) {
      const int64_t saved = capacity - smaller - heightOf(total - halves.used);
      return !halves.first.empty() && saved * shape.online() >= shape.columns() * column_cost;
    };
    Halves halves = fill(left, rows, smaller);
    if (!saves(halves)) {
      std::vector<size_t> tallest = left;
      llvm::stable_sort(tallest, [&](size_t a, size_t b) { return rows[a] > rows[b]; });
      halves = fill(tallest, rows, smaller);
      llvm::sort(halves.first);
      llvm::sort(halves.rest);
    }
    const bool split = saves(halves);
    tables.push_back(split ? std::move(halves.first) : std::move(left));
    left = split ? std::move(halves.rest) : std::vector<size_t>();
  }
}

}  // namespace

std::vector<std::vector<size_t>> packRows(llvm::ArrayRef<int64_t> rows, const TableShape& shape,
                                          const TableLimits& limits) {
  std::vector<std::vector<size_t>> tables;
  for (std::vector<size_t>& table : underLimit(rows, limits.tallest)) {
    packTable(std::move(table), rows, shape, limits.column_cost, tables);
  }
  return tables;
}

absl::StatusOr<ChosenLayout> chooseLayout(const Wiring& wiring,
                                          llvm::ArrayRef<const TableKind*> kinds) {
  return LayoutSearch(wiring, kinds).run();
}

}  // namespace lindero::passes
