#include "compiler/onnx_import/weights.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "compiler/onnx_import/prepare.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Parallel.h"

namespace lindero::compiler {
namespace {

using onnx::TensorProto;

std::string typeName(int type) {
  return TensorProto::DataType_IsValid(type)
             ? TensorProto::DataType_Name(static_cast<TensorProto::DataType>(type))
             : absl::StrCat("type ", type);
}

size_t bytesPerElement(int type) {
  switch (type) {
    case TensorProto::BOOL:
    case TensorProto::INT8:
    case TensorProto::UINT8:
      return 1;
    case TensorProto::BFLOAT16:
    case TensorProto::FLOAT16:
    case TensorProto::INT16:
    case TensorProto::UINT16:
      return 2;
    case TensorProto::FLOAT:
    case TensorProto::INT32:
    case TensorProto::UINT32:
      return 4;
    default:
      return 8;
  }
}

absl::StatusOr<int64_t> countElements(const TensorProto& tensor) {
  constexpr int64_t kMost = int64_t{1} << 40;
  int64_t count = 1;
  for (int64_t size : tensor.dims()) {
    if (size < 0) return absl::InvalidArgumentError(absl::StrCat("has a negative size ", size));
    if (size == 0) return 0;
    if (size > kMost / count)
      return absl::InvalidArgumentError("has more elements than any file can hold");
    count *= size;
  }
  return count;
}

template <typename T>
T load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

float fromHalf(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int mantissa = bits & 1023;
  const float sign = bits >> 15 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa ? std::nanf("") : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(float(mantissa), -24);
  return sign * std::ldexp(float(mantissa + 1024), exponent - 25);
}

float fromBfloat16(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

// Small types share a field that is wider than they are: what it holds must be theirs.
absl::Status checkShared(const TensorProto& tensor) {
  int64_t low = 0, high = 0;
  switch (tensor.data_type()) {
    case TensorProto::INT8:
      low = -128, high = 127;
      break;
    case TensorProto::UINT8:
      high = 255;
      break;
    case TensorProto::INT16:
      low = -32768, high = 32767;
      break;
    case TensorProto::UINT16:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
      high = 65535;
      break;
    default:
      return absl::OkStatus();
  }
  for (int32_t value : tensor.int32_data()) {
    if (low <= value && value <= high) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("holds ", value, ", which is no ", typeName(tensor.data_type())));
  }
  return absl::OkStatus();
}

// The raw little-endian bytes of a tensor whose data is in its typed fields.
std::vector<uint8_t> typedBytes(const TensorProto& tensor) {
  std::vector<uint8_t> bytes;
  const size_t width = bytesPerElement(tensor.data_type());
  auto append = [&](const auto& values) {
    bytes.reserve(values.size() * width);
    for (auto value : values) {
      const auto* data = reinterpret_cast<const uint8_t*>(&value);
      bytes.insert(bytes.end(), data, data + std::min(width, sizeof(value)));
    }
  };
  // Small types share a field that is wider than they are; little-endian, so their bytes come
  // first.
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      append(tensor.float_data());
      break;
    case TensorProto::DOUBLE:
      append(tensor.double_data());
      break;
    case TensorProto::INT64:
      append(tensor.int64_data());
      break;
    case TensorProto::UINT32:
    case TensorProto::UINT64:
      append(tensor.uint64_data());
      break;
    case TensorProto::BOOL:
      for (int32_t value : tensor.int32_data()) bytes.push_back(value != 0);
      break;
    default:
      append(tensor.int32_data());
      break;
  }
  return bytes;
}

template <typename To, typename Load>
void convert(ir::Constant& constant, llvm::ArrayRef<uint8_t> from, size_t width, ir::Scalar scalar,
             Load load) {
  auto values = std::make_shared<std::vector<To>>(from.size() / width);
  for (size_t i = 0; i < values->size(); ++i) (*values)[i] = load(from.data() + i * width);
  constant.scalar = scalar;
  constant.bytes = {reinterpret_cast<const uint8_t*>(values->data()), values->size() * sizeof(To)};
  constant.owner = std::move(values);
}

template <typename From>
void widen(ir::Constant& constant, llvm::ArrayRef<uint8_t> from) {
  convert<int64_t>(constant, from, sizeof(From), ir::Scalar::kI64,
                   [](const uint8_t* bytes) { return static_cast<int64_t>(load<From>(bytes)); });
}

template <typename T>
void viewOrCopy(ir::Constant& constant, llvm::ArrayRef<uint8_t> from,
                std::shared_ptr<const void> owner, ir::Scalar scalar) {
  if (owner && reinterpret_cast<uintptr_t>(from.data()) % alignof(T) == 0) {
    constant.scalar = scalar;
    constant.bytes = from;
    constant.owner = std::move(owner);
  } else {
    convert<T>(constant, from, sizeof(T), scalar, load<T>);
  }
}

constexpr size_t kMostDoubles = 4096;  // kept for what is computed while importing

bool staysFinite(double x) { return !std::isfinite(x) || std::isfinite(static_cast<float>(x)); }

absl::Status fill(ir::Constant& constant, int type, llvm::ArrayRef<uint8_t> from,
                  std::shared_ptr<const void> owner) {
  switch (type) {
    case TensorProto::FLOAT:
      viewOrCopy<float>(constant, from, std::move(owner), ir::Scalar::kF32);
      break;
    case TensorProto::INT64:
      viewOrCopy<int64_t>(constant, from, std::move(owner), ir::Scalar::kI64);
      break;
    case TensorProto::DOUBLE:
      convert<double>(constant, from, 8, ir::Scalar::kF64, load<double>);
      if (from.size() / 8 > kMostDoubles || areFloats(constant.as<double>()) ||
          !llvm::all_of(constant.as<double>(), staysFinite))
        roundToFloats(constant);
      break;
    case TensorProto::FLOAT16:
      convert<float>(constant, from, 2, ir::Scalar::kF32,
                     [](const uint8_t* b) { return fromHalf(load<uint16_t>(b)); });
      break;
    case TensorProto::BFLOAT16:
      convert<float>(constant, from, 2, ir::Scalar::kF32,
                     [](const uint8_t* b) { return fromBfloat16(load<uint16_t>(b)); });
      break;
    case TensorProto::BOOL:
      // Any nonzero byte is true; the pool holds 0 and 1.
      convert<uint8_t>(constant, from, 1, ir::Scalar::kBool,
                       [](const uint8_t* b) { return uint8_t(*b != 0); });
      break;
    case TensorProto::INT8:
      widen<int8_t>(constant, from);
      break;
    case TensorProto::INT16:
      widen<int16_t>(constant, from);
      break;
    case TensorProto::INT32:
      widen<int32_t>(constant, from);
      break;
    case TensorProto::UINT8:
      widen<uint8_t>(constant, from);
      break;
    case TensorProto::UINT16:
      widen<uint16_t>(constant, from);
      break;
    case TensorProto::UINT32:
      widen<uint32_t>(constant, from);
      break;
    case TensorProto::UINT64:
      widen<uint64_t>(constant, from);
      break;
    default:
      return absl::UnimplementedError(absl::StrCat("has data type ", typeName(type)));
  }
  return absl::OkStatus();
}

// On all cores: a model's weights are first read here.
template <typename T>
bool areFinite(llvm::ArrayRef<T> values) {
  constexpr size_t kChunk = size_t{1} << 20;
  std::atomic<bool> finite = true;
  llvm::parallelFor(0, (values.size() + kChunk - 1) / kChunk, [&](size_t chunk) {
    bool all = true;
    for (T value : values.drop_front(chunk * kChunk).take_front(kChunk))
      all &= std::abs(value) <= std::numeric_limits<T>::max();
    if (!all) finite = false;
  });
  return finite;
}

template <typename T>
absl::Status checkFinite(llvm::ArrayRef<T> values) {
  if (areFinite(values)) return absl::OkStatus();
  // A scalar may bound or mask something; a weight it is not.
  if (values.size() == 1 && !std::isnan(values[0])) return absl::OkStatus();
  bool infinite = false, weights = false;
  for (size_t i = 0; i < values.size(); ++i) {
    const T value = values[i];
    if (std::isnan(value) || value == INFINITY) {
      return absl::DataLossError(
          absl::StrCat("element ", i, " is ", value, ": weights must be finite"));
    }
    infinite |= std::isinf(value);
    weights |= std::isfinite(value) && value != 0;
  }
  if (!infinite || !weights) return absl::OkStatus();
  return absl::DataLossError("holds -inf among weights: weights must be finite");
}

}  // namespace

