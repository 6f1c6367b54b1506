#include "passes/lower_air/gadgets/relays/relays.h"

namespace lindero::passes {
namespace {

class RelaysTable : public TableKind {
 public:
  explicit RelaysTable(const Wiring& wiring) : wiring_(wiring) {}
  std::string name() const override { return "relays"; }
  LaneId lanes() const override { return wiring_.down(); }
  size_t items() const override { return wiring_.relays().size(); }
  int64_t rows(size_t item, const Layout& layout) const override {
    const Relay& r = wiring_.relays()[item];
    return r.columns * (r.rows / layout.lanes(lanes()));
  }

  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override {
    const int64_t lanes = l.layout.lanes(this->lanes());
    EdgeSlots in(t, "in"), out(t, "out");
    Lanes x = t.mainLanes("x", lanes);
    for (const Placed& placed : items) {
      const Relay& r = wiring_.relays()[placed.item];
      const int64_t first = placed.first_row, tiles = r.rows / lanes;
      fillColumnMajor(t, in, first, l.layout.edges(r.in));
      fillColumnMajor(t, out, first, l.layout.edges(r.out));
      t.place(x, {r.value, ""},
              {first, {{r.columns, tiles, 1}, {tiles, 1, lanes * r.columns}}, 0, r.columns});
      t.instance(first, placed.rows, r.origin.region, r.origin.op->location());
    }
    columnMajorTerms(t, "in", in, x, -1);
    columnMajorTerms(t, "out", out, x, 1);
  }

 private:
  const Wiring& wiring_;
};

// Encodes no op: its items are made where a copy is asked for.
class Relays : public Gadget {
 public:
  explicit Relays(Wiring& wiring) : table_(wiring) {}
  llvm::ArrayRef<llvm::StringLiteral> ops() const override { return {}; }
  absl::Status plan(const Origin& origin) override { return cannotLower(*origin.op, "no relay"); }
  std::vector<const TableKind*> tables() const override { return {&table_}; }
  void trace(TraceWriter& t, const ir::Op& op) const override {}

 private:
  RelaysTable table_;
};

}  // namespace

std::unique_ptr<Gadget> makeRelays(Wiring& wiring) { return std::make_unique<Relays>(wiring); }

}  // namespace lindero::passes
