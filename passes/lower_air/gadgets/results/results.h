// Results of matrix products, column-major: requantized or looked up (table `results`), or
// published as they are (table `outputs`).
//
// A row holds a column's elements of some tensor rows; s, the function f and the bias are fixed per
// row. The accumulator is an expression of the committed lanes, and the product check binds it:
//   acc = q 2^s + r - 2^(s-1);  (f, q + offset, g) is in the bus of functions;  RANGE(s, r);
//   sum_j sigma^(n-1-j) sum_t rho^(T-1-t) (acc - bias)[t, j] = sum_i a_i w_i  (products).
// A requantized element is q, with f = RANGE(bits) and g = 0; an element looked up is g. README.md
// has the interval and uniqueness arguments.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/gadgets/products/products.h"

namespace lindero::passes {

// An accumulator, all of whose columns go to one table.
struct Result {
  const Accumulator* accumulator = nullptr;
  std::vector<CopyId> copies = {};  // outputs: one per part
};

class ResultsTable : public TableKind {
 public:
  std::string name() const override { return "results"; }
  size_t items() const override { return results.size(); }
  LaneId lanes(size_t item) const override { return results[item].accumulator->lanes; }
  int64_t rows(size_t item, const Layout& layout) const override;
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override;

  std::vector<Result> results;
  // The copies of each part's result.
  std::map<const ir::Value*, std::vector<CopyId>> out;
};

class OutputsTable : public TableKind {
 public:
  std::string name() const override { return "outputs"; }
  size_t items() const override { return results.size(); }
  LaneId lanes(size_t item) const override { return results[item].accumulator->lanes; }
  int64_t rows(size_t item, const Layout& layout) const override;
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override;

  std::vector<Result> results;
};

class Results : public Gadget {
 public:
  Results(Wiring& wiring, Products& products);

  llvm::ArrayRef<llvm::StringLiteral> ops() const override;
  bool encodes(const ir::Op& op) const override;
  absl::Status plan(const Origin& origin) override;
  absl::StatusOr<bool> planOutput(const Origin& origin, const ir::Value* value,
                                  const std::string& name) override;
  absl::Status connect() override;
  std::vector<const TableKind*> tables() const override { return {&results_, &outputs_}; }
  void trace(TraceWriter& t, const ir::Op& op) const override;
  ir::Value* traceOutput(TraceWriter& t, const ir::Value* value) const override;

  bool publishes() const {
    return llvm::any_of(outputs_.results, [](const Result& r) { return !r.accumulator->stored; });
  }

 private:
  Wiring& wiring_;
  Products& products_;
  ResultsTable results_;
  OutputsTable outputs_;
};

// The quotient and remainder of a requantize or lookup, and what is looked up.
void traceRounding(TraceWriter& t, const ir::Op& op, ir::Value* acc);

}  // namespace lindero::passes
