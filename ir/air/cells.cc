#include "ir/air/cells.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

namespace lindero::ir::air {
namespace {

// Elements of an integer constant of any width; without a constant, the index is the value.
template <typename Element>
struct Source {
  llvm::ArrayRef<Element> elements;
  bool holds(int64_t index) const {
    return index >= 0 && index < static_cast<int64_t>(elements.size());
  }
  int64_t at(int64_t index) const { return elements[index]; }
};
template <>
struct Source<void> {
  bool holds(int64_t) const { return true; }
  int64_t at(int64_t index) const { return index; }
};

template <typename Element>
struct Walk {
  llvm::ArrayRef<int64_t> counts, row_strides, value_strides;
  int64_t lane_stride;
  LaneRange lanes;
  Source<Element> source;
  VisitCells cells;
  std::vector<int64_t> values;

  void run(size_t dim, int64_t row, int64_t index) {
    if (dim < counts.size()) {
      for (int64_t i = 0; i < counts[dim]; ++i) {
        run(dim + 1, row + i * row_strides[dim], index + i * value_strides[dim]);
      }
      return;
    }
    // Lanes move one way through the source: those within are neighbours.
    size_t first = lanes.first, end = lanes.first + lanes.count;
    const auto at = [&](size_t lane) { return index + static_cast<int64_t>(lane) * lane_stride; };
    while (first < end && !source.holds(at(first))) ++first;
    while (first < end && !source.holds(at(end - 1))) --end;
    values.resize(end - first);
    for (size_t lane = first; lane < end; ++lane) values[lane - first] = source.at(at(lane));
    if (first < end) cells(row, first, values);
  }
};

}  // namespace

std::optional<Extent> extent(int64_t origin, llvm::ArrayRef<int64_t> counts,
                             llvm::ArrayRef<int64_t> strides) {
  Extent extent{origin, origin};
  for (const auto& [count, stride] : llvm::zip(counts, strides)) {
    int64_t reach = 0;
    if (llvm::MulOverflow(count - 1, stride, reach)) return std::nullopt;
    int64_t& end = reach < 0 ? extent.low : extent.high;
    if (llvm::AddOverflow(end, reach, end)) return std::nullopt;
  }
  return extent;
}

std::optional<Extent> valuesOf(const ConstantPool& constants, const Op& fill) {
  if (fill.has("source")) {
    const Constant* source = constants.find(fill.symbolAttr("source"));
    const IntegerFacts* facts = source == nullptr ? nullptr : source->integerFacts();
    if (facts == nullptr) return std::nullopt;
    return Extent{facts->low, facts->high};
  }
  llvm::SmallVector<int64_t, 4> counts(fill.intsAttr("counts"));
  llvm::SmallVector<int64_t, 4> strides(fill.intsAttr("value_strides"));
  counts.push_back(static_cast<int64_t>(fill.numOperands()));
  strides.push_back(fill.intAttr("lane_stride"));
  return extent(fill.intAttr("offset"), counts, strides);
}

absl::Status forEachRow(const ConstantPool& constants, const Op& fill, VisitCells cells) {
  return forEachRow(constants, fill, {0, fill.numOperands()}, cells);
}

absl::Status forEachRow(const ConstantPool& constants, const Op& fill, LaneRange lanes,
                        VisitCells cells) {
  auto walk = [&]<typename Element>(Source<Element> source) {
    Walk<Element>{fill.intsAttr("counts"),
                  fill.intsAttr("row_strides"),
                  fill.intsAttr("value_strides"),
                  fill.intAttr("lane_stride"),
                  lanes,
                  source,
                  cells,
                  {}}
        .run(0, fill.intAttr("first_row"), fill.intAttr("offset"));
  };
  if (!fill.has("source")) {
    walk(Source<void>{});
    return absl::OkStatus();
  }
  const Constant* constant = constants.find(fill.symbolAttr("source"));
  if (constant != nullptr &&
      visitIntegers(*constant, [&]<typename Element>(llvm::ArrayRef<Element> elements) {
        walk(Source<Element>{elements});
      })) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("air.fill: constant @", fill.symbolAttr("source"),
                                                 " is missing or does not hold integers"));
}

absl::Status forEachCell(const ConstantPool& constants, const Op& fill,
                         absl::FunctionRef<void(size_t lane, int64_t row, int64_t value)> cell) {
  return forEachRow(constants, fill, [&](int64_t row, size_t lane, llvm::ArrayRef<int64_t> values) {
    for (int64_t value : values) cell(lane++, row, value);
  });
}

}  // namespace lindero::ir::air
