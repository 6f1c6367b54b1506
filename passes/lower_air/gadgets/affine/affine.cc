#include "passes/lower_air/gadgets/affine/affine.h"

#include <deque>
#include <optional>

#include "passes/lower_air/gadgets/partial_rows.h"
#include "passes/lower_air/gadgets/results/results.h"

namespace lindero::passes {
namespace {

bool isLookup(const ir::Op& op) { return op.is("integer.lookup"); }

// integer.affine has its constants as operands; a rounding of a stored value is x, or x + 2^a y.
struct Map {
  explicit Map(const Origin& o) : origin(o) {
    const ir::Op& op = *o.op;
    const auto shape = matrixOf(op.result()->type());
    rows = shape.rows, columns = shape.columns;
    if (op.is("integer.affine")) {
      m = op.operand(1), c = op.operand(2);
      if (op.numOperands() > 3) y = op.operand(3), n = op.operand(4);
    } else if (!isLookup(op) && op.numOperands() > 1) {
      y = op.operand(1);
    }
  }
  int64_t shift() const { return origin.op->intAttr("shift"); }
  // Its result cannot leave its range, and is in no table of ranges.
  bool isWide() const { return origin.op->intAttr("bits") > 16; }
  // Whether the constant is another one in each row.
  bool differsByRow(const ir::Value* constant) const {
    return constant && rows > 1 && constant->type().elements() > columns;
  }

  Origin origin;
  int64_t rows = 0, columns = 0;
  LaneId lanes = kOneLane;
  const ir::Value *y = nullptr, *m = nullptr, *c = nullptr, *n = nullptr;
  CopyId x_in = 0, y_in = 0;
  std::vector<CopyId> out = {};
};

// What is left of a constant that differs from row to row, where its last rows are partial.
std::string restOf(const std::string& name) { return name + ".rest"; }

// A constant of each element: a fixed column for all lanes, or one per lane if the table has an
// item whose constant differs from row to row.
class Spread {
 public:
  Spread(AirLowering& l, TableBuilder& t, const char* name, int64_t lanes, bool by_row)
      : l_(l), t_(t), name_(name), lanes_(lanes), by_row_(by_row) {
    columns_ = by_row ? t_.fixedLanes(name_, lanes) : Lanes{t_.fixed(name_)};
  }

  Expr at(int64_t lane) const { return columns_[by_row_ ? lane : 0]; }

  void fill(const Map& map, const ir::Value* constant, int64_t first) {
    if (map.differsByRow(constant)) return fillByRow(map, constant, first);
    const int64_t tiles = ColumnTiles{map.rows, lanes_}.count();
    const int64_t column = constant->type().elements() > 1 ? 1 : 0;
    t_.fill(columns_, {first, {{map.columns, tiles, column}, {tiles, 1, 0}}, 0, 0},
            constant->definingOp()->symbolAttr("value"));
    // As often as it is there.
    keep(map, name_, 1, {first, {{column == 0 ? 1 : map.columns, tiles, column}}, 0, 0},
         constant->type().elements());
  }
  void fillNumber(const Map& map, int64_t value, int64_t first) {
    for (Expr column : columns_) {
      t_.fillConstant(column, first, map.columns * ColumnTiles{map.rows, lanes_}.count(), value);
    }
  }

 private:
  // The constant has an element for each of the map's.
  void fillByRow(const Map& map, const ir::Value* constant, int64_t first) {
    const ColumnTiles tiles{map.rows, lanes_};
    for (const ColumnCells& part : columnCells(tiles, map.columns, first)) {
      t_.fill(Lanes(columns_.begin(), columns_.begin() + part.lanes), part.cells,
              constant->definingOp()->symbolAttr("value"));
      const bool full = part.lanes == lanes_;
      Cells cells = part.cells;
      cells.offset = 0;
      keep(map, full || tiles.full() == 0 ? name_ : restOf(name_), part.lanes, cells,
           (full ? tiles.full() * lanes_ : tiles.rest()) * map.columns);
    }
  }
  void keep(const Map& map, const std::string& name, int64_t lanes, const Cells& cells,
            int64_t size) {
    l_.constants[{map.origin.op->result(), name}] = {t_.name(), by_row_ ? name_ + ".0" : name_,
                                                     lanes, cells, size};
  }

