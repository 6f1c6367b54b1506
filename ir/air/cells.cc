#include "ir/air/cells.h"

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
  size_t lanes;
  Source<Element> source;
  absl::FunctionRef<void(size_t, int64_t, int64_t)> cell;

  void run(size_t dim, int64_t row, int64_t index) const {
    if (dim < counts.size()) {
      for (int64_t i = 0; i < counts[dim]; ++i) {
        run(dim + 1, row + i * row_strides[dim], index + i * value_strides[dim]);
      }
      return;
    }
    for (size_t lane = 0; lane < lanes; ++lane, index += lane_stride) {
      if (source.holds(index)) cell(lane, row, source.at(index));
    }
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

absl::Status forEachCell(const ConstantPool& constants, const Op& fill,
                         absl::FunctionRef<void(size_t lane, int64_t row, int64_t value)> cell) {
  auto walk = [&]<typename Element>(Source<Element> source) {
    Walk<Element>{fill.intsAttr("counts"),
                  fill.intsAttr("row_strides"),
                  fill.intsAttr("value_strides"),
                  fill.intAttr("lane_stride"),
                  fill.numOperands(),
                  source,
                  cell}
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

}  // namespace lindero::ir::air
