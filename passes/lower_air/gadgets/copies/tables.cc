#include "passes/lower_air/gadgets/copies/tables.h"

#include "absl/strings/str_cat.h"

namespace lindero::passes {
namespace {

Lanes firstLanes(const Lanes& lanes, int64_t count) {
  return Lanes(lanes.begin(), lanes.begin() + count);
}

class CopiesBuilder {
 public:
  CopiesBuilder(AirLowering& l, TableBuilder& t, const CopiesTable& kind, int64_t lanes,
                bool uniform)
      : l_(l),
        t_(t),
        kind_(kind),
        lanes_(lanes),
        tuples_(lanes / kind.width()),
        uniform_(uniform) {}

  void add(const CopyItem& item, const Placed& placed) {
    const int64_t first = placed.first_row;
    for (const LinePart& part : partsOf(item.lines, lanes_)) {
      const Cells cells = cellsOf(item.lines, part, lanes_, first);
      if (kind_.role() == CopyRole::kGiveConstant) {
        t_.fill(firstLanes(x_, part.lanes), cells, item.value->definingOp()->symbolAttr("value"));
      } else {
        t_.place(firstLanes(x_, part.lanes), {item.value, ""}, cells);
      }
      fillTags(item, part, first);
    }
    fillTimes(item, first, placed.rows);
    fillEdges(item, first);
    t_.instance(first, placed.rows, item.origin.region, item.origin.op->location());
  }

  void constrain() {
    const bool reads = kind_.role() == CopyRole::kRead;
    const std::string bus = absl::StrCat("copies.", kind_.width());
    t_.circuit().bus(bus, 1 + kind_.width(), 1);
    for (int64_t i = 0; i < tuples_; ++i) {
      const std::string name = absl::StrCat("element.", i);
      const Expr times = times_[uniform_ ? 0 : i];
      Lanes tuple{tag_[i]};
      for (int64_t e = 0; e < kind_.width(); ++e) tuple.push_back(x_[i * kind_.width() + e]);
      if (reads) {
        t_.lookup(name, bus, times, tuple);
      } else {
        t_.give(name, bus, times, tuple);
      }
    }
    for (EdgeColumns& slot : edges_.all()) {
      const std::vector<EdgeLanes> values{{slot.on, x_}};
      if (kind_.major() == Major::kRow) {
        rowMajorTerm(t_, reads ? "out" : "in", slot, values, reads ? 1 : -1);
      } else {
        columnMajorTerm(t_, reads ? "out" : "in", slot, values, reads ? 1 : -1);
      }
    }
  }

 private:
  // Of the tuples of a part, numbered along the lines.
  void fillNumbers(const Lanes& lanes, const CopyItem& item, const LinePart& part, int64_t first,
                   int64_t offset, int64_t step, const std::string& source = "") {
    const int64_t width = kind_.width();
    std::vector<Loop> loops =
        loopsOver(item.lines, part, lanes_, item.lines.length / width * step, tuples_ * step);
    t_.fill(firstLanes(lanes, part.lanes / width),
            {first + part.first_tile, loops, offset + part.first_tile * tuples_ * step, step},
            source);
  }

  void fillTags(const CopyItem& item, const LinePart& part, int64_t first) {
    if (kind_.role() != CopyRole::kRead) {
      fillNumbers(tag_, item, part, first, item.first_tag, 1);
      return;
    }
    placeTags(item, first);
    if (!l_.circuit.function() || fillLoops(item, first)) return;
    fillNumbers(tag_, item, part, first, 0, 1, constantOf(item.tags, "copy_tags"));
  }

  // By loops where the map is affine.
  bool fillLoops(const CopyItem& item, int64_t first) {
    const int64_t step = tuples_ > 1 ? int64_t{item.tags[1]} - item.tags[0] : 0;
    for (size_t i = 0; i < item.tags.size(); ++i) {
      if (item.tags[i] != item.tags[i - i % tuples_] + int64_t(i % tuples_) * step) return false;
    }
    std::optional<std::vector<Loop>> loops = findLoops(item.tags, tuples_);
    if (!loops) return false;
    if (loops->empty()) loops->push_back({1, 1, 0});
    t_.fill(tag_, {first, *loops, item.tags[0], step});
    return true;
  }

