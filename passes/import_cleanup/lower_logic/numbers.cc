// Of Arithmetic: magnitudes, quotients and powers of whole numbers, and the places of extremes.
#include <numeric>

#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "passes/import_cleanup/lower_logic/arithmetic.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {

using ir::Element;
using ir::Op;
using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

bool isPowerOfTwo(const Value* value) {
  return isOp(value, "tensor.pow") && scalarOf(value->definingOp()->operand(0)) == 2;
}

Arithmetic::Result Arithmetic::magnitude(Number x) {
  IR_ASSIGN_OR_RETURN(Value * opposite, emit("tensor.neg", {x.value}));
  return extremeOfTwo(true, x, {opposite, WholeRange{-x.range->high, -x.range->low}});
}

// By a power of 2: the quotient by each that it may be, where it is that one.
Arithmetic::Result Arithmetic::shifted(Number a, Number b) {
  if (mostOf(*a.range) >= kMostInteger) return nullptr;
  const WholeRange range = {0, mostOf(*a.range)}, truth = {0, 1};
  Value *rest = a.value, *sign = nullptr, *sum = nullptr;
  if (a.range->low < 0) {
    IR_ASSIGN_OR_RETURN(rest, magnitude(a));
    IR_ASSIGN_OR_RETURN(Value * below, comparison("less", a, {number(0), WholeRange{0, 0}}));
    IR_ASSIGN_OR_RETURN(below, emit("tensor.mul", {below, number(-2)}));
    IR_ASSIGN_OR_RETURN(sign, emit("tensor.add", {below, number(1)}));
  }
  for (int bits = 0; int64_t{1} << bits <= std::min(b.range->high, range.high); ++bits) {
    const int64_t divisor = int64_t{1} << bits;
    IR_ASSIGN_OR_RETURN(Value * is_it, comparison("equal", b,
                                                  {number(static_cast<double>(divisor)),
                                                   WholeRange{divisor, divisor}}));
    Value* quotient = rest;
    if (bits > 0) {  // what is high rounds to the nearest
      Value* half = number(static_cast<double>(divisor / 2));
      IR_ASSIGN_OR_RETURN(quotient, emit("tensor.sub", {rest, half}));
      IR_ASSIGN_OR_RETURN(quotient, high(quotient, bits));
    }
    IR_ASSIGN_OR_RETURN(Value * part, product({is_it, truth}, {quotient, range}));
    if (sum != nullptr) {
      IR_ASSIGN_OR_RETURN(part, emit("tensor.add", {sum, part}));
    }
    sum = part;
  }
  if (sum == nullptr) return never(rest);
  return sign == nullptr ? sum : product({sign, WholeRange{-1, 1}}, {sum, range});
}

// Of magnitudes, with the product of the signs.
Arithmetic::Result Arithmetic::quotient(const Op& op, Number a, Number b) {
  const Value* divisor = op.operand(1);
  if (isPowerOfTwo(divisor)) return shifted(a, b);
  if (mostOf(*a.range) > kMostDivided || mostOf(*b.range) > kMostDivided) return nullptr;
  Value* sign = nullptr;
  for (Number* x : {&a, &b}) {
    if (x->range->low >= 0) continue;
    IR_ASSIGN_OR_RETURN(Value * own, function("sign(x)", x->value));
    IR_ASSIGN_OR_RETURN(x->value, magnitude(*x));
    x->range = WholeRange{0, mostOf(*x->range)};
    if (sign != nullptr) {
      IR_ASSIGN_OR_RETURN(own, emit("tensor.mul", {sign, own}));
    }
    sign = own;
  }
  IR_ASSIGN_OR_RETURN(Value * q, emit("tensor.whole_quotient", {a.value, b.value}));
  if (sign == nullptr) return q;
  const WholeRange range = {0, mostOf(*a.range)};
  return product({sign, WholeRange{-1, 1}}, {q, range});
}

