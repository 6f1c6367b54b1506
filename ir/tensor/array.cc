#include "ir/tensor/array.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace lindero::ir::tensor {

Array Array::zeros(Element element, llvm::ArrayRef<int64_t> shape) {
  Array array;
  array.element = element;
  array.shape.assign(shape.begin(), shape.end());
  if (array.isReal()) {
    array.reals.resize(array.elements());
  } else {
    array.integers.resize(array.elements());
  }
  return array;
}

Array Array::real(llvm::ArrayRef<int64_t> shape, std::vector<double> values) {
  Array array;
  array.shape.assign(shape.begin(), shape.end());
  array.reals = std::move(values);
  return array;
}

Array Array::integer(llvm::ArrayRef<int64_t> shape, std::vector<int64_t> values) {
  Array array;
  array.element = Element::kInt;
  array.shape.assign(shape.begin(), shape.end());
  array.integers = std::move(values);
  return array;
}

int64_t Array::elements() const { return product(shape); }

int64_t product(llvm::ArrayRef<int64_t> sizes) {
  int64_t elements = 1;
  for (int64_t size : sizes) elements *= size;
  return elements;
}

int64_t toInteger(double value) {
  constexpr double kBound = 9223372036854775808.0;  // 2^63
  if (std::isnan(value)) return 0;
  if (value >= kBound) return std::numeric_limits<int64_t>::max();
  if (value < -kBound) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

llvm::SmallVector<int64_t, 4> rowMajorStrides(llvm::ArrayRef<int64_t> shape) {
  llvm::SmallVector<int64_t, 4> strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

namespace {

template <typename T, typename To>
std::vector<To> widen(const Constant& constant) {
  llvm::ArrayRef<T> values = constant.as<T>();
  return std::vector<To>(values.begin(), values.end());
}

}  // namespace

std::vector<int64_t> broadcastElements(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to) {
  std::vector<int64_t> out(Type::tensor(Element::kInt, to).elements()), index(to.size(), 0);
  const size_t added = to.size() - from.size();
  const auto strides = rowMajorStrides(from);
  for (int64_t& element : out) {
    for (size_t axis = added; axis < to.size(); ++axis) {
      if (from[axis - added] != 1) element += index[axis] * strides[axis - added];
    }
    for (size_t axis = to.size(); axis-- > 0;) {
      if (++index[axis] < to[axis]) break;
      index[axis] = 0;
    }
  }
  return out;
}

absl::StatusOr<Array> readConstant(const Constant& constant) {
  if (constant.declaredOnly()) {
    return absl::FailedPreconditionError(
        absl::StrCat("constant @", constant.name,
                     " has no values: the IR text names it by its digest only; "
                     "start from the ONNX file instead"));
  }
  switch (constant.scalar) {
    case Scalar::kF32:
      return Array::real(constant.shape, widen<float, double>(constant));
    case Scalar::kF64:
      return Array::real(constant.shape, widen<double, double>(constant));
    case Scalar::kI64:
      return Array::integer(constant.shape, widen<int64_t, int64_t>(constant));
    case Scalar::kI32:
      return Array::integer(constant.shape, widen<int32_t, int64_t>(constant));
    case Scalar::kI16:
      return Array::integer(constant.shape, widen<int16_t, int64_t>(constant));
    case Scalar::kI8:
      return Array::integer(constant.shape, widen<int8_t, int64_t>(constant));
    case Scalar::kU8:
      return Array::integer(constant.shape, widen<uint8_t, int64_t>(constant));
    case Scalar::kBool: {
      Array array = Array::integer(constant.shape, widen<uint8_t, int64_t>(constant));
      array.element = Element::kBool;
      return array;
    }
  }
  return absl::InternalError("unknown scalar");
}

absl::StatusOr<Array> viewConstant(const Constant& constant) {
  if (constant.declaredOnly() || constant.scalar != Scalar::kF32) return readConstant(constant);
  Array array;
  array.shape.assign(constant.shape.begin(), constant.shape.end());
  array.floats = constant.as<float>();
  return array;
}

const Constant& writeConstant(ConstantPool& pool, llvm::StringRef name, const Array& array) {
  if (array.isReal()) {
    std::vector<float> values(array.reals.begin(), array.reals.end());
    return pool.addOwned<float>(name, array.shape, std::move(values));
  }
  if (array.element == Element::kInt) {
    return pool.addOwned<int64_t>(name, array.shape, array.integers);
  }
  auto bytes =
      std::make_shared<const std::vector<uint8_t>>(array.integers.begin(), array.integers.end());
  Constant constant;
  constant.name = name.str();
  constant.scalar = Scalar::kBool;
  constant.shape.assign(array.shape.begin(), array.shape.end());
  constant.bytes = *bytes;
  constant.owner = std::move(bytes);
  return pool.add(std::move(constant));
}

}  // namespace lindero::ir::tensor