  AirLowering& l_;
  TableBuilder& t_;
  const std::string name_;
  const int64_t lanes_;
  const bool by_row_;
  Lanes columns_;
};

// What the items of a table need.
struct Needs {
  explicit Needs(const std::vector<const Map*>& maps) {
    for (const Map* map : maps) {
      m |= map->m != nullptr, c |= map->c != nullptr;
      (map->y ? y : no_y) = true;
      m_by_row |= map->differsByRow(map->m);
      c_by_row |= map->differsByRow(map->c);
      n_by_row |= map->differsByRow(map->n);
      rounds |= map->shift() > 0, exact |= map->shift() == 0;
      lookup |= isLookup(*map->origin.op);
      wide |= map->isWide();
    }
  }
  bool m = false, c = false, y = false, no_y = false;
  bool m_by_row = false, c_by_row = false, n_by_row = false;
  bool rounds = false, exact = false, lookup = false, wide = false;
};

class AffineBuilder {
 public:
  AffineBuilder(AirLowering& l, TableBuilder& t, int64_t lanes, const Needs& needs)
      : l_(l), t_(t), lanes_(lanes), needs_(needs) {
    if (needs.m) m_.emplace(l, t, "m", lanes, needs.m_by_row);
    if (needs.c) c_.emplace(l, t, "c", lanes, needs.c_by_row);
    if (needs.y) n_.emplace(l, t, "n", lanes, needs.n_by_row);
    if (needs.rounds && needs.exact) exact_ = t.fixed("exact");
    if (needs.lookup) function_ = t.fixed("function");
    if (!needs.lookup && !needs.wide)
      quotient_tag_ = t.fixed("quotient_tag"), offset_ = t.fixed("offset");
    if (needs.rounds) remainder_tag_ = t.fixed("remainder_tag");
    x_ = t.mainLanes("x", lanes);
    if (needs.y) y_ = t.mainLanes("y", lanes);
    q_ = t.mainLanes("q", lanes);
    if (needs.rounds) r_ = t.mainLanes("r", lanes);
    if (needs.lookup) g_ = t.mainLanes("g", lanes);
  }

  void add(const Map& map, const Placed& placed) {
    const ir::Op& op = *map.origin.op;
    const int64_t first = placed.first_row, rows = placed.rows, shift = map.shift();
    partial_.fill(first, map.columns, map.rows);
    t_.fillConstant(on_, first, rows, 1);
    t_.fillConstant(power_, first, rows, int64_t{1} << shift);
    if (needs_.rounds) t_.fillConstant(remainder_tag_, first, rows, shift);
    l_.tables.useRange(shift);
    if (exact_ && shift == 0) t_.fillConstant(*exact_, first, rows, 1);
    fillResult(op, first, rows);
    fillConstants(map, first);
    fillColumnMajor(t_, x_in_, first, l_.layout.edges(map.x_in));
    if (map.y) fillColumnMajor(t_, y_in_, first, l_.layout.edges(map.y_in));
    fillColumnMajor(t_, out_, first, l_.layout.edges(map.out));
    auto place = [&](const Lanes& lanes, Witness witness) {
      placeColumns(t_, lanes, witness, map.rows, map.columns, first);
    };
    place(x_, {op.operand(0), ""});
    if (map.y) place(y_, {map.y, ""});
    place(q_, {op.result(), needs_.lookup ? "key" : ""});
    if (needs_.rounds) place(r_, {op.result(), "remainder"});
    if (needs_.lookup) place(g_, {op.result(), ""});
    t_.instance(first, rows, map.origin.region, op.location());
  }

