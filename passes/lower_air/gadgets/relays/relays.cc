#include "passes/lower_air/gadgets/relays/relays.h"

#include "passes/lower_air/gadgets/partial_rows.h"

namespace lindero::passes {
namespace {

class RelaysTable : public TableKind {
 public:
  explicit RelaysTable(const Wiring& wiring) : wiring_(wiring) {}
  std::string name() const override { return "relays"; }
  size_t items() const override { return wiring_.relays().size(); }
  LaneId lanes(size_t item) const override { return wiring_.relays()[item].lanes; }
  int64_t rows(size_t item, const Layout& layout) const override {
    const Relay& r = wiring_.relays()[item];
    return r.columns * ColumnTiles{r.rows, layout.lanes(r.lanes)}.count();
  }

  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override {
    EdgeSlots in(t, "in"), out(t, "out");
    Lanes x = t.mainLanes("x", lanesOf(l, items));
    for (const Placed& placed : items) {
      const Relay& r = wiring_.relays()[placed.item];
      const int64_t first = placed.first_row;
      fillColumnMajor(t, in, first, l.layout.edges(r.in));
      fillColumnMajor(t, out, first, l.layout.edges(r.out));
      placeColumns(t, x, {r.value, ""}, r.rows, r.columns, first);
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
