// Constraints of what rounds, element by element.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ir/core/field.h"
#include "ir/core/text.h"
#include "ir/integer/verify_shared.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::ir::integer {
namespace {

constexpr int64_t kDenominator = int64_t{1} << 15;

// 2^(bits-1+shift) + 2^(shift-1) + B < 2^31 - 1.
absl::Status oneWitness(const Op& op, Wide bound, unsigned constraint = 4) {
  const int64_t shift = op.intAttr("shift"), bits = op.intAttr("bits");
  const Wide total = (Wide{1} << (bits - 1 + shift)) + ((Wide{1} << shift) >> 1) + bound;
  return require(op, constraint, total < kFieldModulus,
                 absl::StrCat("shift = ", shift, ", bits = ", bits, ", B = ", narrow(bound)));
}

absl::Status verifyRequantize(const Op& op) {
  const Type& acc = op.operand(0)->type();
  const bool added = op.numOperands() > 1;
  absl::Status status =
      shapesAs(op, isFixed(acc, acc.shape) && isFixed(op.result()->type(), acc.shape) &&
                       (!added || isFixed(op.operand(1)->type(), acc.shape)));
  status.Update(between(op, 2, "shift", 1, 16));
  status.Update(between(op, 3, "bits", 2, 16));
  const int64_t addend_shift = op.intAttrOr("addend_shift", 0);
  status.Update(
      require(op, 7, op.has("addend_shift") == added && addend_shift >= 0,
              absl::StrCat(added ? "an addend" : "no addend", ", addend_shift = ",
                           op.has("addend_shift") ? absl::StrCat(addend_shift) : "none")));
  if (!status.ok()) return status;
  Wide bound = magnitude(acc);
  // Beyond 2^31 the sum is too large whatever the rest is.
  if (added) bound += magnitude(op.operand(1)->type()) << std::min<int64_t>(addend_shift, 31);
  status.Update(oneWitness(op, bound));
  status.Update(signedRange(op, 5, op.intAttr("bits")));
  status.Update(exponentIs(op, 6, op.result(), acc.exponent - op.intAttr("shift")));
  if (added) status.Update(exponentIs(op, 6, op.operand(1), acc.exponent - addend_shift));
  return status;
}

absl::Status verifyMultiply(const Op& op) {
  const Type &a = op.operand(0)->type(), &b = op.operand(1)->type();
  absl::Status status = shapesAs(
      op, isFixed(a, a.shape) && isFixed(b, a.shape) && isFixed(op.result()->type(), a.shape));
  status.Update(between(op, 2, "shift", 1, 16));
  status.Update(between(op, 3, "bits", 2, 16));
  if (!status.ok()) return status;
  status.Update(oneWitness(op, magnitude(a) * magnitude(b)));
  status.Update(signedRange(op, 5, op.intAttr("bits")));
  status.Update(
      exponentIs(op, 6, op.result(), int64_t{a.exponent} + b.exponent - op.intAttr("shift")));
  return status;
}

absl::Status verifyDivide(const Op& op) {
  const Type &a = op.operand(0)->type(), &b = op.operand(1)->type();
  absl::Status status = shapesAs(
      op, isFixed(a, a.shape) && isFixed(b, a.shape) && isFixed(op.result()->type(), a.shape));
  status.Update(between(op, 2, "shift", 0, 29));
  status.Update(between(op, 3, "bits", 2, 16));
  status.Update(require(op, 4, magnitude(b) <= kDenominator, toText(b)));
  if (!status.ok()) return status;
  const int64_t shift = op.intAttr("shift"), bits = op.intAttr("bits");
  const Wide total =
      (magnitude(a) << (shift + 1)) + (magnitude(b) << bits) + magnitude(b) + 2 * kDenominator;
  status.Update(require(
      op, 5, magnitude(a) <= kFieldModulus && total < kFieldModulus,
      absl::StrCat("shift = ", shift, ", bits = ", bits, ", ", toText(a), " by ", toText(b))));
  status.Update(signedRange(op, 6, bits));
  status.Update(exponentIs(op, 7, op.result(), int64_t{a.exponent} - b.exponent + shift));
  return status;
}

// As the element that it is for: the shape, its last axis, or one for all.
bool isSpread(const Value* constant, Shape shape) {
  const Type& type = constant->type();
  return isFixed(type, shape) || isFixed(type, {1}) ||
         (!shape.empty() && isFixed(type, {shape.back()}));
}

absl::Status verifyAffine(const Op& op) {
  const Type& x = op.operand(0)->type();
  const unsigned count = op.numOperands();
  bool fits = isFixed(x, x.shape) && isFixed(op.result()->type(), x.shape);
  for (unsigned i = 1; i < count; ++i) {
    const Value* operand = op.operand(i);
    fits = fits && (i == 3 ? isFixed(operand->type(), x.shape) : isSpread(operand, x.shape));
  }
  absl::Status status = shapesAs(op, fits, {1, 2});
  status.Update(require(op, 2, count == 3 || count == 5, absl::StrCat(count, " operands")));
  if (count == 5) status.Update(shapesAs(op, fits, {4}));
  status.Update(between(op, 3, "shift", 0, 16));
  status.Update(between(op, 4, "bits", 2, 29));
  if (!status.ok()) return status;
  Wide bound = magnitude(op.operand(2)->type());
  const int64_t exponent = op.operand(2)->type().exponent;
  for (unsigned i = 0; i < count; i += 3) {  // x m, y n
    const Type &value = op.operand(i)->type(), &factor = op.operand(i + 1)->type();
    if (magnitude(value) > kFieldModulus || magnitude(factor) > kFieldModulus) {
      return violates(op, 5, toText(value) + " times " + toText(factor));
    }
    bound += magnitude(value) * magnitude(factor);
    status.Update(require(op, 7, int64_t{value.exponent} + factor.exponent == exponent,
                          toText(value) + " times " + toText(factor)));
  }
  const int64_t shift = op.intAttr("shift"), bits = op.intAttr("bits");
  status.Update(
      require(op, 4, bits <= 16 || (shift == 0 && bound < Wide{1} << (bits - 1)),
              absl::StrCat("bits = ", bits, ", shift = ", shift, ", B = ", narrow(bound))));
  status.Update(oneWitness(op, bound, 5));
  if (bits <= 16) {
    status.Update(signedRange(op, 6, bits));
  } else if (const Wide limit = Wide{1} << (bits - 1); status.ok()) {
    status.Update(holds(op, 6, op.result()->type(), -bound, bound));
    status.Update(
        require(op, 6, magnitude(op.result()->type()) < limit, toText(op.result()->type())));
  }
  status.Update(exponentIs(op, 7, op.result(), exponent - shift));
  return status;
}

absl::Status verifyLookup(const Op& op) {
  const Type &acc = op.operand(0)->type(), &table = op.operand(1)->type(), &y = op.result()->type();
  if (absl::Status status = between(op, 3, "bits", 2, 16); !status.ok()) return status;
  const int64_t keys = int64_t{1} << op.intAttr("bits");
  absl::Status status =
      shapesAs(op,
               isFixed(acc, acc.shape) && isFixed(y, acc.shape) && table.shape.size() == 1 &&
                   isFixed(table, table.shape) && (op.has("low") || table.shape[0] == keys),
               {1});
  status.Update(between(op, 2, "shift", 1, 16));
  if (!status.ok()) return status;
  status.Update(oneWitness(op, magnitude(acc)));
  status.Update(exponentIs(op, 5, op.result(), table.exponent));
  status.Update(holds(op, 5, y, table.low, table.high));
  const int64_t low = op.intAttrOr("low", -keys / 2);
  status.Update(require(op, 6,
                        low >= -keys / 2 && low <= keys / 2 && table.shape[0] <= keys / 2 - low,
                        absl::StrCat("low = ", low, ", keys = ", table.shape[0])));
  return status;
}

}  // namespace

Verifier verifierOfRounding(llvm::StringRef name) {
  return llvm::StringSwitch<Verifier>(name)
      .Case("integer.requantize", verifyRequantize)
      .Case("integer.multiply", verifyMultiply)
      .Case("integer.divide", verifyDivide)
      .Case("integer.affine", verifyAffine)
      .Case("integer.lookup", verifyLookup)
      .Default(nullptr);
}

}  // namespace lindero::ir::integer
