// The evaluation of each tensor op, by name; private to the interpreter.
//
// A kernel may trust that its op satisfies the type rules (infer.h) and that `result` has the type
// of the op's result, all zero. It fails only where the values themselves are at fault: an index
// out of range, an integer division by zero.
#pragma once

#include <array>

#include "absl/status/status.h"
#include "ir/tensor/array.h"
#include "ir/tensor/interpreter.h"

namespace lindero::ir::tensor {

struct Call {
  const Op& op;
  llvm::ArrayRef<const Array*> operands;
  Array& result;
  Observer* observer;  // may be null

  const Array& in(unsigned i) const { return *operands[i]; }
};

using Kernel = absl::Status (*)(const Call&);

// Null if the op has none (it may still be a constant or a return).
Kernel findKernel(llvm::StringRef name);

// Is the op a product with a weight? Several calls of it that differ in the other operand are
// computed together, so that the weight is read once; each result is as that of a call alone.
bool isWeighted(const Call& call);
absl::Status multiplyAll(llvm::ArrayRef<Call> calls);

struct NamedKernel {
  llvm::StringRef name;
  Kernel kernel;
};
llvm::ArrayRef<NamedKernel> elementwiseKernels();
llvm::ArrayRef<NamedKernel> layoutKernels();
llvm::ArrayRef<NamedKernel> reductionKernels();
llvm::ArrayRef<NamedKernel> layerKernels();

// Walks a result of shape `shape` row by row (innermost axis). visit(out, in, step, count): the row
// starts at offset `out` of the result and at in[i] of operand i, which advances by step[i] (0 or
// 1) per element.
template <size_t N, typename Visit>
void forEachRow(llvm::ArrayRef<int64_t> shape, const std::array<const Array*, N>& operands,
                Visit visit) {
  const int64_t rank = shape.size();
  std::array<llvm::SmallVector<int64_t, 4>, N> strides;
  for (size_t i = 0; i < N; ++i) {
    strides[i].assign(rank, 0);
    const Array& operand = *operands[i];
    const auto own = rowMajorStrides(operand.shape);
    const int64_t offset = rank - operand.rank();
    for (int64_t axis = 0; axis < operand.rank(); ++axis) {
      if (operand.shape[axis] != 1) strides[i][offset + axis] = own[axis];
    }
  }
  if (llvm::is_contained(shape, 0)) return;
  const int64_t count = rank ? shape.back() : 1;
  llvm::SmallVector<int64_t, 4> index(rank, 0);
  std::array<int64_t, N> in{}, step{};
  for (size_t i = 0; i < N; ++i) step[i] = rank ? strides[i][rank - 1] : 0;
  for (int64_t out = 0;; out += count) {
    visit(out, in, step, count);
    int64_t axis = rank - 2;
    for (; axis >= 0; --axis) {
      for (size_t i = 0; i < N; ++i) in[i] += strides[i][axis];
      if (++index[axis] < shape[axis]) break;
      for (size_t i = 0; i < N; ++i) in[i] -= strides[i][axis] * shape[axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

}  // namespace lindero::ir::tensor
