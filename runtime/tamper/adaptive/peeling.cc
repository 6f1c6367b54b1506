#include "runtime/tamper/adaptive/peeling.h"

#include <algorithm>
#include <set>

#include "runtime/package/circuit_access.h"

namespace lindero::runtime {
namespace {

bool any(const RowMask& mask) {
  return std::any_of(mask.begin(), mask.end(), [](uint8_t x) { return x != 0; });
}
bool all(const RowMask& mask) {
  return std::all_of(mask.begin(), mask.end(), [](uint8_t x) { return x != 0; });
}

class Peeler {
 public:
  Peeler(const Derivatives& derivatives, const std::vector<Equation>& equations, uint32_t phase)
      : derivatives_(derivatives), circuit_(derivatives.circuit()) {
    result_.phase = phase;
    for (const Equation& e : equations) {
      if (e.phase == phase) equations_.push_back(&e);
    }
    for (int t = 0; t < circuit_.tables_size(); ++t) {
      const Table& table = circuit_.tables(t);
      for (int c = 0; c < table.columns_size(); ++c) {
        if (table.columns(c).phase() != phase) continue;
        pinned_[{static_cast<uint32_t>(t), static_cast<uint32_t>(c)}].assign(tableHeight(table), 0);
        ++result_.columns;
        result_.cells += tableHeight(table);
      }
    }
  }

  Peeling run() {
    takeRunningSums();
    while (true) {
      for (bool changed = true; changed;) {
        changed = false;
        for (const Equation* e : others_) changed |= pinBy(*e);
      }
      if (!addParameter()) break;
    }
    findLeftovers();
    return std::move(result_);
  }

 private:
  // Those that nothing but their own equation reads, each with a claimed sum of its own.
  void takeRunningSums() {
    std::set<uint32_t> claimed_sums;
    for (const Equation* e : equations_) {
      if (!e->running || readElsewhere(*e) ||
          !claimed_sums.insert(e->running->claimed_sum).second) {
        others_.push_back(e);
        continue;
      }
      const Place place{e->table, e->running->column};
      result_.running[place] = e;
      std::fill(pinned_[place].begin(), pinned_[place].end(), 1);
    }
    for (int i = 0; i < circuit_.claimed_sums_size(); ++i) {
      const Leaf leaf{Leaf::Kind::kClaimedSum, static_cast<uint32_t>(i), 0};
      if (phaseOf(circuit_, derivatives_.info(), 0, leaf) == result_.phase &&
          !claimed_sums.contains(leaf.index)) {
        result_.open_claimed_sums.push_back(leaf.index);
      }
    }
  }

  bool readElsewhere(const Equation& own) const {
    const Table& table = tableOf(circuit_, own.table);
    for (int i = 0; i < table.constraints_size(); ++i) {
      if (static_cast<uint32_t>(i) == own.constraint) continue;
      for (const Leaf& leaf : derivatives_.leaves(table.constraints(i).node())) {
        if (leaf.kind == Leaf::Kind::kColumn && leaf.index == own.running->column) return true;
      }
    }
    return false;
  }

  // Pins own-row cells that are the only unknown of the equation, a column's chain at once.
  bool pinBy(const Equation& e) {
    bool changed = false;
    for (const Reading& r : e.readings) {
      if (r.leaf.kind != Leaf::Kind::kColumn || r.leaf.offset != 0) continue;
      RowMask& own = pinned_[{e.table, r.leaf.index}];
      if (all(own)) continue;
      RowMask possible = r.reads;
      const RowMask* before = nullptr;
      for (const Reading& other : e.readings) {
        if (other.leaf.kind != Leaf::Kind::kColumn) continue;
        if (other.leaf.index == r.leaf.index && other.leaf.offset <= 0) {
          if (other.leaf.offset < 0) before = &other.reads;
          continue;
        }
        const RowMask& known = pinned_[{e.table, other.leaf.index}];
        for (size_t row = 0; row < possible.size(); ++row) {
          possible[row] &=
              (other.reads[row] == 0) | known[rowAt(row, other.leaf.offset, known.size())];
        }
      }
      changed |= pinChain(e, r.leaf.index, possible, before, own);
    }
    return changed;
  }

