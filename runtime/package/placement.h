// The affine correspondence between the cells of a table and the elements of a buffer
// (program.proto, Placement).
//
// A placement is walked as runs: for one lane and one value of all dimensions but one, `count`
// cells at equidistant rows against as many equidistant elements, with the elements outside the
// buffer already cut off.
#ifndef LINDERO_RUNTIME_PACKAGE_PLACEMENT_H_
#define LINDERO_RUNTIME_PACKAGE_PLACEMENT_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/program/program.pb.h"

namespace lindero::runtime {

struct PlacementRun {
  uint64_t row;  // of the first cell
  int64_t row_stride;
  uint64_t value;  // buffer index of the first element
  int64_t value_stride;
  uint64_t count;  // >= 1
};

// The dimensions, that of the smallest row stride last. A dimension that continues the next one is
// one with it. There is always one.
std::vector<Dim> nestedDims(const Placement& placement);

// Calls visit for every run of one lane. Requires program::checkCells. The innermost dimension is
// the one with the smallest row stride, so that neighbouring cells are visited together.
void forEachRun(const Placement& placement, uint64_t lane, uint64_t buffer_size,
                absl::FunctionRef<void(const PlacementRun&)> visit);

// The rows of the first cell and of the last, which are those of every lane.
std::pair<uint64_t, uint64_t> rowsOf(const Placement& placement);

// buffer[value] = cell, or the cells of a table from the buffer. `column` is the lane's column.
void loadLane(const Placement& placement, uint64_t lane, absl::Span<const uint32_t> column,
              absl::Span<int32_t> buffer);
void storeLane(const Placement& placement, uint64_t lane, absl::Span<const int32_t> buffer,
               absl::Span<uint32_t> column);

// Loads all lanes, by tiles of as many neighbouring cells of each lane as keep the elements that
// they are written to in a cache: lanes interleave in the buffer. Requires program::checkCells; the
// placement outlives this. Tiles may be loaded in parallel where the placement is injective.
class PlacementTiles {
 public:
  using ColumnOf = absl::FunctionRef<absl::Span<const uint32_t>(uint64_t lane)>;

  explicit PlacementTiles(const Placement& placement);
  uint64_t count() const { return count_; }
  void load(uint64_t tile, ColumnOf columnOf, absl::Span<int32_t> buffer) const;

 private:
  static constexpr uint64_t kTileRows = 256;

  const Placement& placement_;
  std::vector<Dim> dims_;  // the innermost one last
  uint64_t pieces_ = 0;    // tiles along it
  uint64_t count_ = 0;
};

// No two cells hold the same element (sufficient, by nesting of the strides): lanes may be loaded
// in parallel.
bool isInjective(const Placement& placement);

// Finds single elements without walking the whole placement.
class PlacementIndex {
 public:
  struct Cell {
    uint64_t lane;
    uint64_t row;
  };

  // Requires program::checkCells. An error when value strides are negative or interleave so much
  // that a search would branch: no layout of a matrix does.
  static absl::StatusOr<PlacementIndex> create(const Placement& placement);

  // The cell that holds the element, if any.
  std::optional<Cell> find(int64_t value) const;

 private:
  struct Axis {
    int64_t value_stride;  // > 0, descending
    uint64_t count;
    int64_t row_stride;
    bool is_lane;
    int64_t rest;  // the largest value that the axes after this one reach
  };

  bool search(size_t axis, int64_t value, Cell& cell) const;

  int64_t offset_ = 0;
  uint64_t first_row_ = 0;
  std::vector<Axis> axes_;
};

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_PACKAGE_PLACEMENT_H_
