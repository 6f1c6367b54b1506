// What ops outside of all idioms can do with their operands' exponents, in one place: the chooser
// lowers results to what is possible, and the lowering computes with the same numbers.
#pragma once

#include <optional>

#include "ir/core/ir.h"
#include "llvm/ADT/ArrayRef.h"
#include "passes/quantize/exponents.h"
#include "passes/quantize/general.h"

namespace lindero::passes {

// A stored value: |integer| <= magnitude, of this exponent.
struct StoredOperand {
  double magnitude = 0;
  int exponent = 0;
};

// A constant that is stored as computed values are, in so many bits.
StoredOperand constantOperand(const ir::tensor::Array& constant, int bits);

// What of an affine form its exponents depend on.
struct AffineNeed {
  std::vector<double> factors;  // the largest of each term
  double constant = 0;
  bool masks = false;
  bool whole = false;  // exact (whole.h), so that no term holds noise
};
AffineNeed needOf(const AffineForm& form, bool whole);

// What a masked element gets, in reals: less than all others, far enough that its softmax is zero.
double maskedConstant(const AffineNeed& need, llvm::ArrayRef<StoredOperand> operands);

// The finest exponent of the sum before it is rounded to `bits` at `exponent`, for which both sides
// of the division with remainder stay below p; nothing if there is none.
std::optional<int> affineExponent(const AffineNeed& need, llvm::ArrayRef<StoredOperand> operands,
                                  int exponent, int bits);

// Of a sum of `count` elements: the factor 2^c that its elements are divided by (so that a mean is
// no larger than they are), and by what power of two its weights are raised so that at least one
// bit is rounded off. Nothing if that does not fit.
struct ReductionPlan {
  int divided = 0, raised = 0, dropped = 0;  // `dropped`: bits of the operand that do not matter
};
std::optional<ReductionPlan> planReduction(const ir::Op& op, StoredOperand operand, int exponent,
                                           int bits);

// A quotient of two stored values: how many bits of each do not matter, and the shift of the first.
struct QuotientPlan {
  int dropped[2] = {0, 0}, shift = 0;
};
// Quotients have at most so many bits.
inline constexpr int kQuotientBits = 15;
std::optional<QuotientPlan> planQuotient(const StoredOperand (&operands)[2], int exponent,
                                         int bits);

// A product of two stored matrices, `inner` elements long: how many bits of each do not matter.
struct MatmulPlan {
  int dropped[2] = {0, 0};
};
std::optional<MatmulPlan> planMatmul(const StoredOperand (&operands)[2], int64_t inner,
                                     bool probabilities, int input_bits, int exponent, int bits);

// Does the product sum with a softmax's rows as they are, which add up to one?
bool sumsByProbabilities(const ir::Op& matmul);

// How many bits of computed factors a product has room for: up to 14, and no less than `least`.
int factorBits(const ir::Op& matmul, int least);

// Lowers the exponents of general ops until each can be computed. True if one changed. `exponents`
// has all sites of the function.
bool limitGeneral(const ir::Function& function, Exponents& exponents);

}  // namespace lindero::passes
