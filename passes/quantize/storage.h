// How the integer program holds each value of a canonical tensor function: which of the widths of
// the options it gets, and whether it is held at all (an accumulator that its only reader rounds is
// not). The answer follows from the op that makes the value and the ops that read it; calibration
// and quantization both ask here.
#pragma once

#include "absl/status/statusor.h"
#include "ir/core/ir.h"

namespace lindero::passes {

enum class Storage {
  kIndex,       // token ids
  kResidual,    // the stream that LayerNorm reads and projections add to
  kNormalized,  // LayerNorm's result before gamma and beta, which the linears after it absorb
  kInput,       // any other input of a linear
  kQueryKey,
  kValue,
  kKey,      // an accumulator that an activation rounds to its table's key
  kPartial,  // an accumulator that a residual addition rounds together with its addend
  kSliced,   // an accumulator that its slices round, each with an exponent of its own
  kRaw,      // an accumulator that leaves the program as it is, or goes to argmax
  kStored,   // as the residual stream, for readers of any kind: each rounds it further as it needs
};

// Fails, naming the op, if something has no form in integers.
absl::StatusOr<Storage> storageOf(const ir::Value& value);

// LayerNorm's result where something else than a linear reads it: then it is also stored with gamma
// and beta applied, by a diagonal linear, like the residual stream.
bool needsAffineCopy(const ir::Value& normalized);

// The operand of a residual addition that is a linear's accumulator, and the one that is stored.
// Null if there is no such pair: then the sum is one of two stored values.
struct AddOperands {
  ir::Value* partial = nullptr;
  ir::Value* addend = nullptr;
};
AddOperands addOperands(const ir::Op& add);

// The constant that the value is, or null.
const ir::Constant* constantOf(const ir::Value& value);

// Is the value read as columns of an accumulator, each once, each slice with an exponent of its
// own?
bool isSlicedLinear(const ir::Value& value);

// Is the op general (general.h) and part of no idiom here?
bool standsAlone(const ir::Op& op);

// Fails, naming the op, if an op of an idiom computes on a constant (not as weights, tables or
// parameters): a constant is no value with exponents.
absl::Status checkOperands(const ir::Function& function);

// The values that have exponents: float arguments, and results of ops but for constants; in order.
std::vector<const ir::Value*> exponentSites(const ir::Function& function);

}  // namespace lindero::passes
