#include "passes/lower_air/gadgets/partial_rows.h"

#include <optional>

namespace lindero::passes {
namespace {

Lanes firstOf(const Lanes& x, int64_t count) { return Lanes(x.begin(), x.begin() + count); }

}  // namespace

std::vector<ColumnCells> columnCells(const ColumnTiles& tiles, int64_t columns, int64_t first_row) {
  const int64_t lanes = tiles.lanes, full = tiles.full(), count = tiles.count();
  std::vector<ColumnCells> parts;
  if (full > 0) {
    parts.push_back(
        {lanes, {first_row, {{columns, count, 1}, {full, 1, lanes * columns}}, 0, columns}});
  }
  if (tiles.rest() > 0) {
    parts.push_back(
        {tiles.rest(), {first_row + full, {{columns, count, 1}}, full * lanes * columns, columns}});
  }
  return parts;
}

void placeColumns(TableBuilder& t, const Lanes& lanes, const Witness& witness, int64_t rows,
                  int64_t columns, int64_t first_row) {
  for (const ColumnCells& part :
       columnCells({rows, static_cast<int64_t>(lanes.size())}, columns, first_row)) {
    t.place(firstOf(lanes, part.lanes), witness, part.cells);
  }
}

void PartialRows::fill(int64_t first_row, int64_t columns, int64_t rows) {
  const ColumnTiles tiles{rows, lanes_};
  if (tiles.rest() == 0) return;
  const Kind kind{tiles.rest(), tiles.full() == 0};
  auto [it, made] = rows_.try_emplace(kind);
  if (made) {
    it->second = t_.fixed(name_ + (kind.alone ? ".alone." : ".") + std::to_string(kind.used));
  }
  t_.fill(it->second, {first_row + tiles.full(), {{columns, tiles.count(), 0}}, 1, 0});
}

Expr PartialRows::used(Expr on, int64_t lane) const {
  for (const auto& [kind, rows] : rows_) {
    if (isPadding(kind, lane)) on = on - rows;
  }
  return on;
}

void PartialRows::hold(const Lanes& x, llvm::StringRef name) const {
  for (int64_t lane = 0; lane < lanes_; ++lane) {
    std::optional<Expr> padding;
    for (const auto& [kind, rows] : rows_) {
      if (isPadding(kind, lane)) padding = padding ? *padding + rows : rows;
    }
    if (padding) {
      t_.constrain(*padding * x[lane], "padding of " + name.str() + "." + std::to_string(lane));
    }
  }
}

std::vector<EdgeLanes> PartialRows::lanesOf(const Lanes& x) const {
  std::vector<EdgeLanes> lanes;
  for (const auto& [kind, rows] : rows_) lanes.push_back({rows, firstOf(x, kind.used)});
  return lanes;
}

void PartialRows::addMultipliers(Expr& mul, ir::Value* challenge, bool instead) const {
  CircuitBuilder& c = t_.circuit();
  for (const auto& [kind, rows] : rows_) {
    if (kind.alone) continue;
    Expr step = t_.outside(c.power(challenge, kind.used));
    if (instead) step = step - t_.outside(c.power(challenge, lanes_));
    mul = mul + rows * step;
  }
}

void PartialRows::addSteps(Expr& add, const Lanes& x, ir::Value* challenge, bool instead) const {
  CircuitBuilder& c = t_.circuit();
  for (const auto& [kind, rows] : rows_) {
    Expr step = t_.dot(firstOf(x, kind.used), c.descendingPowers(challenge, kind.used));
    if (instead) step = step - t_.dot(x, c.descendingPowers(challenge, lanes_));
    add = add + rows * step;
  }
}

// The fold of the column so far is one of all its rows; that of the next one's first tile is
// multiplied by the rows after it.
ir::Value* nextColumn(CircuitBuilder& c, const ColumnTiles& tiles) {
  if (tiles.rows <= tiles.lanes) return c.sigma();
  return c.multiply(c.sigma(), c.power(c.rho(), tiles.lanes - tiles.rows));
}

Expr NextColumns::at(const ColumnTiles& tiles) {
  auto [it, made] = next_.try_emplace({tiles.count(), tiles.rest()});
  if (made) {
    std::string name = "next." + std::to_string(tiles.count());
    if (tiles.rest() > 0) name += "." + std::to_string(tiles.rest());
    it->second = {tiles, t_.fixed(name)};
  }
  return it->second.rows;
}

void NextColumns::addMultipliers(Expr& mul) const {
  for (const auto& [key, next] : next_) {
    mul = mul + next.rows * t_.outside(nextColumn(t_.circuit(), next.tiles));
  }
}

}  // namespace lindero::passes
