// The cells of a trace, a few of them changed, and the rows of a circuit's parts that read those.
//
// Writing a cell touches the rows that read it: whoever runs a part takes its touched rows and
// clears them. Parts are evaluated on the cells as they are now. undo() makes the trace what it
// was. About 5 microseconds for a cell.
#ifndef LINDERO_RUNTIME_CHECK_CHANGED_CELLS_H_
#define LINDERO_RUNTIME_CHECK_CHANGED_CELLS_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "runtime/check/point_program.h"
#include "runtime/check/read_index.h"
#include "runtime/eval/row_program.h"
#include "runtime/package/package.h"

namespace lindero::runtime {

// A cell of phase 1 and its new value, a residue.
struct CellChange {
  uint32_t table;
  uint32_t column;
  uint64_t row;
  uint32_t value;
};

class ChangedCells {
 public:
  // `main` holds phase 1 and `columns` all others, filled; both are changed in place. `scalars`
  // knows all challenges and claimed sums. All must outlive this.
  ChangedCells(const Package& package, const ReadIndex& index, const Scalars& scalars,
               absl::Span<uint32_t> main, Columns& columns);

  void write(const CellChange& change);
  // Of a later phase.
  void write(uint32_t table, uint32_t column, uint64_t row, const QM31& value);
  // All that was written since the last call, and nothing is touched any more.
  void undo();

  // The first touched generator, no longer touched as a part; its rows are until they are cleared.
  // Each reads only earlier ones: none comes twice.
  std::optional<uint32_t> takeGenerator();
  // All other touched parts, in the order in which they were touched.
  std::vector<uint32_t> takeOthers() { return std::exchange(others_, {}); }
  std::vector<uint64_t>& rows(uint32_t part) { return parts_[part].rows; }
  void clearRows(uint32_t part);

  // The values of a part's nodes on each of the rows; those are valid during the visit.
  void evaluate(uint32_t part, absl::Span<const uint64_t> rows,
                absl::FunctionRef<void(size_t i, absl::Span<const QM31> values)> visit);
  void evaluateAll(uint32_t part,
                   absl::FunctionRef<void(size_t row, absl::Span<const QM31> values)> visit);
  // On one row, valid until the next call for the part.
  absl::Span<const QM31> at(uint32_t part, uint64_t row) {
    return parts_[part].program.run(columns_, row);
  }

  absl::Span<const uint32_t> main() const { return main_; }
  uint32_t mainCell(uint32_t table, uint32_t column, uint64_t row) const {
    return main_[package_.traceLayout().offset(table, column) + row];
  }
  const Columns& columns() const { return columns_; }
  const Package& package() const { return package_; }
  const ReadIndex& index() const { return index_; }
  const CircuitPart& part(uint32_t part) const { return index_.parts()[part]; }
  const Table& tableOf(uint32_t part) const {
    return package_.circuit().tables(static_cast<int>(this->part(part).table));
  }
  // Of a part that is a generator, or a lookup.
  const Column& column(uint32_t part) const {
    return tableOf(part).columns(static_cast<int>(this->part(part).index));
  }
  const Lookup& lookup(uint32_t part) const {
    return tableOf(part).lookups(static_cast<int>(this->part(part).index));
  }

 private:
  struct Part {
    PointProgram program;
    std::unique_ptr<RowProgram> many = nullptr;  // for many rows at a time, as soon as there are
    std::unique_ptr<RowEvaluator> evaluator = nullptr;
    std::vector<uint64_t> rows = {};  // touched
    std::vector<bool> touched = {};   // by row
  };
  struct Undo {
    uint32_t table, column;
    uint64_t row;
    QM31 value;
  };
  uint64_t height(uint32_t table) const;
  uint32_t& cell(uint32_t table, uint32_t column, uint64_t row);
  void touchReaders(uint32_t table, uint32_t column, uint64_t row);
  void touch(uint32_t part, uint64_t row);

  const Package& package_;
  const ReadIndex& index_;
  const Scalars& scalars_;
  absl::Span<uint32_t> main_;
  Columns& columns_;
  std::vector<Part> parts_;
  std::vector<uint32_t> generators_, others_;  // touched parts; generators as a heap
  std::vector<Undo> undo_;
  std::vector<QM31> values_;  // of a row of a part
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_CHECK_CHANGED_CELLS_H_