absl::StatusOr<ir::Element> elementOf(int onnx_data_type) {
  switch (onnx_data_type) {
    case TensorProto::FLOAT:
    case TensorProto::DOUBLE:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
      return ir::Element::kFloat;
    case TensorProto::BOOL:
      return ir::Element::kBool;
    case TensorProto::INT8:
    case TensorProto::INT16:
    case TensorProto::INT32:
    case TensorProto::INT64:
    case TensorProto::UINT8:
    case TensorProto::UINT16:
    case TensorProto::UINT32:
    case TensorProto::UINT64:
      return ir::Element::kInt;
    default:
      return absl::UnimplementedError(
          absl::StrCat("data type ", typeName(onnx_data_type), " is not supported"));
  }
}

bool areFloats(llvm::ArrayRef<double> values) {
  return llvm::all_of(values, [](double x) { return std::isnan(x) || static_cast<float>(x) == x; });
}

void roundToFloats(ir::Constant& constant) {
  const llvm::ArrayRef<double> values = constant.as<double>();
  auto floats = std::make_shared<std::vector<float>>(values.begin(), values.end());
  constant.scalar = ir::Scalar::kF32;
  constant.bytes = {reinterpret_cast<const uint8_t*>(floats->data()),
                    floats->size() * sizeof(float)};
  constant.owner = std::move(floats);
}

