#include "runtime/package/placement.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/field/m31.h"

namespace lindero::runtime {
namespace {

// The i in [0, count) with 0 <= value + i * stride < size.
std::pair<int64_t, int64_t> inside(int64_t value, int64_t stride, int64_t count, int64_t size) {
  int64_t begin = 0, end = count;
  if (stride == 0) {
    if (value < 0 || value >= size) end = 0;
  } else if (stride > 0) {
    if (value < 0) begin = (-value + stride - 1) / stride;
    end = value >= size ? 0 : std::min(end, (size - value + stride - 1) / stride);
  } else {
    if (value >= size) begin = (value - size) / -stride + 1;
    end = value < 0 ? 0 : std::min(end, value / -stride + 1);
  }
  return {begin, end};
}

void loadRun(const PlacementRun& run, absl::Span<const uint32_t> column,
             absl::Span<int32_t> buffer) {
  const uint32_t* cell = column.data() + run.row;
  int32_t* element = buffer.data() + run.value;
  for (uint64_t i = 0; i < run.count; ++i) {
    uint32_t residue = cell[static_cast<int64_t>(i) * run.row_stride];
    // The centered representative: residues above (p - 1) / 2 are negative numbers.
    element[static_cast<int64_t>(i) * run.value_stride] =
        static_cast<int32_t>(residue > kModulus / 2 ? residue - kModulus : residue);
  }
}

}  // namespace

std::vector<Dim> nestedDims(const Placement& placement) {
  std::vector<Dim> sorted(placement.dims().begin(), placement.dims().end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const Dim& a, const Dim& b) {
    return std::abs(a.row_stride()) > std::abs(b.row_stride());
  });
  std::vector<Dim> dims;
  for (const Dim& dim : sorted) {
    const int64_t count = static_cast<int64_t>(dim.count());
    const bool continues = !dims.empty() && dims.back().row_stride() == count * dim.row_stride() &&
                           dims.back().value_stride() == count * dim.value_stride();
    if (!continues) {
      dims.push_back(dim);
      continue;
    }
    const uint64_t outer = dims.back().count();
    dims.back() = dim;
    dims.back().set_count(outer * dim.count());
  }
  if (dims.empty()) dims.emplace_back().set_count(1);
  return dims;
}

void forEachRun(const Placement& placement, uint64_t lane, uint64_t buffer_size,
                absl::FunctionRef<void(const PlacementRun&)> visit) {
  std::vector<Dim> dims = nestedDims(placement);
  const Dim inner = dims.back();
  dims.pop_back();
  const int64_t count = static_cast<int64_t>(inner.count()), stride = inner.value_stride();
  const int64_t size = static_cast<int64_t>(buffer_size);
  std::vector<uint64_t> index(dims.size(), 0);
  int64_t row = static_cast<int64_t>(placement.first_row());
  int64_t value = placement.offset() + static_cast<int64_t>(lane) * placement.lane_stride();
  while (true) {
    const auto [begin, end] = inside(value, stride, count, size);
    if (begin < end) {
      visit({static_cast<uint64_t>(row + begin * inner.row_stride()), inner.row_stride(),
             static_cast<uint64_t>(value + begin * stride), stride,
             static_cast<uint64_t>(end - begin)});
    }
    size_t k = dims.size();
    for (; k > 0; --k) {
      const Dim& dim = dims[k - 1];
      row += dim.row_stride();
      value += dim.value_stride();
      if (++index[k - 1] < dim.count()) break;
      index[k - 1] = 0;
      row -= static_cast<int64_t>(dim.count()) * dim.row_stride();
      value -= static_cast<int64_t>(dim.count()) * dim.value_stride();
    }
    if (k == 0) return;
  }
}

std::pair<uint64_t, uint64_t> rowsOf(const Placement& placement) {
  int64_t first = static_cast<int64_t>(placement.first_row()), last = first;
  for (const Dim& dim : placement.dims()) {
    const int64_t reach = (static_cast<int64_t>(dim.count()) - 1) * dim.row_stride();
    (reach < 0 ? first : last) += reach;
  }
  return {static_cast<uint64_t>(first), static_cast<uint64_t>(last)};
}

void loadLane(const Placement& placement, uint64_t lane, absl::Span<const uint32_t> column,
              absl::Span<int32_t> buffer) {
  forEachRun(placement, lane, buffer.size(),
             [&](const PlacementRun& run) { loadRun(run, column, buffer); });
}

PlacementTiles::PlacementTiles(const Placement& placement)
    : placement_(placement), dims_(nestedDims(placement)) {
  pieces_ = (dims_.back().count() + kTileRows - 1) / kTileRows;
  count_ = pieces_;
  for (size_t k = 0; k + 1 < dims_.size(); ++k) count_ *= dims_[k].count();
}

