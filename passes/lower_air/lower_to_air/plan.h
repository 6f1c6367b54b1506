// Analysis: what the tables must hold. Walks the integer function once and lists, per kind of work,
// the items to be stacked in a table, the products that tie them together and the edges along which
// a tensor is copied from one table to another.
//
// Layouts. A tensor has rows (tokens) and columns (features). A *feature-major* table has a row per
// (column, block of tensor rows); a *token-major* table has a row per (tensor row, block of
// columns). An edge cuts the tensor into tiles of tile_rows x tile_columns;
// an element is named by its tile's address and its place in the tile, whatever the layout at
// either end.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "llvm/ADT/DenseMap.h"
#include "passes/lower_air/lower_to_air/lower_to_air.h"

namespace lindero::passes {

// One copy of a tensor. Addresses are unique over all edges of the circuit.
struct Edge {
  int64_t address = 0;
  int64_t rows = 0, columns = 0;
  int64_t tile_rows = 1, tile_columns = 1;
  // The claim group of its ends if they are not both in the circuit.
  std::string group = {};
  // Rows of the producer that are copied; empty: all. They end where the last tile ends.
  std::vector<int64_t> selected;
  int64_t columnTiles() const { return (columns + tile_columns - 1) / tile_columns; }
  int64_t rowTiles() const { return (rows + tile_rows - 1) / tile_rows; }
  int64_t padding() const { return rowTiles() * tile_rows - rows; }
  int64_t tiles() const { return rowTiles() * columnTiles(); }
};

// What an item stands for: for messages and costs.
struct Origin {
  const ir::Op* op = nullptr;
  std::string region;
};

// A constant matrix, folded over its columns.
struct Matrix {
  Origin origin;
  const ir::Value* constant = nullptr;
  bool vocabulary = false;  // its rows are looked up; else it is the weights of a linear op
  int64_t rows = 0, columns = 0;
  int64_t folded_columns = 0;  // columns of the other side of the product, with its padding
  // Set when the table is built: position of row 0 among all fold sources, and rows of the table
  // per matrix row.
  int64_t copy_base = 0, blocks = 1;
  // Lanes in front of the first block that stay zero.
  int64_t padding(int64_t lanes) const { return blocks * lanes - folded_columns; }
};

// Matrix products of one shape: `count` products of rows x inner by inner x columns, with
// consecutive ids.
struct Product {
  int64_t id = 0, count = 1;
  int64_t rows = 0, inner = 0, columns = 0;
};

// A tensor as a factor of products, or added to one.
struct Operand {
  enum Kind {
    kLeft,          // feature-major, folded over rows: X of a linear op, Q, P
    kRightRows,     // feature-major, folded over rows (the product's columns): K
    kRightColumns,  // token-major, folded over columns: V
    kAdded,         // feature-major, folded over rows and columns, times 2^shift: a residual stream
  };
  Origin origin;
  Kind kind = kLeft;
  const ir::Value* value = nullptr;
  const Product* product = nullptr;
  int64_t batch = 1;        // heads whose tensors are copied by an edge each (P)
  int64_t inner = 0;        // folded values per batch
  int64_t length = 0;       // elements folded into each
  int64_t padding = 0;      // of them zeros in front
  int64_t heads = 1;        // kRightColumns: column groups of V
  std::vector<Edge> edges;  // one per batch
  // Right kinds: how many of the tensor's rows, the first ones, are of the block before, and their
  // copies: from there, and, of as many rows at the end, for the next one.
  int64_t carried = 0;
  std::vector<Edge> before, after;
  int64_t shift = 0;                 // kAdded
  bool selected = false;             // some rows of a tensor
  const Matrix* matrix = nullptr;    // kLeft: the other factor
  const Operand* partner = nullptr;  // kLeft: or this one
  int64_t copy_base = 0;             // right kinds: as in Matrix
  int64_t blocks = 1;                // table rows per folded value
};

// Columns [start, start + size) of a product's result, requantized, looked up or published as they
// are.
struct Part {
  Origin origin;  // the requantize, lookup or return op
  int64_t start = 0, size = 0;
  const ir::Value* result = nullptr;
  std::vector<Edge> out;
  std::string name;  // of the public output
};

// All columns of a linear or mix op in order, feature-major.
struct Result {
  Origin origin;  // the linear or mix op
  Product* product = nullptr;
  int64_t rows = 0, columns = 0;
  const ir::Value* bias = nullptr;
  std::vector<Part> parts;
};

struct Norm {
  Origin origin;
  int64_t rows = 0, width = 0;
  std::vector<Edge> in;       // one
  std::vector<Edge> forward;  // the input, passed on
  std::vector<Edge> out;
  int64_t statistics = 0;  // address of row 0's statistics
};

struct Attend {  // a softmax over scores
  Origin origin;
  const ir::Op* scores = nullptr;
  const Product* product = nullptr;
  int64_t heads = 0, queries = 0, keys = 0;
  const ir::Value* block = nullptr;  // how many of its blocks of earlier keys are open
  std::vector<Edge> out;             // one per head
  int64_t earlier() const { return keys - queries; }
};

struct Choice {  // an argmax over the columns of a linear op
  Origin origin;
  const ir::Op* linear = nullptr;
  Product* product = nullptr;
  Matrix* matrix = nullptr;
  int64_t rows = 0, columns = 0;
  const ir::Value* bias = nullptr;
  std::string name;  // of the public output
  int64_t address = 0;
};

struct Embed {
  Origin origin;
  const Matrix* matrix = nullptr;
  int64_t rows = 0, width = 0;
  const ir::Value* addend = nullptr;  // a constant
  const ir::Value* added = nullptr;   // or a tensor
  std::vector<Edge> in;               // its copy
  std::vector<Edge> out;
  std::string name;  // of the public input
  int64_t address = 0;
};

// An input that is not looked up in an embedding: integers from the verifier, in the layout of a
// requantized tensor.
struct Given {
  Origin origin;
  const ir::Value* value = nullptr;
  std::string name;
  std::vector<Edge> out;
};

// An output that is a stored tensor: one more copy, whose other end the verifier computes.
struct Export {
  Origin origin;
  const ir::Value* value = nullptr;
  std::string name;
  Edge edge;
};

// The step table of a decode run: row t consumes token t, whose embedding is read, and leaves token
// t + 1, which is the choice of position t or was given.
struct Steps {
  const Embed* embed = nullptr;
  const Embed* positions = nullptr;  // of a block of steps: the embedding that reads them
  const Choice* choice = nullptr;
  int64_t rows = 0;
  int64_t context = 0;  // steps of the longest run
  int64_t vocabulary = 0;
  // Of the public tensors kTape, kLengths, kBlock and the choices.
  int64_t tape = 0, lengths = 0, block = 0, choices = 0;
};
// Public inputs that a step table has, and nothing else (runtime/decode/decode_run.h).
inline constexpr char kTape[] = "decode/tape";        // rows + 1 tokens
inline constexpr char kLengths[] = "decode/lengths";  // steps before and behind; of them given
inline constexpr char kBlock[] = "decode/block";      // blocks before, for each table of scores

// A tensor of the block before, and what is left of it and this block's rows to the next one.
struct Carried {
  const ir::Value* before = nullptr;  // an input
  const ir::Value* all = nullptr;     // of integer.append_rows
};

// Elements in a row of a table.
struct LaneCounts {
  int64_t rows = 1;      // feature-major tables: tokens
  int64_t features = 1;  // norms and embeddings
  int64_t keys = 1;      // softmax
  int64_t entries = 1;   // argmax
  int64_t weights = 1;
};

struct Plan {
  LaneCounts lanes;
  int64_t column_cost = 0;  // in cells
  // Deques: items are pointed to.
  std::deque<Product> products;
  std::deque<Matrix> matrices;
  std::deque<Operand> operands;
  std::deque<Result> results, outputs;
  std::deque<Norm> norms;
  std::deque<Attend> attends;
  std::deque<Choice> choices;
  std::deque<Embed> embeds;
  std::deque<Given> givens;
  std::deque<Export> exports;
  std::deque<Carried> carried;
  std::optional<Steps> steps;
  // Integer ops in program order, regions flattened.
  std::vector<Origin> program;
  // What the results of regions and yields stand for.
  llvm::DenseMap<const ir::Value*, const ir::Value*> alias;
  const ir::Value* resolve(const ir::Value* v) const {
    for (auto it = alias.find(v); it != alias.end(); it = alias.find(v)) v = it->second;
    return v;
  }
};

absl::StatusOr<Plan> makePlan(const ir::Function& function, const LowerToAirOptions& options);

}  // namespace lindero::passes
