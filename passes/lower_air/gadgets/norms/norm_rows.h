// What both gadgets of norms are made of: items that are rows to normalize, and the columns in
// which such rows are held, row-major, whatever is computed of them. A table row holds some
// elements of a tensor's row; sums run over the table rows of one tensor row, and the last of them
// hands the sums to a table of statistics, from which it has the scalars of the tensor's row.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "passes/lower_air/gadgets/gadget.h"

namespace lindero::passes {

struct Norm {
  Origin origin;
  int64_t rows = 0, width = 0;
  LaneId lanes = kOneLane;
  CopyId statistics = 0;
  CopyId in = 0;
  std::vector<CopyId> forward = {};  // the input, passed on
  std::vector<CopyId> out = {};
};

class NormTable : public TableKind {
 public:
  explicit NormTable(std::string name) : name_(std::move(name)) {}
  std::string name() const override { return name_; }
  size_t items() const override { return norms.size(); }
  LaneId lanes(size_t item) const override { return norms[item].lanes; }
  int64_t rows(size_t item, const Layout& layout) const override {
    return norms[item].rows * tiles(norms[item], layout);
  }
  // Table rows of a tensor's row.
  static int64_t tiles(const Norm& n, const Layout& layout) {
    return n.width / layout.lanes(n.lanes);
  }
  // Null: it normalizes no row of this op.
  const Norm* find(const ir::Op& op) const {
    auto it = llvm::find_if(norms, [&](const Norm& n) { return n.origin.op == &op; });
    return it == norms.end() ? nullptr : &*it;
  }

  void plan(Wiring& wiring, const Origin& origin);
  absl::Status connect(Wiring& wiring);

  std::deque<Norm> norms;  // pointed to

 private:
  std::string name_;
};

// What a tensor row's table rows and its row of statistics share, as one element of an edge: sums
// and scalars.
void statisticsTerm(TableBuilder& t, Expr on, Expr address, const Lanes& values, int sign);

class NormColumns {
 public:
  NormColumns(AirLowering& l, TableBuilder& t, int64_t lanes) : l_(l), t_(t), lanes_(lanes) {}

 protected:
  // Fixed cells and copies of an item; `square`: the function that is looked up for squares.
  void fill(const Norm& n, const Placed& placed, int64_t square);
  // A sum over the table rows of a tensor row. `added`: of this table row.
  void addSum(Expr sum, Expr added, const char* name);
  // A scalar of the tensor's row, which stays the same over its table rows.
  void addScalar(Expr scalar, const char* name);
  // Takes x, gives it to others, and gives the normalized z.
  void addCopies(const Lanes& x, const Lanes& z);

  // Where witnesses of an item stand: one per element, per tensor row, per table row.
  struct Places {
    Cells elements, rows, row_tiles;
  };
  Places placesOf(const Norm& n, int64_t first_row) const;

  AirLowering& l_;
  TableBuilder& t_;
  const int64_t lanes_;
  Expr on_ = t_.fixed("on"), within_ = t_.fixed("within"), last_ = t_.fixed("last");
  Expr square_ = t_.fixed("square"), tag_ = t_.fixed("output_tag"),
       offset_ = t_.fixed("output_offset");
  Expr statistics_ = t_.fixed("statistics");
  std::optional<Expr> uncentered_;  // rows of an RMSNorm

 private:
  EdgeSlots in_{t_, "in"}, forward_{t_, "forward"}, out_{t_, "out"};
};

}  // namespace lindero::passes
