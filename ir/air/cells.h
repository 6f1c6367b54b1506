// The cells that an air.fill writes, and the reach of such loops.
#pragma once

#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "ir/core/ir.h"

namespace lindero::ir::air {

// Least and greatest origin + sum of i_k strides[k], 0 <= i_k < counts[k], counts >= 1; nothing if
// they leave 64 bits.
struct Extent {
  int64_t low, high;
};
std::optional<Extent> extent(int64_t origin, llvm::ArrayRef<int64_t> counts,
                             llvm::ArrayRef<int64_t> strides);

// What the fill can write: any element of its constant, or its loops' values. Nothing if the
// constant's elements are not known or are no integers, or if the values leave 64 bits.
std::optional<Extent> valuesOf(const ConstantPool& constants, const Op& fill);

// Calls `cells` with neighbouring lanes of a row, from `lane` on, for every such run that the fill
// writes; lanes are innermost, so that a constant is read in order. Cells whose index lies outside
// the source are left out. The error names the fill's source.
using VisitCells = absl::FunctionRef<void(int64_t row, size_t lane, llvm::ArrayRef<int64_t>)>;
absl::Status forEachRow(const ConstantPool& constants, const Op& fill, VisitCells cells);

// Only `count` lanes from `first` on.
struct LaneRange {
  size_t first, count;
};
absl::Status forEachRow(const ConstantPool& constants, const Op& fill, LaneRange lanes,
                        VisitCells cells);

// The same cell by cell.
absl::Status forEachCell(const ConstantPool& constants, const Op& fill,
                         absl::FunctionRef<void(size_t lane, int64_t row, int64_t value)> cell);

}  // namespace lindero::ir::air
