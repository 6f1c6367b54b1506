// Softmax over attention scores, row-major: a row holds some keys of a query. No maximum, no
// reciprocal: a query's one integer is L, a fixed-point log-sum-exp, the least with
// sum_i EXP(L - sigma_i) <= 2^P.
//   S_i = (L - k_i) 2^s + 2^(s-1) - r_i is an expression;
//   `exponential`: k -> (w, p, p-);  RANGE(s + w, r);
//   A = sum p and C = sum p- run over the query's rows;
//   at the last, 2^P - A and C - 2^P - 1 are in [0, 2^16): L is unique.
// A masked score is one cell, k itself, which only the product check of Q K^T reads; its p and p-
// are zero.
// In a window of steps, the first keys are of the windows before, as many of which are open as
// there are: a key of a closed one is the first dead bin, with r = 0, and its score is read by
// nothing. README.md has the interval and uniqueness arguments.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/gadgets/products/products.h"

namespace lindero::passes {

struct Softmax {
  Origin origin;
  const ir::Op* scores = nullptr;
  const Product* product = nullptr;
  int64_t heads = 0, queries = 0, keys = 0;
  LaneId lanes = kOneLane;
  const ir::Value* open_windows = nullptr;  // how many of its windows of earlier keys are open
  std::vector<CopyId> out = {};
  CopyId in = 0;  // of scores that are no product's result but stored
  bool stored() const { return product == nullptr; }
  int64_t earlier() const { return keys - queries; }
};

class SoftmaxTable : public TableKind {
 public:
  SoftmaxTable(LaneId family, std::string name) : family_(family), name_(std::move(name)) {}
  std::string name() const override { return name_; }
  size_t items() const override { return softmaxes.size(); }
  LaneId lanes(size_t item) const override { return softmaxes[item].lanes; }
  LaneId family() const { return family_; }
  int64_t rows(size_t item, const Layout& layout) const override;
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override;

  std::deque<Softmax> softmaxes;  // pointed to
  // Of the public numbers of open windows: one for each table.
  CopyId windows = 0;

 private:
  LaneId family_;
  std::string name_;
};

class SoftmaxGadget : public Gadget {
 public:
  SoftmaxGadget(Wiring& wiring, Products& products);

  llvm::ArrayRef<llvm::StringLiteral> ops() const override;
  absl::Status plan(const Origin& origin) override;
  absl::Status connect() override;
  std::vector<const TableKind*> tables() const override { return {&table_, &stored_}; }
  void trace(TraceWriter& t, const ir::Op& op) const override;

  const SoftmaxTable& table() const { return table_; }
  void setWindows(CopyId windows) { table_.windows = windows; }
  const std::deque<Softmax>& items() const { return table_.softmaxes; }

 private:
  Wiring& wiring_;
  Products& products_;
  SoftmaxTable table_, stored_;
};

}  // namespace lindero::passes
