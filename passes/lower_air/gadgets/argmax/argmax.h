// Argmax over the columns of an accumulator, row-major: a row holds some entries of a tensor's row.
//   a_i = M - (b_i + hi_i 2^15 + lo_i) is an expression;  RANGE(15, hi), RANGE(15, lo);
//   b_i = 1 before the chosen entry J, 0 from it on;  J = sum b;
//   o_i = b_(i-1) - b_i is 1 at J alone;  o_i (M - a_i) = 0: the maximum is attained, and b_i = 1
//   never follows 0, for M - a_i > 0 there.
// Entries before J are strictly smaller than M. README.md has the interval and uniqueness
// arguments.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/gadgets/products/products.h"

namespace lindero::passes {

struct Choice {
  Origin origin;
  const Accumulator* accumulator = nullptr;  // null: of a stored value, with
  CopyId in = 0;
  int64_t rows = 0, columns = 0;
  LaneId lanes = kOneLane;
  std::string name = {};  // of the public output
  CopyId indices = 0;
};

class ArgmaxTable : public TableKind {
 public:
  ArgmaxTable(LaneId family, std::string name) : family_(family), name_(std::move(name)) {}
  std::string name() const override { return name_; }
  size_t items() const override { return choices.size(); }
  LaneId lanes(size_t item) const override { return choices[item].lanes; }
  LaneId family() const { return family_; }
  int64_t rows(size_t item, const Layout& layout) const override;
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override;

  std::deque<Choice> choices;  // pointed to

 private:
  LaneId family_;
  std::string name_;
};

class Argmax : public Gadget {
 public:
  Argmax(Wiring& wiring, Products& products);

  llvm::ArrayRef<llvm::StringLiteral> ops() const override;
  absl::Status plan(const Origin& origin) override;
  absl::StatusOr<bool> planOutput(const Origin& origin, const ir::Value* value,
                                  const std::string& name) override;
  absl::Status connect() override;
  std::vector<const TableKind*> tables() const override { return {&table_, &stored_}; }
  void trace(TraceWriter& t, const ir::Op& op) const override;
  ir::Value* traceOutput(TraceWriter& t, const ir::Value* value) const override;

  // Null if there are none, or several.
  const Choice* onlyChoice() const;

 private:
  Choice* choiceOf(const ir::Value* value);

  Wiring& wiring_;
  Products& products_;
  ArgmaxTable table_, stored_;
};

}  // namespace lindero::passes
