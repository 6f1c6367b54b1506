// The order in which a table holds the elements of a value: line after line, the lanes of a row
// along the line. Lines are the value's rows (row-major), or the columns of one matrix of it after
// the other (column-major).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "passes/lower_air/gadgets/wiring.h"

namespace lindero::passes {

struct Lines {
  Major major = Major::kRow;
  int64_t length = 1;   // elements of a line
  int64_t columns = 1;  // lines that lie side by side: of a matrix, if column-major
  int64_t count = 1;

  static Lines of(const MatrixShape& shape, Major major);

  int64_t elements() const { return count * length; }
  // Where the e-th element stands in row-major order, and the other way round.
  int64_t flat(int64_t e) const;
  int64_t at(int64_t flat) const;

  // Rows with this number of lanes: the last one of a line may not be full.
  int64_t tiles(int64_t lanes) const { return (length + lanes - 1) / lanes; }
  int64_t rows(int64_t lanes) const { return count * tiles(lanes); }
};

// Some of a row's lanes, and the rows of all lines that have them.
struct LinePart {
  int64_t lanes = 0;
  int64_t first_tile = 0, tiles = 0;
};
std::vector<LinePart> partsOf(const Lines& lines, int64_t lanes);

// Loops over the rows of a part that step through what is numbered along the lines, `per_line` to a
// line and `per_row` to a row.
std::vector<Loop> loopsOver(const Lines& lines, const LinePart& part, int64_t lanes,
                            int64_t per_line, int64_t per_row);
// Where elements stand, as they are in a buffer (row-major), for a part of the rows.
Cells cellsOf(const Lines& lines, const LinePart& part, int64_t lanes, int64_t first_row);

// Loops that run through the numbers, `stride` apart, with their first value as the offset; none if
// that takes more than a few.
std::optional<std::vector<Loop>> findLoops(llvm::ArrayRef<int32_t> numbers, int64_t stride);

}  // namespace lindero::passes
