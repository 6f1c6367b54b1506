#include "runtime/package/placement.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/field/m31.h"

namespace lindero::runtime {
void forEachRun(const Placement& placement, uint64_t lane, uint64_t buffer_size,
                absl::FunctionRef<void(const PlacementRun&)> visit) {
  std::vector<Dim> dims(placement.dims().begin(), placement.dims().end());
  std::stable_sort(dims.begin(), dims.end(), [](const Dim& a, const Dim& b) {
    return std::abs(a.row_stride()) > std::abs(b.row_stride());
  });
  Dim inner;
  inner.set_count(1);
  if (!dims.empty()) {
    inner = dims.back();
    dims.pop_back();
  }
  const int64_t count = static_cast<int64_t>(inner.count()), stride = inner.value_stride();
  const int64_t size = static_cast<int64_t>(buffer_size);
  std::vector<uint64_t> index(dims.size(), 0);
  int64_t row = static_cast<int64_t>(placement.first_row());
  int64_t value = placement.offset() + static_cast<int64_t>(lane) * placement.lane_stride();
  while (true) {
    // The i in [begin, end) with 0 <= value + i * stride < size.
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

void loadLane(const Placement& placement, uint64_t lane, absl::Span<const uint32_t> column,
              absl::Span<int32_t> buffer) {
  forEachRun(placement, lane, buffer.size(), [&](const PlacementRun& run) {
    const uint32_t* cell = column.data() + run.row;
    int32_t* element = buffer.data() + run.value;
    for (uint64_t i = 0; i < run.count; ++i) {
      uint32_t residue = cell[static_cast<int64_t>(i) * run.row_stride];
      // The centered representative: residues above (p - 1) / 2 are negative numbers.
      element[static_cast<int64_t>(i) * run.value_stride] =
          static_cast<int32_t>(residue > kModulus / 2 ? residue - kModulus : residue);
    }
  });
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
