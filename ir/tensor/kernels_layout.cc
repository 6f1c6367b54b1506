// Ops that move elements without changing them. Each works on reals and integers alike.

#include "absl/strings/str_cat.h"
#include "ir/tensor/kernels.h"

namespace lindero::ir::tensor {
namespace {

using Strides = llvm::SmallVector<int64_t, 4>;

// Calls body(source, destination) on the element vectors of operand `i` and the result.
template <typename Body>
void withElements(const Call& call, unsigned i, Body body) {
  if (call.result.isReal()) {
    body(call.in(i).reals, call.result.reals);
  } else {
    body(call.in(i).integers, call.result.integers);
  }
}

// result[index] = source[offset + index . strides], for every index of the result.
void copyStrided(const Call& call, int64_t offset, const Strides& strides) {
  withElements(call, 0, [&](const auto& from, auto& to) {
    const llvm::ArrayRef<int64_t> shape = call.result.shape;
    Strides index(shape.size(), 0);
    int64_t position = offset;
    for (auto& element : to) {
      element = from[position];
      for (size_t axis = shape.size(); axis-- > 0;) {
        position += strides[axis];
        if (++index[axis] < shape[axis]) break;
        position -= strides[axis] * shape[axis];
        index[axis] = 0;
      }
    }
  });
}

absl::Status reshape(const Call& call) {
  withElements(call, 0, [](const auto& from, auto& to) { to = from; });
  return absl::OkStatus();
}

absl::Status transpose(const Call& call) {
  const Strides from = rowMajorStrides(call.in(0).shape);
  Strides strides;
  for (int64_t axis : call.op.intsAttr("perm")) strides.push_back(from[axis]);
  copyStrided(call, 0, strides);
  return absl::OkStatus();
}

absl::Status expand(const Call& call) {
  const Array& x = call.in(0);
  const Strides from = rowMajorStrides(x.shape);
  const int64_t offset = call.result.rank() - x.rank();
  Strides strides(call.result.rank(), 0);
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    if (x.shape[axis] != 1) strides[offset + axis] = from[axis];
  }
  copyStrided(call, 0, strides);
  return absl::OkStatus();
}

absl::Status slice(const Call& call) {
  const int64_t axis = call.op.intAttr("axis");
  Strides strides = rowMajorStrides(call.in(0).shape);
  const int64_t offset = call.op.intAttr("start") * strides[axis];
  strides[axis] *= call.op.intAttrOr("step", 1);
  copyStrided(call, offset, strides);
  return absl::OkStatus();
}

// Elements before, along and after an axis: the array is [outer, extent, inner].
struct AxisView {
  int64_t outer = 1, extent = 1, inner = 1;
  AxisView(llvm::ArrayRef<int64_t> shape, int64_t axis) : extent(shape[axis]) {
    for (int64_t size : shape.take_front(axis)) outer *= size;
    for (int64_t size : shape.drop_front(axis + 1)) inner *= size;
  }
};

absl::Status concat(const Call& call) {
  const int64_t axis = call.op.intAttr("axis");
  const AxisView whole(call.result.shape, axis);
  int64_t start = 0;
  for (unsigned i = 0; i < call.operands.size(); ++i) {
    const AxisView part(call.in(i).shape, axis);
    const int64_t run = part.extent * part.inner;
    withElements(call, i, [&](const auto& from, auto& to) {
      for (int64_t outer = 0; outer < part.outer; ++outer) {
        std::copy_n(from.begin() + outer * run, run,
                    to.begin() + (outer * whole.extent + start) * whole.inner);
      }
    });
    start += part.extent;
  }
  return absl::OkStatus();
}

absl::Status gather(const Call& call) {
  const Array& indices = call.in(1);
  const AxisView data(call.in(0).shape, call.op.intAttr("axis"));
  for (int64_t index : indices.integers) {
    if (index < -data.extent || index >= data.extent) {
      return absl::OutOfRangeError(
          absl::StrCat("index ", index, " is outside of an axis of ", data.extent));
    }
  }
  auto copy = [&](const auto& from, auto& to) {
    auto destination = to.begin();
    for (int64_t outer = 0; outer < data.outer; ++outer) {
      for (int64_t index : indices.integers) {
        const int64_t row = outer * data.extent + (index < 0 ? index + data.extent : index);
        destination = std::copy_n(from.begin() + row * data.inner, data.inner, destination);
      }
    }
  };
  if (call.in(0).floats.empty()) {
    withElements(call, 0, copy);
  } else {
    copy(call.in(0).floats, call.result.reals);
  }
  return absl::OkStatus();
}

absl::Status selectRows(const Call& call) {
  const AxisView data(call.in(0).shape, 0);
  withElements(call, 0, [&](const auto& from, auto& to) {
    auto destination = to.begin();
    for (int64_t row : call.op.intsAttr("rows")) {
      destination = std::copy_n(from.begin() + row * data.inner, data.inner, destination);
    }
  });
  return absl::OkStatus();
}

// Keeps the triangle on and above (upper) or on and below diagonal k; the rest becomes zero.
absl::Status trilu(const Call& call) {
  const bool upper = call.op.boolAttr("upper");
  const int64_t k = call.op.intAttr("k");
  const int64_t columns = call.result.shape.back();
  const int64_t rows = call.result.shape[call.result.rank() - 2];
  withElements(call, 0, [&](const auto& from, auto& to) {
    for (size_t i = 0; i < from.size(); ++i) {
      const int64_t column = int64_t(i) % columns, row = int64_t(i) / columns % rows;
      // k is arbitrary, column - row is not: compare without adding to k.
      const bool keep = upper ? column - row >= k : column - row <= k;
      if (keep) to[i] = from[i];
    }
  });
  return absl::OkStatus();
}

constexpr NamedKernel kKernels[] = {
    {"tensor.concat", concat},       {"tensor.expand", expand}, {"tensor.gather", gather},
    {"tensor.reshape", reshape},     {"tensor.slice", slice},   {"tensor.select_rows", selectRows},
    {"tensor.transpose", transpose}, {"tensor.trilu", trilu},
};

}  // namespace

llvm::ArrayRef<NamedKernel> layoutKernels() { return kKernels; }

}  // namespace lindero::ir::tensor