Arithmetic::Result Arithmetic::power(const Op& op, Number base, Number exponent) {
  if (op.operand(0)->type().element == Element::kFloat) {  // of positive ones
    IR_ASSIGN_OR_RETURN(Value * log, function("log(x)", base.value));
    IR_ASSIGN_OR_RETURN(Value * product, emit("tensor.mul", {exponent.value, log}));
    return function("exp(x)", product);
  }
  if (!base.range || !exponent.range) return nullptr;
  constexpr int64_t kMostFactors = 8;
  if (std::optional<Array> given = arrayOf(exponent.value);
      given && exponent.range->low >= 1 && exponent.range->high <= kMostFactors) {
    Number power = base;
    Value* sum = nullptr;  // of each power where it is asked for
    for (int64_t n = 1; n <= exponent.range->high; ++n) {
      Array here = *given;
      for (double& x : here.reals) x = x == static_cast<double>(n);
      IR_ASSIGN_OR_RETURN(Value * part, emit("tensor.mul", {power.value, constant(here)}));
      if (sum != nullptr) {
        IR_ASSIGN_OR_RETURN(part, emit("tensor.add", {sum, part}));
      }
      sum = part;
      if (n == exponent.range->high) break;
      IR_ASSIGN_OR_RETURN(power.value, product(power, base));
      const int64_t most = mostOf(*power.range) * mostOf(*base.range);
      power.range = WholeRange{-most, most};
    }
    return expanded(sum, op.result()->type().shape);
  }
  constexpr int64_t kMostTabulated = 8;
  if (scalarOf(base.value) != 2 || exponent.range->low < 0 ||
      exponent.range->high > 2 * kMostTabulated)
    return nullptr;
  const std::string low = absl::StrCat("pow(2, min(x, ", kMostTabulated, "))");
  IR_ASSIGN_OR_RETURN(Value * power, function(low, exponent.value));
  if (exponent.range->high <= kMostTabulated) return power;
  IR_ASSIGN_OR_RETURN(
      Value * rest,
      function(absl::StrCat("pow(2, max(sub(x, ", kMostTabulated, "), 0))"), exponent.value));
  const WholeRange half = {1, int64_t{1} << kMostTabulated};
  return product({power, half}, {rest, half});
}

// The first of n elements that is the maximum: n less the greatest of n - j among those that are.
absl::StatusOr<Value*> Arithmetic::argmax(const Op& op, Value* x, const WholeRange& range) {
  const auto rank = static_cast<int64_t>(x->type().shape.size());
  const int64_t axis = op.intAttrOr("axis", rank - 1), count = x->type().shape[axis];
  IR_ASSIGN_OR_RETURN(Value * most, extremum(true, {x, range}, {axis}));
  IR_ASSIGN_OR_RETURN(Value * is_most, comparison("equal", {x, range}, {most, range}));
  Array left = Array::zeros(Element::kFloat, Ints(rank - axis, 1));
  left.shape[0] = count;
  left.reals.resize(count);
  for (int64_t j = 0; j < count; ++j) left.reals[j] = static_cast<double>(count - j);
  IR_ASSIGN_OR_RETURN(Value * distances, emit("tensor.mul", {is_most, constant(left)}));
  IR_ASSIGN_OR_RETURN(Value * first, extremum(true, {distances, WholeRange{0, count}}, {axis}));
  IR_ASSIGN_OR_RETURN(first, emit("tensor.sub", {number(static_cast<double>(count)), first}));
  return reshaped(first, op.result()->type().shape);
}

// Neighbours are compared, then the greater ones of each two, and so on. Of equal ones the first
// goes on: it is that of the lower index.
absl::StatusOr<Value*> Arithmetic::argmaxOfReals(const Op& op, Value* x) {
  const auto rank = static_cast<int64_t>(x->type().shape.size());
  const int64_t axis = op.intAttrOr("axis", rank - 1);
  Array places = Array::zeros(Element::kFloat, x->type().shape);
  const int64_t inner = ir::tensor::rowMajorStrides(x->type().shape)[axis];
  int64_t size = x->type().shape[axis];
  for (size_t i = 0; i < places.reals.size(); ++i)
    places.reals[i] = static_cast<double>(static_cast<int64_t>(i) / inner % size);
  Value* index = constant(places);
  const auto every = [&](Value* value, int64_t start, int64_t count, int64_t step) {
    return emit("tensor.slice", {value},
                {{"axis", axis}, {"start", start}, {"size", count}, {"step", step}});
  };
  const auto last = [&](Value* value, Value* pairs) -> Result {
    if (size % 2 == 0) return pairs;
    IR_ASSIGN_OR_RETURN(Value * rest, every(value, size - 1, 1, 1));
    return emit("tensor.concat", {pairs, rest}, {{"axis", axis}});
  };
  for (; size > 1; size = size / 2 + size % 2) {
    Value* greater = nullptr;
    Value* chosen[2] = {x, index};
    for (Value*& value : chosen) {
      IR_ASSIGN_OR_RETURN(Value * first, every(value, 0, size / 2, 2));
      IR_ASSIGN_OR_RETURN(Value * second, every(value, 1, size / 2, 2));
      IR_ASSIGN_OR_RETURN(Value * difference, emit("tensor.sub", {second, first}));
      if (greater == nullptr) {
        IR_ASSIGN_OR_RETURN(greater, function("where(greater(x, 0), 1, 0)", difference));
      }
      IR_ASSIGN_OR_RETURN(Value * moved, emit("tensor.mul", {greater, difference}));
      IR_ASSIGN_OR_RETURN(Value * pairs, emit("tensor.add", {moved, first}));
      IR_ASSIGN_OR_RETURN(value, last(value, pairs));
    }
    x = chosen[0], index = chosen[1];
  }
  return reshaped(index, op.result()->type().shape);
}

}  // namespace lindero::passes
