// Matrix products: X W with constant weights (integer.linear), Q K^T (integer.scores) and P V
// (integer.mix), each checked as one equation of folds (README.md).
//
// The table `operands` holds the witness sides, `weights` the constant ones. The result of a
// product is no column: it is an expression of the cells of whoever takes it, an *accumulator*. If
// its readers do not take each of its columns once, and all for the same use, it is stored.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "passes/lower_air/gadgets/gadget.h"

namespace lindero::passes {

// A constant matrix, folded over its columns.
struct Matrix {
  Origin origin;
  const ir::Value* constant = nullptr;
  int64_t rows = 0, columns = 0;
  // The product whose factor it is; null: its rows are looked up (a vocabulary).
  const Product* product = nullptr;
};

// A tensor as a factor of products, or added to one.
struct Operand {
  enum Kind {
    kLeft,          // column-major, folded over rows: X of a linear op, Q, P
    kRightRows,     // column-major, folded over rows (the product's columns): K
    kRightColumns,  // row-major, folded over columns: V
    kAdded,         // column-major, folded over rows and columns, times 2^shift: a residual stream
  };
  Origin origin;
  Kind kind = kLeft;
  const ir::Value* value = nullptr;
  const Product* product = nullptr;
  int64_t batch = 1;      // matrices of a tensor of rank 3 (P)
  int64_t inner = 0;      // folded values per batch
  int64_t length = 0;     // elements folded into each
  int64_t heads = 1;      // kRightColumns: column groups of V
  int64_t shift = 0;      // kAdded
  bool selected = false;  // some rows of a tensor
  LaneId lanes = kOneLane;
  const Matrix* matrix = nullptr;    // kLeft: the other factor
  const Operand* partner = nullptr;  // kLeft: or this one
  CopyId copy = 0;
  // Right kinds: how many of the tensor's rows, the first ones, were left by the window before. The
  // window leaves as many, the last ones, at the same addresses.
  int64_t linked = 0;
  CopyId handed_on = 0;
};

// Columns [start, start + size) of an accumulator, and the op that takes them.
struct Part {
  Origin origin;
  int64_t start = 0, size = 0;
  const ir::Value* result = nullptr;
  std::string name = {};  // of the public output
};

struct Accumulator {
  Origin origin;  // the op of the product
  Product* product = nullptr;
  int64_t rows = 0, columns = 0;
  LaneId lanes = kOneLane;
  const ir::Value* bias = nullptr;
  Matrix* matrix = nullptr;  // of a linear op
  std::vector<Part> parts = {};
  // Scores, of which the columns of each head are a matrix of their own.
  int64_t blocks = 1;
  // It has columns of its own, which are copied to its readers.
  bool stored = false;
  std::vector<CopyId> out = {};
};

// A tensor that windows of steps hand on, and what becomes of it: an input, and the result of
// integer.append_rows.
struct Linked {
  const ir::Value* before = nullptr;
  const ir::Value* all = nullptr;
};

// Rows of all tables of weights and operands, numbered through: that of a matrix's or operand's
// first fold, and how many rows each fold takes.
struct FoldSource {
  int64_t first = 0, stride = 1;
};

class WeightsTable : public TableKind {
 public:
  explicit WeightsTable(LaneId lanes) : lanes_(lanes) {}
  std::string name() const override { return "weights"; }
  size_t items() const override { return matrices.size(); }
  LaneId lanes(size_t item) const override { return lanes_; }
  int64_t rows(size_t item, const Layout& layout) const override;
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override;

  // The columns that are folded, with those that pad the other side of the product; table rows per
  // matrix row; lanes before the first column, which stay zero.
  int64_t foldedColumns(const Matrix& m, const Layout& layout) const;
  int64_t rowTiles(const Matrix& m, const Layout& layout) const;
  int64_t padding(const Matrix& m, const Layout& layout) const;
  FoldSource source(const Matrix& m, const Layout& layout) const;

  std::deque<Matrix> matrices;  // pointed to

 private:
  LaneId lanes_;
};

class OperandsTable : public TableKind {
 public:
  explicit OperandsTable(const WeightsTable& weights) : weights_(weights) {}
  std::string name() const override { return "operands"; }
  size_t items() const override { return operands.size(); }
  LaneId lanes(size_t item) const override { return operands[item].lanes; }
  int64_t rows(size_t item, const Layout& layout) const override;
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override;

  std::deque<Operand> operands;  // pointed to

 private:
  FoldSource source(const Operand& o, const Layout& layout) const;
  GatherSources gatherSources(const Layout& layout) const;

  const WeightsTable& weights_;
};

class Products : public Gadget {
 public:
  explicit Products(Wiring& wiring);

  llvm::ArrayRef<llvm::StringLiteral> ops() const override;
  absl::Status plan(const Origin& origin) override;
  absl::StatusOr<bool> planOutput(const Origin& origin, const ir::Value* value,
                                  const std::string& name) override;
  absl::Status connect() override;
  std::vector<const TableKind*> tables() const override { return {&weights_, &operands_}; }
  void traceInputs(TraceWriter& t) const override;
  void trace(TraceWriter& t, const ir::Op& op) const override;

  // The accumulator that is no column, of which the value is a view; null: there is none.
  Accumulator* findAccumulator(const ir::Value* value) const;
  std::deque<Accumulator>& accumulators() { return accumulators_; }
  // Adds 2^shift times a tensor to a product's result.
  void addOperand(const Origin& origin, const Accumulator& to, const ir::Value* value,
                  int64_t shift);
  // The product that is the scores of a softmax; null if they are stored.
  const Product* scoresOf(const ir::Value* value) const;
  // A matrix whose rows are looked up, by (number of a fold source, fold).
  const Matrix* addVocabulary(const Origin& origin, const ir::Value* constant);

  const WeightsTable& weights() const { return weights_; }
  llvm::ArrayRef<Linked> linked() const { return linked_; }
  bool selectsRows() const;

  // Columns of an accumulator.
  ir::Value* traceColumns(TraceWriter& t, const Accumulator& a, int64_t start, int64_t size) const;

 private:
  absl::Status planLinear(const Origin& origin);
  absl::Status planScores(const Origin& origin);
  absl::Status planMix(const Origin& origin);
  absl::Status planAppendRows(const Origin& origin);
  void addAccumulator(Accumulator a);
  bool isTaken(const Accumulator& a) const;
  absl::Status connectLinked(Operand& o, const Linked& c);
  LaneId lanesOf(const Operand& o, const ir::Value* read);
  const Linked* appended(const ir::Value* value) const;

  Wiring& wiring_;
  WeightsTable weights_;
  OperandsTable operands_;
  std::deque<Accumulator> accumulators_;  // pointed to
  llvm::DenseMap<const ir::Value*, Accumulator*> accumulator_of_;
  llvm::DenseMap<const ir::Value*, const Product*> scores_;
  std::vector<Linked> appended_, linked_;
  llvm::DenseSet<const ir::Value*> read_;  // inputs to which rows are appended
};

// The multiplier of a fold's step, where rows are held row-major, from a tensor's row to the next.
ir::Value* nextRow(CircuitBuilder& c, int64_t lanes, int64_t columns);

}  // namespace lindero::passes
