// Which values of the integer program may leave the proof that computes them.
//
// A value crosses if each of its elements stands in a committed cell whose range the circuit
// proves: what a lookup bounds (requantize, lookup, multiply, divide, norms, affine maps of up to
// 16 bits), what weights bound (embeddings), a choice (argmax), and a copy of such. Of a slice or
// of selected rows it is so if it is of the tensor that they view.
//
// It does not if it is an accumulator (linear, scores, mix), which is a virtual expression without
// cells of its own; a probability of softmax, whose bound on a mix is that of its row's sum; an
// exact sum of more than 16 bits, which no lookup bounds; the rows of a window of steps
// (append_rows).
#pragma once

#include <string>

#include "ir/core/ir.h"

namespace lindero::ir::integer {

// The value that a result of a region or another op with a block stands for; others are their own.
const Value* sourceOf(const Value* value);

// Why the value may not leave its proof, as the end of a sentence; empty if it may. A constant
// needs no leave: every proof has its own. Arguments cross unless they are indices.
std::string whyItStays(const Value* value);

}  // namespace lindero::ir::integer
