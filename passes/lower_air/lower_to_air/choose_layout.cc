#include "passes/lower_air/lower_to_air/choose_layout.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

namespace lindero::passes {
namespace {

// Proofs and verification grow with the columns, the prover's time and memory with the cells. A
// column is worth this part, 1 / kColumnParts, of the cells.
constexpr int64_t kColumnParts = 1600;
// A fixed cell is committed with the others, but nothing is computed for it.
constexpr int64_t kFixedCellParts = 8;

// All items, as if they stood in one table.
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

std::vector<size_t> allItems(const TableKind& kind) {
  std::vector<size_t> items(kind.items());
  std::iota(items.begin(), items.end(), 0);
  return items;
}

std::vector<int64_t> numbersOfLanes(const LaneRule& rule) {
  int64_t common = 0;
  for (int64_t length : rule.lengths) common = std::gcd(common, length);
  std::vector<int64_t> numbers;
  for (int64_t n = rule.least; n <= rule.most; ++n) {
    if (rule.pads || common % n == 0) numbers.push_back(n);
  }
  return numbers;
}

class LayoutSearch {
 public:
  LayoutSearch(const Wiring& wiring, llvm::ArrayRef<const TableKind*> kinds)
      : wiring_(wiring), kinds_(kinds), layout_(wiring) {}

  absl::StatusOr<ChosenLayout> run() {
    column_cost_ = estimateCells() / kColumnParts;
    // Those of gadgets made later first: they may pad what earlier ones hold.
    for (LaneId id = wiring_.laneRules().size() - 1; id > kOneLane; --id) chooseLanes(id);
    for (const TableKind* kind : kinds_) layout_.setStacks(*kind, stack(*kind));
    if (absl::Status s = layout_.address(); !s.ok()) return s;
    return ChosenLayout{std::move(layout_), column_cost_};
  }

 private:
  TableShape shapeOf(const TableKind& kind) {
    auto [it, made] = shapes_.try_emplace({&kind, layout_.lanes(kind.lanes())});
    if (made) {
      it->second = measureTable(kind, wiring_, layout_, placeAll(kind, layout_, allItems(kind)));
    }
    return it->second;
  }

  std::vector<int64_t> rowsOf(const TableKind& kind) const {
    std::vector<int64_t> rows;
    for (size_t item = 0; item < kind.items(); ++item) rows.push_back(kind.rows(item, layout_));
    return rows;
  }

  std::vector<Stack> stack(const TableKind& kind) {
    std::vector<Stack> stacks;
    for (const auto& items : packRows(rowsOf(kind), shapeOf(kind), column_cost_)) {
      Stack stack{.name = kind.name(), .items = placeAll(kind, layout_, items)};
      if (!stacks.empty()) absl::StrAppend(&stack.name, "_", stacks.size());
      stack.rows = stack.items.back().first_row + stack.items.back().rows;
      stacks.push_back(std::move(stack));
    }
    return stacks;
  }

  int64_t costOf(const TableKind& kind) {
    const TableShape shape = shapeOf(kind);
    int64_t cost = 0;
    for (const Stack& table : stack(kind)) {
      cost += heightOf(table.rows) * (shape.online() + shape.fixed / kFixedCellParts) +
              shape.columns() * column_cost_;
    }
    return cost;
  }

  // The number with the least cost of the tables that have these lanes.
  void chooseLanes(LaneId id) {
    const std::vector<int64_t> numbers = numbersOfLanes(wiring_.laneRules()[id]);
    int64_t least = INT64_MAX, chosen = numbers.back();
    for (int64_t lanes : numbers) {
      if (wiring_.options().widest && id != wiring_.weightLanes()) break;
      layout_.setLanes(id, lanes);
      int64_t cost = 0;
      for (const TableKind* kind : kinds_) {
        if (kind->lanes() == id) cost += costOf(*kind);
      }
      if (cost < least) least = cost, chosen = lanes;
    }
    layout_.setLanes(id, chosen);
  }

  // The cells of the main phase and of what follows from them, with many lanes.
  int64_t estimateCells() {
    int64_t cells = 0;
    for (LaneId id = 1; id < wiring_.laneRules().size(); ++id) {
      layout_.setLanes(id, numbersOfLanes(wiring_.laneRules()[id]).back());
    }
    for (const TableKind* kind : kinds_) {
      const std::vector<int64_t> rows = rowsOf(*kind);
      if (rows.empty()) continue;
      cells += std::accumulate(rows.begin(), rows.end(), int64_t{0}) * shapeOf(*kind).online();
    }
    return cells;
  }

  const Wiring& wiring_;
  const llvm::ArrayRef<const TableKind*> kinds_;
  Layout layout_;
  int64_t column_cost_ = 0;
  std::map<std::pair<const TableKind*, int64_t>, TableShape> shapes_;
};

}  // namespace

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

}  // namespace

std::vector<std::vector<size_t>> packRows(llvm::ArrayRef<int64_t> rows, const TableShape& shape,
                                          int64_t column_cost) {
  std::vector<std::vector<size_t>> tables;
  std::vector<size_t> left(rows.size());
  std::iota(left.begin(), left.end(), 0);
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
  return tables;
}

absl::StatusOr<ChosenLayout> chooseLayout(const Wiring& wiring,
                                          llvm::ArrayRef<const TableKind*> kinds) {
  return LayoutSearch(wiring, kinds).run();
}

}  // namespace lindero::passes
