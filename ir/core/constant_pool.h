// Constants (weights, tables) by handle. A constant is a typed, immutable array, either
// memory-mapped from a file (an ONNX file or its external data) or owned; its bytes are never
// copied by the IR. Handles are `@name`; printing a module prints the type and SHA-256 of each
// constant it uses, so that text identifies the weights without holding them.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"

namespace lindero::ir {

enum class Scalar : uint8_t { kF32, kF64, kI64, kI32, kI16, kI8, kU8, kBool };
size_t scalarSize(Scalar scalar);
llvm::StringRef scalarName(Scalar scalar);  // "f32", "i64", "bool", ...
std::optional<Scalar> scalarFromName(llvm::StringRef name);

template <typename T>
constexpr Scalar scalarOf() {
  if constexpr (std::is_same_v<T, float>) return Scalar::kF32;
  if constexpr (std::is_same_v<T, double>) return Scalar::kF64;
  if constexpr (std::is_same_v<T, int64_t>) return Scalar::kI64;
  if constexpr (std::is_same_v<T, int32_t>) return Scalar::kI32;
  if constexpr (std::is_same_v<T, int16_t>) return Scalar::kI16;
  if constexpr (std::is_same_v<T, int8_t>) return Scalar::kI8;
  if constexpr (std::is_same_v<T, uint8_t>) return Scalar::kU8;
  // vector<bool> has no bytes: booleans are stored as uint8_t with scalar kBool.
}

// What a constant of integers holds: the least and the greatest; of a matrix also each column's
// extremes, and the sums of its positive and of its negative elements.
struct IntegerFacts {
  int64_t low = 0, high = 0;
  std::vector<int64_t> column_low, column_high;
  std::vector<__int128> positive, negative;
};

struct Constant {
  std::string name;
  Scalar scalar = Scalar::kF32;
  std::vector<int64_t> shape;
  llvm::ArrayRef<uint8_t> bytes;      // little-endian, row-major, aligned to the scalar's size
  std::shared_ptr<const void> owner;  // keeps `bytes` alive: a file mapping or a vector

  int64_t elements() const;
  // True if only type and digest are known, as after reading text without the files: the pass
  // driver works on these, but nothing may read their values.
  bool declaredOnly() const { return bytes.empty() && elements() != 0; }
  template <typename T>
  llvm::ArrayRef<T> as() const {  // T must match `scalar`
    assert(sizeof(T) == scalarSize(scalar));
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  // Hex, of the bytes; computed on first use and kept (not from two threads at once). Of a declared
  // constant: as declared.
  const std::string& sha256() const;
  void declareSha256(std::string hex) { sha256_ = std::move(hex); }
  // One pass over the bytes on first use; kept, as the digest is. Null if the constant holds no
  // integers, has no elements, or is declared only.
  const IntegerFacts* integerFacts() const;

 private:
  mutable std::string sha256_;
  mutable std::shared_ptr<const IntegerFacts> integer_facts_;
};

// Calls `visit` with the elements, in their own width, and says true; false, without a call, if the
// constant holds no integers. A constant that is declared only has no elements.
template <typename Visit>
bool visitIntegers(const Constant& constant, Visit visit) {
  switch (constant.scalar) {
    case Scalar::kI64:
      visit(constant.as<int64_t>());
      return true;
    case Scalar::kI32:
      visit(constant.as<int32_t>());
      return true;
    case Scalar::kI16:
      visit(constant.as<int16_t>());
      return true;
    case Scalar::kI8:
      visit(constant.as<int8_t>());
      return true;
    case Scalar::kU8:
      visit(constant.as<uint8_t>());
      return true;
    default:
      return false;
  }
}

class ConstantPool {
 public:
  // Names are made unique by a suffix; the returned reference stays valid for the pool's lifetime.
  const Constant& add(Constant constant);
  template <typename T>
  const Constant& addOwned(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                           std::vector<T> values) {
    auto owner = std::make_shared<const std::vector<T>>(std::move(values));
    Constant constant;
    constant.name = name.str();
    constant.scalar = scalarOf<T>();
    constant.shape = shape.vec();
    constant.bytes = {reinterpret_cast<const uint8_t*>(owner->data()), owner->size() * sizeof(T)};
    constant.owner = std::move(owner);
    return add(std::move(constant));
  }
  const Constant* find(llvm::StringRef name) const;
  // Changes all of them, but for their names.
  void forEach(llvm::function_ref<void(Constant&)> change) {
    for (const std::unique_ptr<Constant>& constant : constants_) change(*constant);
  }
  void erase(llvm::StringRef name);
  // Erases those that are not named: linear in all of them, where an erase() of each is quadratic.
  void keepOnly(const llvm::StringSet<>& names);
  // In order of insertion.
  std::vector<const Constant*> constants() const;

 private:
  std::vector<std::unique_ptr<Constant>> constants_;
  llvm::StringMap<const Constant*> by_name_;
  llvm::StringMap<unsigned> suffixes_;  // by name: all up to this one are taken
};

}  // namespace lindero::ir
