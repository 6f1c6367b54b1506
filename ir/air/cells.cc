#include "ir/air/cells.h"

#include "absl/strings/str_cat.h"

namespace lindero::ir::air {
namespace {

// Reads elements of an integer constant of any width; without a constant, the index is the value.
class Source {
 public:
  explicit Source(const Constant* constant) : constant_(constant) {}

  bool holds(int64_t index) const {
    return !constant_ || (index >= 0 && index < constant_->elements());
  }

  int64_t at(int64_t index) const {
    if (!constant_) return index;
    switch (constant_->scalar) {
      case Scalar::kI64:
        return constant_->as<int64_t>()[index];
      case Scalar::kI32:
        return constant_->as<int32_t>()[index];
      case Scalar::kI16:
        return constant_->as<int16_t>()[index];
      case Scalar::kI8:
        return constant_->as<int8_t>()[index];
      default:
        return constant_->as<uint8_t>()[index];
    }
  }

 private:
  const Constant* constant_;
};

bool holdsIntegers(const Constant& c) {
  return c.scalar != Scalar::kF32 && c.scalar != Scalar::kF64;
}

struct Walk {
  llvm::ArrayRef<int64_t> counts, row_strides, value_strides;
  int64_t lane_stride;
  size_t lanes;
  Source source;
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

absl::Status forEachCell(const ConstantPool& constants, const Op& fill,
                         absl::FunctionRef<void(size_t lane, int64_t row, int64_t value)> cell) {
  const Constant* constant = nullptr;
  if (fill.has("source")) {
    constant = constants.find(fill.symbolAttr("source"));
    if (!constant || !holdsIntegers(*constant)) {
      return absl::InvalidArgumentError(absl::StrCat("air.fill: constant @",
                                                     fill.symbolAttr("source"),
                                                     " is missing or does not hold integers"));
    }
  }
  Walk{fill.intsAttr("counts"),
       fill.intsAttr("row_strides"),
       fill.intsAttr("value_strides"),
       fill.intAttr("lane_stride"),
       fill.numOperands(),
       Source(constant),
       cell}
      .run(0, fill.intAttr("first_row"), fill.intAttr("offset"));
  return absl::OkStatus();
}

}  // namespace lindero::ir::air