  void constrain() {
    const Expr half = t_.constant(int64_t{1} << 30);  // 1/2 in the field
    for (int64_t i = 0; i < lanes_; ++i) {
      const std::string lane = "." + std::to_string(i);
      const Expr on = partial_.used(on_, i);
      Expr sum = m_ ? x_[i] * m_->at(i) : x_[i];
      if (c_) sum = sum + c_->at(i);
      if (n_) sum = sum + y_[i] * n_->at(i);
      sum = sum - q_[i] * power_;
      // 2^(s-1), but 0 for s = 0.
      if (needs_.rounds) sum = sum - r_[i] + (exact_ ? power_ - *exact_ : power_) * half;
      t_.constrain(on * sum, "affine" + lane);
      if (needs_.lookup) {
        t_.lookup("function" + lane, "function", on, {function_, q_[i], g_[i]});
      } else if (!needs_.wide) {
        t_.range("quotient" + lane, on, quotient_tag_, q_[i] + offset_);
      }
      if (needs_.rounds) t_.range("remainder" + lane, on, remainder_tag_, r_[i]);
    }
    if (needs_.y && needs_.no_y) holdUntaken();
    partial_.hold(q_, "q");
    if (needs_.rounds) partial_.hold(r_, "r");
    if (needs_.lookup) partial_.hold(g_, "g");
    const Lanes& given = needs_.lookup ? g_ : q_;
    columnMajorTerms(t_, "x", x_in_, x_, -1);
    columnMajorTerms(t_, "y", y_in_, y_, -1);
    columnMajorTerms(t_, "out", out_, given, 1);
  }

 private:
  // Items of one value have no y: what no edge takes is zero.
  void holdUntaken() {
    const Expr untaken = on_ - y_in_.on();
    for (int64_t i = 0; i < lanes_; ++i) {
      t_.constrain(untaken * y_[i], "no y." + std::to_string(i));
    }
  }

  void fillResult(const ir::Op& op, int64_t first, int64_t rows) {
    if (needs_.lookup) {
      t_.fillConstant(function_, first, rows, l_.tables.activation(op));
      return;
    }
    if (needs_.wide) return;
    const int64_t bits = op.intAttr("bits");
    t_.fillConstant(quotient_tag_, first, rows, bits);
    t_.fillConstant(offset_, first, rows, int64_t{1} << (bits - 1));
    l_.tables.useRange(bits);
  }

  void fillConstants(const Map& map, int64_t first) {
    if (map.m) m_->fill(map, map.m, first);
    if (m_ && !map.m) m_->fillNumber(map, 1, first);
    if (map.c) c_->fill(map, map.c, first);
    if (map.n) n_->fill(map, map.n, first);
    if (map.y && !map.n) {
      n_->fillNumber(map, int64_t{1} << map.origin.op->intAttr("addend_shift"), first);
    }
  }

  AirLowering& l_;
  TableBuilder& t_;
  const int64_t lanes_;
  const Needs needs_;
  Expr on_ = t_.fixed("on"), power_ = t_.fixed("power");
  PartialRows partial_{t_, lanes_};
  std::optional<Spread> m_, c_, n_;
  std::optional<Expr> exact_;  // items without a remainder
  Expr function_, quotient_tag_, offset_, remainder_tag_;
  EdgeSlots x_in_{t_, "x_in"}, y_in_{t_, "y_in"}, out_{t_, "out"};
  Lanes x_, y_, q_, r_, g_;
};

// Items that need the same columns: of one value or of two, with constants that differ from row to
// row or not, looked up, or wide.
class AffineTable : public TableKind {
 public:
  explicit AffineTable(const char* name) : name_(name) {}
  std::string name() const override { return name_; }
  size_t items() const override { return maps.size(); }
  LaneId lanes(size_t item) const override { return maps[item].lanes; }
  int64_t rows(size_t item, const Layout& layout) const override {
    const Map& map = maps[item];
    return map.columns * ColumnTiles{map.rows, layout.lanes(map.lanes)}.count();
  }
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override {
    std::vector<const Map*> placed;
    for (const Placed& p : items) placed.push_back(&maps[p.item]);
    AffineBuilder builder(l, t, lanesOf(l, items), Needs(placed));
    for (const Placed& p : items) builder.add(maps[p.item], p);
    builder.constrain();
  }

