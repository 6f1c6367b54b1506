// What ops of the tensor dialect that are part of no idiom are in integers: copies of elements,
// sums of products with constants, and the rest. An analysis: calibration's chooser and the
// lowering ask it, so that both mean the same.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/core/ir.h"
#include "ir/tensor/array.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace lindero::passes {

// The array's elements where it is broadcast to the shape, as reals.
ir::tensor::Array spread(const ir::tensor::Array& array, llvm::ArrayRef<int64_t> shape);

// Does the op only put elements in other places?
bool isCopy(const ir::Op& op);
// Of a copy: which element of its float operands, one after the other, each of the result's is.
absl::StatusOr<std::vector<int64_t>> copiedElements(const ir::Op& op);
// The operands whose elements a copy has.
llvm::ArrayRef<ir::Value*> copiedOperands(const ir::Op& op);
// Is it a copy of one operand's elements?
bool copiesOne(const ir::Op& op);
// Do such ops, and no others, read the value and its copies, each of one operand's elements?
bool isReadOnlyBy(const ir::Value& value, llvm::function_ref<bool(const ir::Op&)> such);

// A result that is sum of factor * value over at most two computed values, plus a constant. Factors
// and constant have the result's shape.
struct AffineForm {
  struct Term {
    ir::Value* value;
    ir::tensor::Array factor;
  };
  std::vector<Term> terms;
  ir::tensor::Array constant;
  // By element, what of the constant masks a score (masks.h): below zero, and part of `constant`
  // nowhere; zero elsewhere. Empty: none.
  std::vector<double> masks;

  double largestFactor(size_t term) const;
  double largestConstant() const;  // of those that mask nothing
};
// Is the op such a sum, if its constants are finite? Cheap.
bool isAffine(const ir::Op& op);
// Nothing if it is not. Sums that it alone reads are part of it, as long as there are two terms.
std::optional<AffineForm> affineForm(const ir::Op& op);
// Is there one? Without arrays of the result's shape.
bool hasAffineForm(const ir::Op& op);
// Is the op part of its reader's sum, and held nowhere?
bool isPartOfSum(const ir::Op& op);

// The axes that a sum or mean is taken over, ascending; and how many elements each one has.
std::vector<int64_t> reducedAxes(const ir::Op& op);
int64_t reducedElements(const ir::Op& op);

// Is the op an integer input, as a real?
bool isNumber(const ir::Op& op);

// Is the op an exact quotient of whole numbers?
bool isWholeQuotient(const ir::Op& op);

// A quotient whose denominator is computed.
bool isQuotient(const ir::Op& op);

// Has the op a form in integers outside of all idioms?
bool isGeneral(const ir::Op& op);

}  // namespace lindero::passes
