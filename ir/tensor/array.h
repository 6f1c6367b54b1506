// Dense arrays for evaluating the tensor dialect: reals are held in double precision, indices and
// booleans in int64.
//
// An array owns its elements, in row-major order; `reals` or `integers` holds them, as `element`
// says, and has exactly elements() entries. Large weights are not copied: in an array made by
// viewConstant `floats` stands for `reals`; only the weights of linear, the table of embedding, a
// matrix on the right of matmul and what is gathered from may be such. Reading an f32 constant is
// exact; writing one rounds to the nearest float.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"

namespace lindero::ir::tensor {

struct Array {
  Element element = Element::kFloat;  // kFloat, kInt or kBool
  llvm::SmallVector<int64_t, 4> shape;
  std::vector<double> reals;      // kFloat
  std::vector<int64_t> integers;  // kInt, kBool (0 or 1)
  llvm::ArrayRef<float> floats;   // kFloat, of a view: `reals` is empty

  // All elements zero.
  static Array zeros(Element element, llvm::ArrayRef<int64_t> shape);
  static Array real(llvm::ArrayRef<int64_t> shape, std::vector<double> values);
  static Array integer(llvm::ArrayRef<int64_t> shape, std::vector<int64_t> values);

  bool isReal() const { return element == Element::kFloat; }
  int64_t elements() const;
  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  Type type() const { return Type::tensor(element, shape); }
};

// Truncates towards zero; what does not fit becomes the nearest int64, and what is no number 0.
int64_t toInteger(double value);

// Of a shape: how many elements it has.
int64_t product(llvm::ArrayRef<int64_t> sizes);

// Row-major strides of a shape, in elements.
llvm::SmallVector<int64_t, 4> rowMajorStrides(llvm::ArrayRef<int64_t> shape);

// For each element of shape `to`, in row-major order: which one of shape `from` is broadcast to it.
std::vector<int64_t> broadcastElements(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to);

// Reads a constant of the pool. Fails on a constant whose bytes are not at hand (a module read from
// text alone).
absl::StatusOr<Array> readConstant(const Constant& constant);

// The same without a copy of f32 elements; the constant outlives the array.
absl::StatusOr<Array> viewConstant(const Constant& constant);

// Adds an array to the pool: reals as f32, integers as i64, booleans as bool.
const Constant& writeConstant(ConstantPool& pool, llvm::StringRef name, const Array& array);

}  // namespace lindero::ir::tensor
