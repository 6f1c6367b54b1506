// Embeddings, row-major: a row holds some columns of a looked up row. The fold of that row,
// sum_j sigma^(D-1-j) W[id, j], is a phase-2 value of the table of weights, so the bus (row, fold)
// is checked under challenges drawn after phase 2.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/gadgets/products/products.h"

namespace lindero::passes {

struct Embedding {
  Origin origin;
  const Matrix* matrix = nullptr;
  int64_t rows = 0, width = 0;
  LaneId lanes = kOneLane;
  const ir::Value* addend = nullptr;  // a constant
  const ir::Value* added = nullptr;   // or a tensor
  std::string name;                   // of the public input
  CopyId ids = 0;
  // Of ids that several embeddings read, the first one gives them to the others.
  Embedding* reads_first = nullptr;
  int64_t ids_below = 0;  // what the ids are less than: the rows of the smallest matrix
  std::vector<CopyId> shared = {};
  std::optional<CopyId> in = {};  // of `added`
  std::vector<CopyId> out = {};
};

class EmbeddingsTable : public TableKind {
 public:
  EmbeddingsTable(const char* name, const Products& products) : name_(name), products_(products) {}
  std::string name() const override { return name_; }
  size_t items() const override { return embeddings.size(); }
  LaneId lanes(size_t item) const override { return embeddings[item].lanes; }
  int64_t rows(size_t item, const Layout& layout) const override;
  void build(AirLowering& l, TableBuilder& t, llvm::ArrayRef<Placed> items) const override;

  std::deque<Embedding> embeddings;  // pointed to

 private:
  const char* name_;
  const Products& products_;
};

class Embeddings : public Gadget {
 public:
  Embeddings(Wiring& wiring, Products& products);

  llvm::ArrayRef<llvm::StringLiteral> ops() const override;
  absl::Status plan(const Origin& origin) override;
  absl::Status connect() override;
  std::vector<const TableKind*> tables() const override { return {&rows_, &values_}; }
  void trace(TraceWriter& t, const ir::Op& op) const override;

  const std::deque<Embedding>& items() const { return rows_.embeddings; }

 private:
  EmbeddingsTable& tableOf(const ir::Op& op);
  const Embedding& find(const ir::Op& op) const;

  Wiring& wiring_;
  Products& products_;
  std::map<std::string, Embedding*> readers_;  // the first of each input
  EmbeddingsTable rows_;
  EmbeddingsTable values_;  // of one column: they leave the others their lanes
};

}  // namespace lindero::passes
