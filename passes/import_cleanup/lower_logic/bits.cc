// Of Arithmetic: whole numbers by their bits, in two's complement.
#include <cmath>

#include "ir/core/status_macros.h"
#include "passes/import_cleanup/lower_logic/arithmetic.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {

using ir::Value;

namespace {

constexpr int64_t kMostWrapped = 16;  // bits of a limb

// Below 2^count, and not below -2^count.
int bitsFor(const WholeRange& x) {
  int count = 1;
  while (x.high >= int64_t{1} << count || x.low < -(int64_t{1} << count)) ++count;
  return count;
}

}  // namespace

Arithmetic::Result Arithmetic::wrap(const ir::Op& op, Number x) {
  const int64_t bits = std::min<int64_t>(op.intAttr("bits"), 62);  // more than any range has
  const int64_t half = int64_t{1} << (bits - 1);
  const bool has_sign = op.boolAttr("signed");
  if (!x.range) return nullptr;
  if (x.range->low >= (has_sign ? -half : 0) && x.range->high < (has_sign ? half : 2 * half))
    return x.value;
  if (bits > kMostWrapped) return nullptr;
  if (has_sign) return low(x.value, static_cast<int>(bits));
  Value* middle = number(static_cast<double>(half));
  IR_ASSIGN_OR_RETURN(Value * moved, emit("tensor.sub", {x.value, middle}));
  IR_ASSIGN_OR_RETURN(Value * rest, low(moved, static_cast<int>(bits)));
  return emit("tensor.add", {rest, middle});
}

// The lowest `count` bits, and as the last one 1 where the number is negative: x - 2 floor(x / 2)
// of ever fewer.
absl::StatusOr<llvm::SmallVector<Value*>> Arithmetic::bitsOf(Number x, int count) {
  llvm::SmallVector<Value*> bits;
  Value *rest = x.value, *one = number(1), *two = number(2);
  for (int i = 0; i < count; ++i) {
    IR_ASSIGN_OR_RETURN(Value * less, emit("tensor.sub", {rest, one}));
    IR_ASSIGN_OR_RETURN(Value * half, high(less, 1));  // rounds up
    IR_ASSIGN_OR_RETURN(Value * even, emit("tensor.mul", {half, two}));
    IR_ASSIGN_OR_RETURN(bits.emplace_back(), emit("tensor.sub", {rest, even}));
    rest = half;
  }
  IR_ASSIGN_OR_RETURN(bits.emplace_back(), emit("tensor.neg", {rest}));
  return bits;
}

Arithmetic::Result Arithmetic::sharedBits(Number a, Number b) {
  if (!a.range || !b.range || mostOf(*a.range) >= kMostInteger || mostOf(*b.range) >= kMostInteger)
    return nullptr;
  // One that has all bits of the other.
  for (const auto& [x, mask] : {std::pair(a, b), std::pair(b, a)}) {
    const std::optional<double> all = scalarOf(mask.value);
    const int64_t bits = all ? static_cast<int64_t>(*all) + 1 : 0;
    if (bits > 0 && (bits & (bits - 1)) == 0 && x.range->low >= 0 && x.range->high < bits)
      return x.value;
  }
  const int count = std::max(bitsFor(*a.range), bitsFor(*b.range));
  IR_ASSIGN_OR_RETURN(const llvm::SmallVector<Value*> first, bitsOf(a, count));
  IR_ASSIGN_OR_RETURN(const llvm::SmallVector<Value*> second, bitsOf(b, count));
  Value* sum = nullptr;
  for (int i = 0; i <= count; ++i) {
    IR_ASSIGN_OR_RETURN(Value * both, conjunction(first[i], second[i]));
    const double weight = std::ldexp(i == count ? -1 : 1, i);
    IR_ASSIGN_OR_RETURN(both, emit("tensor.mul", {both, number(weight)}));
    if (sum != nullptr) {
      IR_ASSIGN_OR_RETURN(both, emit("tensor.add", {both, sum}));
    }
    sum = both;
  }
  return sum;
}

}  // namespace lindero::passes
