// Builds the air function: tables, columns, expressions, and the records from which the trace
// program fills the columns.
//
// Expressions are written with operators (`q * pow + r - offset`); an Expr is a value of the air
// dialect inside its table. Equal subexpressions of a table are made once. Expressions of
// challenges alone live outside the tables.
//
// A builder without a function only counts: the same code that builds a table then says how many
// columns it has (shape()), at the cost of a few additions per expression.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "ir/core/ir.h"
#include "llvm/ADT/StringSet.h"
#include "passes/lower_air/lower_sums/lower_sums.h"

namespace lindero::passes {

class CircuitBuilder;
class TableBuilder;

// The height of a table with this many rows in use.
int64_t heightOf(int64_t rows);

struct Expr {
  ir::Value* value = nullptr;  // null where columns are only counted
  TableBuilder* table = nullptr;
  int degree = 0;  // in the columns of a row
};
Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);

using Lanes = std::vector<Expr>;

// The sum group of a public tensor, which it has to itself.
inline std::string publicGroup(llvm::StringRef tensor) { return "public:" + tensor.str(); }
// The sum group of an end of a link.
inline std::string linkGroup(llvm::StringRef link) { return "link:" + link.str(); }
// Sum groups of what a block of a bundle takes and leaves.
inline constexpr char kLinkIn[] = "link.in", kLinkOut[] = "link.out";

// One loop of a fill: see Placement in runtime/program/program.proto.
struct Loop {
  int64_t count;
  int64_t row_stride;
  int64_t value_stride;
};

// Where a column's cells come from, for a run of rows.
struct Cells {
  int64_t first_row = 0;
  std::vector<Loop> loops;
  int64_t offset = 0;
  int64_t lane_stride = 0;
};

// A witness tensor: a value of the integer program (no name) or what its gadget needs besides, by
// the name of the trace op's result.
struct Witness {
  const ir::Value* value = nullptr;
  std::string name;
  auto operator<=>(const Witness&) const = default;
};

// "Put this witness there", resolved when the trace program is written.
struct WitnessPlacement {
  Witness witness;
  std::string table;
  std::string column;  // the first lane's
  int64_t lanes;
  Cells cells;
};

// Where a constant stands in the fixed columns, for the trace program to load.
struct ConstantPlace {
  std::string table;
  std::string column;
  int64_t lanes;
  Cells cells;
  int64_t size;  // elements of the buffer it is loaded into
};
// By the constant; or by the value whose op reads it, and as what, if it stands as the op needs it.
using ConstantPlaces = std::map<Witness, ConstantPlace>;

// What a gather reads: rows [bases[i], bases[i] + rows[i]) are those of a column of a table.
struct GatherSources {
  std::vector<std::string> tables = {}, columns = {};
  std::vector<int64_t> bases = {}, rows = {};
};

// The columns of a table once its sums are lowered. A fold or a fraction is a column of the
// extension field, of four cells.
struct TableShape {
  int64_t fixed = 0, main = 0, folds = 0, fractions = 0;
  int64_t online() const { return main + 4 * (folds + fractions); }
  int64_t columns() const { return fixed + online(); }
  bool operator==(const TableShape&) const = default;
};

struct TableSize {
  std::string name;
  int64_t height = 0;
  TableShape shape;
  bool operator==(const TableSize&) const = default;
};

// By what it is decided how items that could stand in one table are divided among several.
struct TableLimits {
  int64_t column_cost = 0;      // a column counts as much as so many cells
  int64_t tallest = INT64_MAX;  // rows of a table, unless an item alone has more
};

class TableBuilder {
 public:
  TableBuilder(CircuitBuilder& circuit, llvm::StringRef name, int64_t rows);
  const std::string& name() const { return name_; }
  int64_t height() const { return height_; }
  TableShape shape() const;
  TableSize size() const { return {name_, height_, shape()}; }
  CircuitBuilder& circuit() { return circuit_; }

  Expr fixed(llvm::StringRef name);
  Expr main(llvm::StringRef name);
  Lanes fixedLanes(llvm::StringRef name, int count);
  Lanes mainLanes(llvm::StringRef name, int count);

  // Fixed cells: constants of the pool, or the affine value itself when `source` is empty.
  void fill(const Lanes& lanes, const Cells& cells, llvm::StringRef source = "");
  void fill(Expr column, const Cells& cells, llvm::StringRef source = "");
  // rows [first, first + count) = value
  void fillConstant(Expr column, int64_t first, int64_t count, int64_t value);
  // Main cells.
  void place(const Lanes& lanes, Witness witness, const Cells& cells);
  void place(Expr column, Witness witness, const Cells& cells);

  Expr constant(int64_t value);
  Expr outside(ir::Value* challenge) { return {challenge, this, 0}; }
  Expr previous(Expr column);  // the row before, cyclically
  Expr zero() { return constant(0); }
  Expr sum(const Lanes& values);
  Expr dot(const Lanes& values, llvm::ArrayRef<ir::Value*> weights);

  // Phase-2 columns with their defining constraint. `rows`: the most from one on which the fixed
  // cells make mul zero to before the next; what the value's degree is counted by.
  Expr scan(llvm::StringRef name, int64_t rows, Expr mul, Expr add);
  Expr gather(llvm::StringRef name, Expr index, const GatherSources& sources);

