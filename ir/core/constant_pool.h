// Constants (weights, tables) by handle. A constant is a typed, immutable array, either memory-mapped from a file (an ONNX
// file or its external data) or owned; its bytes are never copied by the IR. Handles are `@name`; printing a module prints the
// type and SHA-256 of each constant it uses, so that text identifies the weights without holding them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringRef.h"

namespace lindero::ir {

enum class Scalar : uint8_t { kF32, kF64, kI64, kI32, kI16, kI8, kU8, kBool };
size_t scalarSize(Scalar scalar);

struct Constant {
  std::string name;
  Scalar scalar = Scalar::kF32;
  std::vector<int64_t> shape;
  llvm::ArrayRef<uint8_t> bytes;          // little-endian, row-major, aligned to the scalar's size
  std::shared_ptr<const void> owner;      // keeps `bytes` alive: a file mapping or a vector

  int64_t elements() const;
  template <typename T>
  llvm::ArrayRef<T> as() const {          // T must match `scalar`
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  const std::string& sha256() const;      // hex, computed on first use and kept

 private:
  mutable std::string sha256_;
};

class ConstantPool {
 public:
  // Names are made unique by a suffix; the returned reference stays valid for the pool's lifetime.
  const Constant& add(Constant constant);
  template <typename T>
  const Constant& addOwned(llvm::StringRef name, llvm::ArrayRef<int64_t> shape, std::vector<T> values);
  const Constant* find(llvm::StringRef name) const;
  void erase(llvm::StringRef name);
  // In order of insertion.
  std::vector<const Constant*> constants() const;

 private:
  llvm::MapVector<std::string, std::unique_ptr<Constant>> constants_;
};

}  // namespace lindero::ir