std::optional<IntegerType> integerTypeOf(int onnx_data_type) {
  const absl::StatusOr<ir::Element> element = elementOf(onnx_data_type);
  if (!element.ok() || *element != ir::Element::kInt) return std::nullopt;
  const bool is_signed = llvm::is_contained(
      {TensorProto::INT8, TensorProto::INT16, TensorProto::INT32, TensorProto::INT64},
      onnx_data_type);
  return IntegerType{static_cast<int64_t>(8 * bytesPerElement(onnx_data_type)), is_signed};
}

absl::Status checkRawSize(const TensorProto& tensor) {
  if (!tensor.has_raw_data() || !elementOf(tensor.data_type()).ok()) return absl::OkStatus();
  IR_ASSIGN_OR_RETURN(const int64_t count, countElements(tensor));
  const uint64_t wanted = uint64_t(count) * bytesPerElement(tensor.data_type());
  if (tensor.raw_data().size() == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "has ", tensor.raw_data().size(), " bytes of data where its shape asks for ", wanted));
}

absl::StatusOr<ir::Constant> makeConstant(const Initializer& initializer) {
  const TensorProto& tensor = *initializer.tensor;
  IR_RETURN_IF_ERROR(elementOf(tensor.data_type()).status());
  IR_ASSIGN_OR_RETURN(int64_t elements, countElements(tensor));
  std::vector<uint8_t> typed;
  llvm::ArrayRef<uint8_t> bytes = initializer.bytes;
  if (!initializer.detached && tensor.has_raw_data()) {
    const std::string& raw = tensor.raw_data();
    bytes = {reinterpret_cast<const uint8_t*>(raw.data()), raw.size()};
  } else if (!initializer.detached) {
    IR_RETURN_IF_ERROR(checkShared(tensor));
    typed = typedBytes(tensor);
    bytes = typed;
  }
  const uint64_t expected = uint64_t(elements) * bytesPerElement(tensor.data_type());
  if (bytes.size() != expected) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", bytes.size(), " bytes of data; its type and shape ask for ", expected));
  }
  ir::Constant constant;
  constant.name = printable(tensor.name());
  constant.shape.assign(tensor.dims().begin(), tensor.dims().end());
  IR_RETURN_IF_ERROR(fill(constant, tensor.data_type(), bytes, initializer.owner));
  if (constant.scalar == ir::Scalar::kF32) IR_RETURN_IF_ERROR(checkFinite(constant.as<float>()));
  if (constant.scalar == ir::Scalar::kF64) IR_RETURN_IF_ERROR(checkFinite(constant.as<double>()));
  return constant;
}

}  // namespace lindero::compiler