  enum class Kind { kLocal, kContinuity, kBoundary };
  void constrain(Expr zero, llvm::StringRef name, Kind kind = Kind::kLocal);
  // Adds numerator / denominator of every row to a sum that is zero: that of a sum group, or, if
  // it has no name, of all edges and products.
  void term(llvm::StringRef name, Expr numerator, Expr denominator, Kind kind = Kind::kLocal,
            llvm::StringRef group = "");
  // To the sum that lookups enter, too: the numerator may read folds (phase 2).
  void copyTerm(llvm::StringRef name, Expr numerator, Expr denominator);
  void lookup(llvm::StringRef name, llvm::StringRef bus, Expr multiplicity, const Lanes& tuple);
  // value in [0, 2^tag): a lookup in RANGE(tag), see lookup_tables.h.
  void range(llvm::StringRef name, Expr multiplicity, Expr tag, Expr value) {
    lookup(name, "function", multiplicity, {tag, value, zero()});
  }
  // Of a tagged bus, which has no providers: the tuple may be looked up, this many times in all.
  void give(llvm::StringRef name, llvm::StringRef bus, Expr times, const Lanes& tuple) {
    lookup(name, bus, zero() - times, tuple);
  }
  void provide(llvm::StringRef name, llvm::StringRef bus, Expr multiplicity, const Lanes& tuple,
               int64_t key, int64_t selector, std::vector<int64_t> offsets);
  void instance(int64_t first_row, int64_t rows, llvm::StringRef region, const ir::Location& nodes);

 private:
  friend class CircuitBuilder;
  friend Expr operator+(Expr, Expr);
  friend Expr operator-(Expr, Expr);
  friend Expr operator*(Expr, Expr);
  Expr binary(const char* op, Expr a, Expr b);
  void addTerm(llvm::StringRef name, llvm::StringRef group, int64_t phase, Expr numerator,
               Expr denominator, Kind kind);
  Expr column(llvm::StringRef name, int phase);
  ir::Op* addTuple(const char* op, llvm::StringRef name, llvm::StringRef bus, Expr multiplicity,
                   const Lanes& tuple);

  CircuitBuilder& circuit_;
  std::string name_;
  int64_t height_;
  std::optional<ir::Builder> body_;  // none where columns are only counted
  TableShape shape_;                 // without its fractions, which are, by sum group:
  std::map<std::string, std::vector<FractionDegrees>, std::less<>> fractions_;
  std::map<std::tuple<std::string, ir::Value*, ir::Value*>, ir::Value*> made_;
  std::map<int64_t, ir::Value*> constants_;
};

class CircuitBuilder {
 public:
  // Without a function: columns are only counted.
  explicit CircuitBuilder(ir::Function* function = nullptr);

  // Challenges; the first three pairs are drawn after phase 1.
  ir::Value* rho() { return challenge("rho", 1); }      // folds rows (tokens)
  ir::Value* sigma() { return challenge("sigma", 1); }  // folds columns (features)
  ir::Value* productPoint() { return challenge("product", 1); }
  ir::Value* addressPoint() { return challenge("address", 1); }
  ir::Value* rowPoint() { return challenge("row", 1); }
  ir::Value* columnPoint() { return challenge("column", 1); }
  ir::Value* copyPoint() { return challenge("copy", 2); }
  ir::Value* challenge(llvm::StringRef name, int after);

  ir::Value* power(ir::Value* base, int64_t exponent);  // negative: of the inverse
  ir::Value* multiply(ir::Value* a, ir::Value* b);
  // Lane weights 1 / (point - l).
  std::vector<ir::Value*> reciprocals(ir::Value* point, int count);
  // Horner weights base^(count-1), ..., base, 1.
  std::vector<ir::Value*> descendingPowers(ir::Value* base, int count);

  // Declares the bus, once.
  void bus(llvm::StringRef name, int64_t width, int64_t phase);
  struct Public {
    std::string name;
    bool output;
    int64_t rows, columns, low, high, exponent, address, tile_rows, tile_columns;
  };
  void publicTensor(const Public& p) { addPublic(p, publicGroup(p.name)); }
  // An end of a link in place of a public tensor.
  void linkEnd(const Public& p, int64_t slot) { addPublic(p, linkGroup(p.name), slot); }
  // What a block of a bundle takes from the one before and leaves to the next, in [low, high].
  void link(int64_t low, int64_t high, int64_t most_blocks);

  std::vector<WitnessPlacement>& placements() { return placements_; }
  ir::Function* function() { return function_; }

 private:
  friend class TableBuilder;
  ir::Builder outer();  // before the tables
  void group(llvm::StringRef name);
  void addPublic(const Public& p, const std::string& group_name, std::optional<int64_t> slot = {});
  ir::Value* outside(const char* op, llvm::ArrayRef<ir::Value*> operands, ir::Type type,
                     int64_t attribute = 0);
  ir::Function* function_;
  ir::Op* first_table_ = nullptr;
  llvm::StringSet<> groups_, buses_;
  std::map<std::string, ir::Value*, std::less<>> challenges_;
  std::map<std::tuple<std::string, ir::Value*, ir::Value*, int64_t>, ir::Value*> derived_;
  std::vector<WitnessPlacement> placements_;
};

}  // namespace lindero::passes