  void placeTags(const CopyItem& item, int64_t first) {
    const int64_t rows = item.lines.rows(lanes_);
    l_.constants.try_emplace(
        {item.value, kind_.name()},
        ConstantPlace{
            t_.name(), "tag.0", tuples_, {first, {{rows, 1, tuples_}}, 0, 1}, rows * tuples_});
  }

  void fillTimes(const CopyItem& item, int64_t first, int64_t rows) {
    const int32_t times = kind_.role() == CopyRole::kRead ? 1 : item.times[0];
    if (uniform_) {
      t_.fillConstant(times_[0], first, rows, times);
      return;
    }
    const bool equal = llvm::all_equal(item.times);
    const std::string source =
        equal || !l_.circuit.function() ? "" : constantOf(item.times, "copy_times");
    for (const LinePart& part : partsOf(item.lines, lanes_)) {
      fillNumbers(times_, item, part, first, equal ? times : 0, equal ? 0 : 1, source);
    }
  }

  void fillEdges(const CopyItem& item, int64_t first) {
    const Lines& lines = item.lines;
    const int64_t tiles = lines.tiles(lanes_), rows = lines.rows(lanes_);
    const std::vector<Edge> edges = l_.layout.edges(item.edges);
    const End end = kind_.role() == CopyRole::kGive ? End::kTakes : End::kGives;
    for (auto [i, slot] : llvm::enumerate(edges_.of(edges))) {
      const Edge& edge = edges[i];
      if (kind_.major() == Major::kRow) {
        fillRowMajor(t_, *slot, first, lines.count, edge, end);
      } else {
        fillColumnMajorPlace(t_, *slot, first, edge, tiles);
        t_.fillConstant(slot->on, first, rows, 1);
      }
    }
    if (kind_.role() == CopyRole::kGiveConstant) keepElements(item, first);
  }

  void keepElements(const CopyItem& item, int64_t first) {
    const LinePart part = partsOf(item.lines, lanes_)[0];
    l_.constants.try_emplace(
        {item.value, kElements},
        ConstantPlace{t_.name(), "x.0", lanes_, cellsOf(item.lines, part, lanes_, first),
                      item.lines.elements()});
  }

  std::string constantOf(const std::vector<int32_t>& numbers, const char* name) {
    ir::ConstantPool& pool = l_.circuit.function()->module()->constants();
    std::string& made = constants_[numbers.data()];
    if (made.empty()) made = pool.addOwned<int32_t>(name, {int64_t(numbers.size())}, numbers).name;
    return made;
  }

  AirLowering& l_;
  TableBuilder& t_;
  const CopiesTable& kind_;
  const int64_t lanes_, tuples_;
  // Each row's tuples are all there, and looked up as often as one another.
  const bool uniform_;
  Lanes tag_ = t_.fixedLanes("tag", tuples_);
  Lanes times_ = t_.fixedLanes("times", uniform_ ? 1 : tuples_);
  EdgeSlots edges_{t_, kind_.role() == CopyRole::kRead ? "out" : "in"};
  Lanes x_ = kind_.role() == CopyRole::kGiveConstant ? t_.fixedLanes("x", lanes_)
                                                     : t_.mainLanes("x", lanes_);
  std::map<const int32_t*, std::string> constants_;
};

}  // namespace

std::string CopiesTable::name() const {
  static constexpr const char* kRoles[] = {"copied", "copied_constants", "copies"};
  return absl::StrCat(kRoles[static_cast<int>(role_)],
                      major_ == Major::kRow ? "_rows_" : "_columns_", width_);
}

void CopiesTable::build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const {
  const int64_t lanes = lanesOf(l, items);
  const bool uniform = llvm::all_of(items, [&](const Placed& placed) {
    const CopyItem& item = copies[placed.item];
    return item.lines.length % lanes == 0 && llvm::all_equal(item.times);
  });
  CopiesBuilder builder(l, t, *this, lanes, uniform);
  for (const Placed& placed : items) builder.add(copies[placed.item], placed);
  builder.constrain();
}

}  // namespace lindero::passes
