// What ops of the tensor dialect that are part of no idiom are in integers: copies of elements,
// sums of products with constants, and the rest. An analysis: calibration's chooser and the
// lowering ask it, so that both mean the same.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"

namespace lindero::passes {

// A score at or below this is masked: it counts as nothing in the softmax that reads it.
inline constexpr double kMasked = -1e4;

// Does the op only put elements in other places?
bool isCopy(const ir::Op& op);
// Of a copy: which element of its float operands, one after the other, each of the result's is.
absl::StatusOr<std::vector<int64_t>> copiedElements(const ir::Op& op);
// The operands whose elements a copy has.
llvm::ArrayRef<ir::Value*> copiedOperands(const ir::Op& op);

// A result that is sum of factor * value over at most two computed values, plus a constant. Factors
// and constant have the result's shape.
struct AffineForm {
  struct Term {
    ir::Value* value;
    ir::tensor::Array factor;
  };
  std::vector<Term> terms;
  ir::tensor::Array constant;
  // Elements of the constant that mask a score: they are to be less than all others, by how much
  // does not matter. Empty: none.
  std::vector<bool> masked;

  double largestFactor(size_t term) const;
  double largestConstant() const;  // of those that mask nothing
};
// Is the op such a sum, if its constants are finite? Cheap.
bool isAffine(const ir::Op& op);
// Nothing if it is not.
std::optional<AffineForm> affineForm(const ir::Op& op);

// The axes that a sum or mean is taken over, ascending; and how many elements each one has.
std::vector<int64_t> reducedAxes(const ir::Op& op);
int64_t reducedElements(const ir::Op& op);

// Is the value read by softmax alone, perhaps through copies and masks?
bool isScores(const ir::Value& value);

// Has each row of what the softmax reads a score that no constant masks? Else what it makes of the
// row hangs on how far each one is below zero, which is not kept.
bool hasOpenScores(const ir::Op& softmax);

// A quotient whose denominator is computed.
bool isQuotient(const ir::Op& op);

// Has the op a form in integers outside of all idioms?
bool isGeneral(const ir::Op& op);

}  // namespace lindero::passes
