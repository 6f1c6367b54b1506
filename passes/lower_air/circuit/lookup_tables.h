// The lookup tables of a circuit. Gadgets ask for a table while they are built and get its id;
// build() then stacks all of a bus, in several sets of columns where that costs less.
//
//   function    (id, u, f(u))         functions of one integer:
//     RANGE(t), id t, 0..16           0 for 0 <= u < 2^t
//     square                          (u^2 + 2^(q-1)) >> q, |u| < 2^15
//     activation                      a constant's elements, from u = -size/2 or another key on
//     opened                          u >= n for 0 <= u < 2n
//   root        (id, m, R, t0)        reciprocal square root of a normalized variance
//   exponential (id, k, w, p, p-)     e^-k and e^-(k-1); dead rows cover [k, k + 2^w), p = 0
//   four        (limit, j, 4^j, lo)   j <= limit; lo = 0 for j = 0, else 2^14
//   two         (t, 2^t)              t <= 16
//   row_square  (id, u, v, c)         v = (u^2 + 2^(q-1)) >> q, -2^15 <= u < 2^15; c = 0 if u is
//                                     in [-2^14, 2^14), else 1
//   row_shift   (id, e, 2^e, s, eps)  e <= limit; s = 0 for e = 0, else 1; eps = epsilon / 4^e
//
// Ids of roots, exponentials, squares and shifts of rows start at 1: rows beyond the last table are
// zero, and nothing looks up id 0 there. In the bus of functions such a row is RANGE(0).
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ir/core/ir.h"
#include "passes/lower_air/circuit/circuit_builder.h"

namespace lindero::passes {

class LookupTables {
 public:
  void useRange(int64_t tag);
  // At most 16, or the ids of ranges are those of other functions.
  int64_t widestRange() const { return max_tag_; }
  int64_t square(int64_t shift);
  int64_t root(const ir::Value* table);      // constant [65536, 2]
  int64_t activation(const ir::Op& lookup);  // constant [keys]
  int64_t exponential(const ir::Op& softmax);
  int64_t opened(int64_t from);
  int64_t rowSquare(int64_t shift);
  int64_t rowShift(int64_t limit, int64_t epsilon);
  // Powers of four up to 4^limit, and of two. The limit is part of the tuple: a variance beyond it
  // must not find a larger shift, for which a normalization would have two witnesses.
  void usePowers(int64_t limit) { exponent_limits_.insert(limit); }

  // Makes the elements, too: until then a table that is asked for costs nothing.
  void build(CircuitBuilder& circuit, ir::Module& module, const TableLimits& limits);
  // The tables that build() would make.
  std::vector<TableSize> measure(const TableLimits& limits) const;

  // After build(): where an id's rows stand.
  struct Place {
    std::string table;
    std::string column;  // the first column after the id
    int64_t first_row = 0;
    int64_t rows = 0;
    // Another column of the same tuple.
    std::string sibling(const std::string& name) const {
      return column.substr(0, column.rfind('.') + 1) + name;
    }
  };
  const Place& place(const std::string& bus, int64_t id) const { return places_.at({bus, id}); }

 private:
  // One table of a bus: columns of equal length, in the pool under `sources`.
  struct Entry {
    int64_t id;
    int64_t rows;
    int64_t low;  // of the key: row = first_row + key - low
    // Elements of a constant of the pool; without a name, offset + i stride; or those that
    // `elements` makes, which become a constant when the table is built.
    struct Source {
      std::string constant;
      int64_t offset, stride;
      std::function<std::vector<int64_t>(const ir::ConstantPool&)> elements = {};
    };
    std::vector<Source> sources;
  };
  struct Bus {
    std::string name;
    std::vector<std::string> columns;  // after the id
    int64_t first_id;
    std::vector<Entry> entries = {};
    std::map<std::string, int64_t> ids = {};
  };
  Entry& newEntry(Bus& bus, const std::string& key, int64_t rows, int64_t low);
  void addRanges();
  void makeElements(Bus& bus, ir::Module& module);
  std::vector<TableSize> buildTables(CircuitBuilder& circuit, const TableLimits& limits);
  TableSize buildBuses(CircuitBuilder& circuit, const char* name,
                       const std::vector<const Bus*>& buses, const TableLimits& limits);
  void buildBus(TableBuilder& table, const Bus& bus);
  TableSize buildPowers(CircuitBuilder& circuit);

  int64_t max_tag_ = 0;
  std::set<int64_t> exponent_limits_;
  static constexpr int64_t kRanges = 17;
  Bus function_{"function", {"u", "value"}, kRanges};
  Bus root_{"root", {"m", "R", "t0"}, 1};
  Bus exponential_{"exponential", {"k", "w", "p", "previous"}, 1};
  Bus row_square_{"row_square", {"u", "v", "large"}, 1};
  Bus row_shift_{"row_shift", {"e", "power", "coarse", "epsilon"}, 1};
  std::map<std::pair<std::string, int64_t>, Place> places_;
};

}  // namespace lindero::passes