  bool pinChain(const Equation& e, uint32_t column, const RowMask& possible, const RowMask* before,
                RowMask& own) {
    const size_t height = own.size();
    RowMask rows(height, 0);
    for (int round = 0; round < 2; ++round) {  // a second for what goes on from the last row
      for (size_t row = 0; row < height; ++row) {
        if (own[row] || !possible[row]) continue;
        const bool needs = before != nullptr && (*before)[row];
        if (!needs || own[rowAt(row, -1, height)]) own[row] = rows[row] = 1;
      }
    }
    if (!any(rows)) return false;
    result_.pivots.push_back({&e, column, std::move(rows)});
    return true;
  }

  bool addParameter() {
    for (bool gathers : {true, false}) {
      for (const std::vector<ColumnRef>& level : derivatives_.info().levels[result_.phase]) {
        for (const ColumnRef& ref : level) {
          const Column& column = columnOf(circuit_, ref.table, ref.column);
          RowMask& own = pinned_[{ref.table, ref.column}];
          if (column.has_gather() != gathers || all(own)) continue;
          RowMask& open = result_.parameters[{ref.table, ref.column}];
          open.resize(own.size());
          for (size_t row = 0; row < own.size(); ++row) open[row] = !own[row];
          std::fill(own.begin(), own.end(), 1);
          return true;
        }
      }
    }
    return false;
  }

  void findLeftovers() {
    for (const Equation* e : others_) {
      RowMask open(tableHeight(tableOf(circuit_, e->table)), 0);
      for (const Reading& r : e->readings) {
        if (r.leaf.kind != Leaf::Kind::kColumn) continue;
        for (size_t row = 0; row < open.size(); ++row) open[row] |= r.reads[row];
      }
      for (const Pivot& p : result_.pivots) {
        if (p.equation != e) continue;
        for (size_t row = 0; row < open.size(); ++row) open[row] &= !p.rows[row];
      }
      const auto rows = static_cast<uint64_t>(std::count(open.begin(), open.end(), 1));
      if (rows > 0) result_.leftovers.push_back({e, rows});
    }
  }

  const Derivatives& derivatives_;
  const Circuit& circuit_;
  std::vector<const Equation*> equations_, others_;
  std::map<Place, RowMask> pinned_;
  Peeling result_;
};

}  // namespace

int Peeling::columnOf(uint32_t table, uint32_t constraint) const {
  for (const Pivot& p : pivots) {
    if (p.equation->table == table && p.equation->constraint == constraint) {
      return static_cast<int>(p.column);
    }
  }
  for (const auto& [place, e] : running) {
    if (e->table == table && e->constraint == constraint) return static_cast<int>(place.second);
  }
  return -1;
}

Peeling peel(const Derivatives& derivatives, const std::vector<Equation>& equations,
             uint32_t phase) {
  return Peeler(derivatives, equations, phase).run();
}

std::map<Place, RowMask> dependents(const Circuit& circuit, const Peeling& peeling,
                                    const std::map<Place, RowMask>& parameters) {
  std::map<Place, RowMask> result;
  auto moves = [&](const Place& place, uint64_t row) {
    for (const auto* masks : {&parameters, &std::as_const(result)}) {
      auto it = masks->find(place);
      if (it != masks->end() && it->second[row]) return true;
    }
    return false;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (const Pivot& p : peeling.pivots) {
      const Equation& e = *p.equation;
      for (const Reading& r : e.readings) {
        const Place read{e.table, r.leaf.index};
        if (r.leaf.kind != Leaf::Kind::kColumn || r.leaf == Leaf{r.leaf.kind, p.column, 0})
          continue;
        if (!parameters.contains(read) && !result.contains(read) && r.leaf.index != p.column) {
          continue;
        }
        RowMask& own = result[{e.table, p.column}];
        own.resize(tableHeight(tableOf(circuit, e.table)));
        for (size_t row = 0; row < own.size(); ++row) {
          if (own[row] || !p.rows[row] || !r.reads[row]) continue;
          if (!moves(read, rowAt(row, r.leaf.offset, own.size()))) continue;
          own[row] = 1;
          changed = true;
        }
      }
    }
  }
  std::erase_if(result, [](const auto& entry) { return !any(entry.second); });
  return result;
}

}  // namespace lindero::runtime
