// How far an integer program's values may be from the float function's on one input, by analysis:
// each op's rounding is at most what its exponents and tables allow, and passes through the ops
// after it at most as their functions let it.
//
// A value's bound is for each element, in its last place: |integer - real 2^exponent| <= bound. It
// follows from the ops, their operands' integers and their operands' bounds; never from the op's
// own result, so that a result beyond its bound is a wrong one. For an op f with operands x + e:
//   - sums, products and quotients: the exact worst case for |e| within the bounds; constants count
//     with how far they were rounded (TensorRecord::rounding);
//   - a shift: half a place, nothing where the bits dropped are zero;
//   - a table: f over the interval that the bound leaves, by interval arithmetic (a step within it
//     is as high as it is, so that both sides of a comparison are within the bound), and half a
//     place; one and a half at the ends of its range, where entries are clamped;
//   - softmax and norm: see error_bound_rows.h.
// What masks hide (masks.h) has no bound.
//
// A bound may be infinite (a quotient by what may be zero). Bounds are computed in doubles and are
// widened by a billionth for their own rounding. An analysis for tests; its cost is some hundred
// float passes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/integer/kernels.h"
#include "llvm/ADT/ArrayRef.h"
#include "passes/quantize/calibrate.h"
#include "passes/quantize/quantize.h"

namespace lindero::passes {

// One tensor of the integer program beside the float function's.
struct BoundedTensor {
  std::string role, node;  // as in TensorRecord; "output" and its name
  std::vector<double> expected = {}, actual = {}, bounds = {};  // reals, by element

  // The first element that is farther off than its bound allows, or -1. Where the float value is
  // not finite, anything will do.
  int64_t firstBeyond() const;
};

struct BoundedRun {
  // Stored values, masked scores left out: by the float function from the inputs on, and by each of
  // its ops alone, on what the integers hold of its operands, which leaves the op's own error.
  std::vector<BoundedTensor> tensors, steps;
  std::vector<BoundedTensor> outputs;
};

// `records` are those of quantize(source, ..., integer). Fails where the input leaves the ranges of
// the program, as its interpreter does.
absl::StatusOr<BoundedRun> boundErrors(const ir::Function& source, const ir::Function& integer,
                                       llvm::ArrayRef<TensorRecord> records, const Sample& inputs);

}  // namespace lindero::passes
