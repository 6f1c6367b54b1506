// Static analysis: may a cell make a difference? For padding, whose cells a prover may fill as it
// likes.
//
// A cell has influence when a constraint, a lookup that counts, or a claimed sum may depend on it,
// in an accepted trace and for some value of all other cells. Expressions are followed on the rows
// that read the cell, with fixed cells at their values: what is multiplied by a fixed zero does not
// count, and a factor that a numerator and its denominator share cancels. Generated cells that
// depend on the cell are followed in turn; their definitions do not count, since whoever fills them
// satisfies those. Main cells that a constraint of the same row forces to zero, whatever the rest,
// are taken as zero.
#ifndef LINDERO_RUNTIME_CHECK_INFLUENCE_H_
#define LINDERO_RUNTIME_CHECK_INFLUENCE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/check/read_index.h"

namespace lindero::runtime {

struct Cell {
  uint32_t table;
  uint32_t column;
  uint64_t row;
};

class Influence {
 public:
  // Both must outlive this.
  Influence(const Package& package, const ReadIndex& index);

  // What may depend on the main cell, e.g. "constraint norms.variance"; empty: nothing.
  std::string of(const Cell& cell);

  // Whether the part's row may depend on the cell, which is read there; constraints that force
  // zeros are not used, so this holds for rejected traces too.
  bool reads(const CircuitPart& part, uint64_t row, const Cell& cell);

 private:
  struct Value {
    enum Kind : uint8_t { kKnown, kClean, kTainted } kind = kClean;
    uint32_t known = 0;  // a residue
    bool isZero() const { return kind == kKnown && known == 0; }
  };
  using RowCell = std::pair<uint32_t, uint64_t>;  // column, row

  void startRow(uint32_t table, uint64_t row, bool use_forced);
  Value eval(uint32_t node);
  Value cell(const Node& node);
  // Appends what is multiplied to make the node; false: it is zero.
  bool factors(uint32_t node, std::vector<uint32_t>& out);
  bool depends(const CircuitPart& part);
  bool quotientDepends(uint32_t numerator, uint32_t denominator);
  const std::set<uint32_t>& forcedZeros(uint32_t table, uint64_t row);
  std::string describe(const CircuitPart& part) const;

  const Package& package_;
  const ReadIndex& index_;
  std::vector<std::vector<const CircuitPart*>> constraints_;  // by table
  // The row under evaluation, and values found there.
  uint32_t table_ = 0;
  uint64_t row_ = 0;
  bool use_forced_ = false;
  std::vector<Value> values_;
  std::vector<uint32_t> stamps_;
  uint32_t stamp_ = 0;
  std::set<RowCell> tainted_;  // of table_
  std::map<std::pair<uint32_t, uint64_t>, std::set<uint32_t>> forced_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_INFLUENCE_H_
