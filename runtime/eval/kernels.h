// The inner loops of row evaluation: one operation over a chunk of rows.
//
// An operand is a vector (one value per row) or a scalar (one value for all rows), of the base
// field or of the extension; there is one loop per operation and combination, chosen when a program
// is compiled.
#ifndef LINDERO_RUNTIME_EVAL_KERNELS_H_
#define LINDERO_RUNTIME_EVAL_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "runtime/field/lanes.h"
#include "runtime/package/circuit.pb.h"

namespace lindero::runtime {

// Rows that are evaluated together: registers of 1 KiB (base) and 4 KiB (extension) stay in the
// first-level cache.
inline constexpr size_t kChunkRows = 256;
static_assert(kChunkRows % kLanes == 0);

// Pointers to the coordinates; base operands use limb[0] only.
struct Operand {
  const uint32_t* limb[4] = {nullptr, nullptr, nullptr, nullptr};
};

struct OperandKind {
  bool extension = false;
  bool scalar = false;
};

// Reads a and b and writes out for `rows` rows, rounded up to a multiple of kLanes. out may be a or
// b. NEG reads a only.
using Kernel = void (*)(uint32_t* const out[4], const Operand& a, const Operand& b, size_t rows);

// For ADD, SUB, MUL, NEG, with at least one vector operand. The result is a vector, of the
// extension when one of the operands is.
Kernel selectKernel(Node::Op op, OperandKind a, OperandKind b);

// values[i] = 1 / values[i] for i < rows <= kChunkRows, in place; zeros stay zero. Returns whether
// there were zeros.
bool invertChunk(uint32_t* const values[4], size_t rows);
bool invertBaseChunk(uint32_t* values, size_t rows);

}  // namespace lindero::runtime

#endif  // LINDERO_RUNTIME_EVAL_KERNELS_H_
