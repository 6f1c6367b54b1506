// Of Arithmetic: whole numbers that are too large for tables and products, by their limbs.
#include <cmath>

#include "ir/core/status_macros.h"
#include "passes/import_cleanup/lower_logic/arithmetic.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {

using ir::Value;

namespace {

constexpr int kLimbBits = 8;
// Of a limb: keys of a difference of two have room for it.
constexpr int64_t kMostLimb = 1 << 9;
// What a product of two values may be: 16 bits hold it.
constexpr int64_t kMostProduct = 1 << 14;

WholeRange highOf(const WholeRange& x, int shift) {
  const int64_t half = int64_t{1} << (shift - 1);
  return {(x.low + half) >> shift, (x.high + half) >> shift};
}

WholeRange lowOf(int shift) {
  const int64_t half = int64_t{1} << (shift - 1);
  return {-half, half - 1};
}

}  // namespace

Arithmetic::Result Arithmetic::high(Value* x, int shift) {
  return emit("tensor.high_limb", {x}, {{"shift", int64_t{shift}}});
}

Arithmetic::Result Arithmetic::low(Value* x, int shift) {
  return emit("tensor.low_limb", {x}, {{"shift", int64_t{shift}}});
}

absl::StatusOr<Arithmetic::Limbs> Arithmetic::limbsOf(Value* x, int64_t most) {
  if (most <= kMostLimb) return Limbs{{x, 0}};
  const bool once = most < kMostLimb << kLimbBits;
  const int shift = once ? kLimbBits : 2 * kLimbBits;
  const WholeRange top = highOf({-most, most}, shift), bottom = lowOf(shift);
  IR_ASSIGN_OR_RETURN(Value * low_part, low(x, shift));
  IR_ASSIGN_OR_RETURN(Value * high_part, high(x, shift));
  Limbs limbs = {{low_part, 0}};
  if (!once) {
    IR_ASSIGN_OR_RETURN(limbs, limbsOf(low_part, mostOf(bottom)));
  }
  IR_ASSIGN_OR_RETURN(const Limbs higher, limbsOf(high_part, mostOf(top)));
  for (const Limb& limb : higher) limbs.push_back({limb.value, limb.shift + shift});
  return limbs;
}

Arithmetic::Result Arithmetic::joined(llvm::ArrayRef<Limb> limbs) {
  Value* sum = limbs.front().value;
  for (const Limb& limb : limbs.drop_front()) {
    IR_ASSIGN_OR_RETURN(Value * part,
                        emit("tensor.mul", {limb.value, number(std::ldexp(1, limb.shift))}));
    IR_ASSIGN_OR_RETURN(sum, emit("tensor.add", {part, sum}));
  }
  return sum;
}

// The sign of the highest limbs that differ: each sign counts more than all below it.
Arithmetic::Result Arithmetic::order(llvm::ArrayRef<Limb> a, llvm::ArrayRef<Limb> b) {
  Value* sum = nullptr;
  double weight = 1;
  for (auto [x, y] : llvm::zip(a, b)) {
    IR_ASSIGN_OR_RETURN(Value * sign, emit("tensor.sub", {x.value, y.value}));
    if (a.size() > 1) {
      IR_ASSIGN_OR_RETURN(sign, function("sign(x)", sign));
    }
    if (sum == nullptr) {
      sum = sign;
      continue;
    }
    weight *= 2;
    IR_ASSIGN_OR_RETURN(sign, emit("tensor.mul", {sign, number(weight)}));
    IR_ASSIGN_OR_RETURN(sum, emit("tensor.add", {sum, sign}));
  }
  return sum;
}

absl::StatusOr<Arithmetic::Limbs> Arithmetic::chosenLimbs(Value* c, llvm::ArrayRef<Limb> a,
                                                          llvm::ArrayRef<Limb> b) {
  Limbs limbs;
  for (auto [x, y] : llvm::zip(a, b)) {
    IR_ASSIGN_OR_RETURN(Value * difference, emit("tensor.sub", {x.value, y.value}));
    IR_ASSIGN_OR_RETURN(Value * product, emit("tensor.mul", {c, difference}));
    IR_ASSIGN_OR_RETURN(Value * sum, emit("tensor.add", {product, y.value}));
    limbs.push_back({sum, x.shift});
  }
  return limbs;
}

absl::StatusOr<Arithmetic::Limbs> Arithmetic::extremeLimbs(bool greatest, llvm::ArrayRef<Limb> a,
                                                           llvm::ArrayRef<Limb> b) {
  IR_ASSIGN_OR_RETURN(Value * order, greatest ? this->order(b, a) : this->order(a, b));
  IR_ASSIGN_OR_RETURN(Value * second, function("where(greater(x, 0), 1, 0)", order));
  return chosenLimbs(second, b, a);
}

// The larger factor is cut in halves until all products are small.
Arithmetic::Result Arithmetic::product(Number a, Number b) {
  if (mostOf(*a.range) < mostOf(*b.range)) std::swap(a, b);
  const int64_t most = mostOf(*a.range);
  if (most * mostOf(*b.range) <= kMostProduct) return emit("tensor.mul", {a.value, b.value});
  const int shift = (std::ilogb(static_cast<double>(most)) + 2) / 2;
  IR_ASSIGN_OR_RETURN(Value * high_part, high(a.value, shift));
  IR_ASSIGN_OR_RETURN(Value * low_part, low(a.value, shift));
  IR_ASSIGN_OR_RETURN(Value * upper, product({high_part, highOf(*a.range, shift)}, b));
  IR_ASSIGN_OR_RETURN(Value * lower, product({low_part, lowOf(shift)}, b));
  return joined({{lower, 0}, {upper, shift}});
}

}  // namespace lindero::passes