  std::deque<Map> maps;  // pointed to

 private:
  const char* name_;
};

class Affine : public Gadget {
 public:
  explicit Affine(Wiring& wiring)
      : wiring_(wiring),
        one_("affine"),
        two_("affine_sum"),
        one_by_row_("affine_by_row"),
        two_by_row_("affine_sum_by_row"),
        lookups_("lookups"),
        wide_("wide_sums") {}

  llvm::ArrayRef<llvm::StringLiteral> ops() const override {
    static constexpr llvm::StringLiteral kOps[] = {"integer.affine", "integer.requantize",
                                                   "integer.lookup"};
    return kOps;
  }

  absl::Status plan(const Origin& origin) override {
    Map map(origin);
    const bool by_row = llvm::any_of(std::initializer_list<const ir::Value*>{map.m, map.c, map.n},
                                     [&](auto* constant) { return map.differsByRow(constant); });
    AffineTable& table = isLookup(*origin.op) ? lookups_
                         : map.isWide()       ? wide_
                         : map.y              ? (by_row ? two_by_row_ : two_)
                                              : (by_row ? one_by_row_ : one_);
    map.lanes = wiring_.down(map.rows);
    Map& kept = table.maps.emplace_back(std::move(map));
    wiring_.gives(origin.op->result(), Major::kColumn, kept.lanes, &kept.out);
    return absl::OkStatus();
  }

  absl::Status connect() override {
    for (AffineTable* table : tables_) {
      for (Map& map : table->maps) {
        auto take = [&](const ir::Value* value, CopyId& in) -> absl::Status {
          absl::StatusOr<CopyId> copy = wiring_.copy(map.origin, value, Major::kColumn, map.lanes);
          if (copy.ok()) in = *copy;
          return copy.status();
        };
        if (absl::Status s = take(map.origin.op->operand(0), map.x_in); !s.ok()) return s;
        if (!map.y) continue;
        if (absl::Status s = take(map.y, map.y_in); !s.ok()) return s;
      }
    }
    return absl::OkStatus();
  }

  std::vector<const TableKind*> tables() const override { return {tables_.begin(), tables_.end()}; }

  void trace(TraceWriter& t, const ir::Op& op) const override {
    if (!op.is("integer.affine")) return traceRounding(t, op, t.find(op.operand(0)));
    const bool two = op.numOperands() > 3;
    auto constant = [&](const char* name) {
      ir::Value* all = t.load(t.placeOf(op.result(), name));
      const ConstantPlace* rest = t.findPlace(op.result(), restOf(name));
      if (!rest) return all;
      return t.step("append_rows", {{"first", all}, {"second", t.load(*rest)}})["out"];
    };
    const Step step = t.step("affine",
                             {{"x", t.find(op.operand(0))},
                              {"m", constant("m")},
                              {"c", constant("c")},
                              {"y", two ? t.find(op.operand(3)) : nullptr},
                              {"n", two ? constant("n") : nullptr}},
                             {{"shift", op.intAttr("shift")}, {"bits", op.intAttr("bits")}});
    t.keep(op.result(), "", step["quotient"]);
    t.keep(op.result(), "remainder", step["remainder"]);
  }

 private:
  Wiring& wiring_;
  AffineTable one_, two_, one_by_row_, two_by_row_, lookups_, wide_;
  const std::vector<AffineTable*> tables_ = {&one_,        &two_,     &one_by_row_,
                                             &two_by_row_, &lookups_, &wide_};
};

}  // namespace

std::unique_ptr<Gadget> makeAffine(Wiring& wiring) { return std::make_unique<Affine>(wiring); }

}  // namespace lindero::passes