void PlacementTiles::load(uint64_t tile, ColumnOf columnOf, absl::Span<int32_t> buffer) const {
  const Dim& inner = dims_.back();
  const uint64_t first = tile % pieces_ * kTileRows;
  const int64_t count = static_cast<int64_t>(std::min(kTileRows, inner.count() - first));
  int64_t row = static_cast<int64_t>(placement_.first_row()) +
                static_cast<int64_t>(first) * inner.row_stride();
  int64_t value = placement_.offset() + static_cast<int64_t>(first) * inner.value_stride();
  uint64_t index = tile / pieces_;
  for (size_t k = dims_.size() - 1; k-- > 0; index /= dims_[k].count()) {
    const int64_t i = static_cast<int64_t>(index % dims_[k].count());
    row += i * dims_[k].row_stride();
    value += i * dims_[k].value_stride();
  }
  const int64_t size = static_cast<int64_t>(buffer.size()), stride = inner.value_stride();
  for (uint64_t lane = 0; lane < placement_.lanes(); ++lane, value += placement_.lane_stride()) {
    const auto [begin, end] = inside(value, stride, count, size);
    if (begin >= end) continue;
    loadRun(
        {static_cast<uint64_t>(row + begin * inner.row_stride()), inner.row_stride(),
         static_cast<uint64_t>(value + begin * stride), stride, static_cast<uint64_t>(end - begin)},
        columnOf(lane), buffer);
  }
}

void storeLane(const Placement& placement, uint64_t lane, absl::Span<const int32_t> buffer,
               absl::Span<uint32_t> column) {
  forEachRun(placement, lane, buffer.size(), [&](const PlacementRun& run) {
    uint32_t* cell = column.data() + run.row;
    const int32_t* element = buffer.data() + run.value;
    for (uint64_t i = 0; i < run.count; ++i) {
      int32_t v = element[static_cast<int64_t>(i) * run.value_stride];
      cell[static_cast<int64_t>(i) * run.row_stride] =
          static_cast<uint32_t>(v) + (v < 0 ? kModulus : 0u);
    }
  });
}

bool isInjective(const Placement& placement) {
  std::vector<std::pair<int64_t, uint64_t>> axes = {
      {std::abs(placement.lane_stride()), placement.lanes()}};
  for (const Dim& dim : placement.dims())
    axes.push_back({std::abs(dim.value_stride()), dim.count()});
  std::erase_if(axes, [](const auto& axis) { return axis.second == 1; });
  std::sort(axes.begin(), axes.end());
  int64_t reach = 0;
  for (const auto& [stride, count] : axes) {
    if (stride <= reach) return false;
    reach += static_cast<int64_t>(count - 1) * stride;
  }
  return true;
}

absl::StatusOr<PlacementIndex> PlacementIndex::create(const Placement& placement) {
  PlacementIndex index;
  index.offset_ = placement.offset();
  index.first_row_ = placement.first_row();
  index.axes_.push_back({placement.lane_stride(), placement.lanes(), 0, true, 0});
  for (const Dim& dim : placement.dims()) {
    index.axes_.push_back({dim.value_stride(), dim.count(), dim.row_stride(), false, 0});
  }
  // An element that several cells hold is read from the first.
  std::erase_if(index.axes_, [](const Axis& axis) { return axis.value_stride == 0; });
  std::stable_sort(index.axes_.begin(), index.axes_.end(),
                   [](const Axis& a, const Axis& b) { return a.value_stride > b.value_stride; });
  int64_t reach = 0;
  for (size_t k = index.axes_.size(); k-- > 0;) {
    Axis& axis = index.axes_[k];
    axis.rest = reach;
    if (axis.value_stride < 0 || (axis.count > 1 && reach / 2 >= axis.value_stride)) {
      return absl::InvalidArgumentError(
          absl::StrCat("value strides are negative or interleave (stride ", axis.value_stride,
                       " against a reach of ", reach, "), so that a row cannot be found"));
    }
    reach += static_cast<int64_t>(axis.count - 1) * axis.value_stride;
  }
  return index;
}

bool PlacementIndex::search(size_t axis, int64_t value, Cell& cell) const {
  if (axis == axes_.size()) return value == 0;
  const Axis& here = axes_[axis];
  // What this axis contributes is within `rest` of the value: at most two or three candidates.
  int64_t highest =
      std::min<int64_t>(value / here.value_stride, static_cast<int64_t>(here.count) - 1);
  for (int64_t i = highest; i >= 0 && value - i * here.value_stride <= here.rest; --i) {
    if (!search(axis + 1, value - i * here.value_stride, cell)) continue;
    if (here.is_lane) {
      cell.lane = static_cast<uint64_t>(i);
    } else {
      cell.row += static_cast<uint64_t>(i * here.row_stride);
    }
    return true;
  }
  return false;
}

std::optional<PlacementIndex::Cell> PlacementIndex::find(int64_t value) const {
  value -= offset_;
  Cell cell{0, first_row_};
  if (value < 0 || !search(0, value, cell)) return std::nullopt;
  return cell;
}

}  // namespace lindero::runtime
