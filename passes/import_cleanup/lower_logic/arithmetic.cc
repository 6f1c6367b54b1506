#include "passes/import_cleanup/lower_logic/arithmetic.h"

#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "passes/import_cleanup/support/rewrite.h"

namespace lindero::passes {

using ir::Element;
using ir::Op;
using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;

namespace {

bool isComparison(const Op& op) {
  return llvm::StringSwitch<bool>(op.name())
      .Cases("tensor.equal", "tensor.greater", "tensor.greater_or_equal", true)
      .Cases("tensor.less", "tensor.less_or_equal", true)
      .Default(false);
}

bool isLarge(const std::optional<WholeRange>& range) {
  return range && mostOf(*range) > kMostWhole && mostOf(*range) < kMostInteger;
}

// Do both have limbs, and does one need them?
bool needLimbs(const std::optional<WholeRange>& a, const std::optional<WholeRange>& b) {
  const auto limit = kMostInteger;
  return a && b && mostOf(*a) < limit && mostOf(*b) < limit && (isLarge(a) || isLarge(b));
}

int64_t mostOf(const std::optional<WholeRange>& a, const std::optional<WholeRange>& b) {
  return std::max(mostOf(*a), mostOf(*b));
}

// The most that a sum over axes may be, if it is one of integers.
double sumOf(const Op& op, const std::optional<WholeRange>& range) {
  if (!range) return 0;
  const auto terms = static_cast<double>(op.operand(0)->type().elements()) /
                     static_cast<double>(std::max<int64_t>(op.result()->type().elements(), 1));
  return terms * static_cast<double>(mostOf(*range));
}

// May the result jump where the operand does not: at a number that it is compared with, or rounded
// to?
bool jumps(const Op& op) {
  constexpr llvm::StringLiteral kRoundings[] = {"sign", "floor", "ceil", "round"};
  if (!op.is("tensor.activation"))
    return isComparison(op) ||
           llvm::is_contained(kRoundings, op.name().drop_front(strlen("tensor.")));
  const llvm::StringRef function = op.stringAttr("function");
  return decides(function) || llvm::any_of(kRoundings, [&](llvm::StringRef rounding) {
           return function.contains(rounding.str() + "(");
         });
}

// Does what the op makes decide at which side of a jump something is: as it is, moved, or as part
// of another extreme, choice, sum or difference?
bool isCompared(const Op& op) {
  llvm::SmallPtrSet<const Op*, 8> seen;
  llvm::SmallVector<const Op*> open = {&op};
  while (!open.empty()) {
    const Op* next = open.pop_back_val();
    if (!seen.insert(next).second || next->numResults() != 1) continue;
    for (const Op* reader : next->result()->users()) {
      if (jumps(*reader)) return true;
      const bool follows =
          movesElements(*reader) ||
          llvm::StringSwitch<bool>(reader->name())
              .Cases("tensor.max", "tensor.min", "tensor.neg", "tensor.where", true)
              .Cases("tensor.reduce_max", "tensor.reduce_min", true)
              .Cases("tensor.add", "tensor.sub", true)
              .Default(false);
      if (follows) open.push_back(reader);
    }
  }
  return false;
}

bool isFinite(const Value* value) {
  if (!isConstant(value)) return true;
  std::optional<Array> array = arrayOf(value);
  return array && llvm::all_of(array->reals, [](double x) { return std::isfinite(x); });
}

}  // namespace

Arithmetic::Exactness Arithmetic::exactnessFor(const Op& op) {
  return isCompared(op) ? Exactness::kExact : Exactness::kRounded;
}

bool Arithmetic::spellsReal(const Op& op) const {
  if (op.is("tensor.reduce_max") || op.is("tensor.reduce_min")) return true;
  if (op.is("tensor.pow")) {
    return op.result()->type().element == Element::kFloat && !scalarOf(op.operand(0)) &&
           !scalarOf(op.operand(1));
  }
  if (!op.is("tensor.max") && !op.is("tensor.min")) return false;
  return !scalarOf(op.operand(0)) && !scalarOf(op.operand(1));
}

absl::StatusOr<Value*> Arithmetic::spell(const Op& op, llvm::ArrayRef<Value*> x,
                                         llvm::ArrayRef<std::optional<WholeRange>> ranges) {
  if (!llvm::all_of(x, isFinite)) return nullptr;
  llvm::SmallVector<Number, 3> numbers;
  for (auto [value, range] : llvm::zip(x, ranges)) numbers.push_back({value, range});
  if (op.is("tensor.cast")) return castTo(op, numbers[0]);
  if (op.is("tensor.not")) return negation(x[0]);
  if (op.is("tensor.and")) return conjunction(x[0], x[1]);
  if (op.is("tensor.or")) return disjunction(x[0], x[1]);
  if (op.is("tensor.where")) return choice(op, x[0], numbers[1], numbers[2]);
  if (op.is("tensor.max") || op.is("tensor.min"))
    return extremeOfTwo(op.is("tensor.max"), numbers[0], numbers[1], exactnessFor(op));
  if (op.is("tensor.relu") && isLarge(ranges[0]))
    return extremeOfTwo(true, numbers[0], {number(0), WholeRange{0, 0}});
  if (op.is("tensor.abs") && ranges[0]) return magnitude(numbers[0]);
  if (op.is("tensor.sign")) {
    if (!isLarge(ranges[0])) return function("sign(x)", x[0]);
    const Number zero = {number(0), WholeRange{0, 0}};
    IR_ASSIGN_OR_RETURN(Value * above, comparison("greater", numbers[0], zero));
    IR_ASSIGN_OR_RETURN(Value * below, comparison("less", numbers[0], zero));
    return emit("tensor.sub", {above, below});
  }
  if (op.is("tensor.wrap")) return wrap(op, numbers[0]);
  if (op.is("tensor.div") && op.result()->type().element == Element::kInt && ranges[0] && ranges[1])
    return quotient(op, numbers[0], numbers[1]);
  if (op.is("tensor.bit_and")) return sharedBits(numbers[0], numbers[1]);
  if (op.is("tensor.pow")) return power(op, numbers[0], numbers[1]);
  if (op.is("tensor.reduce_max") || op.is("tensor.reduce_min")) {
    IR_ASSIGN_OR_RETURN(Value * one, extremum(op.is("tensor.reduce_max"), numbers[0],
                                              op.intsAttr("axes"), exactnessFor(op)));
    return one == nullptr ? one : reshaped(one, op.result()->type().shape);
  }
  if (isComparison(op))
    return comparison(op.name().drop_front(strlen("tensor.")), numbers[0], numbers[1]);
  if (op.is("tensor.mul") && ranges[0] && ranges[1] && !isConstant(x[0]) && !isConstant(x[1]))
    return product(numbers[0], numbers[1]);
  if (op.is("tensor.reduce_sum") && sumOf(op, ranges[0]) > kMostWhole) {
    IR_ASSIGN_OR_RETURN(Value * total, sum(x[0], op.intsAttr("axes")));
    return reshaped(total, op.result()->type().shape);
  }
  const bool same = llvm::StringSwitch<bool>(op.name())
                        .Cases("tensor.add", "tensor.matmul", "tensor.mul", "tensor.neg", true)
                        .Cases("tensor.reduce_sum", "tensor.relu", "tensor.sub", true)
                        .Case("tensor.trilu", true)
                        .Default(false);
  if (!same) return nullptr;
  return emit(op.name(), x, op.attributes());
}

absl::StatusOr<Value*> Arithmetic::emit(llvm::StringRef op, llvm::ArrayRef<Value*> operands,
                                        llvm::ArrayRef<ir::NamedAttribute> attributes) {
  return ir::tensor::create(builder_, op, operands, attributes);
}

Value* Arithmetic::constant(const Array& array) { return makeConstant(builder_, array, ""); }

Value* Arithmetic::number(double value) { return constant(Array::real({}, {value})); }

Arithmetic::Result Arithmetic::function(const std::string& text, Value* x) {
  return emit("tensor.activation", {x}, {{"function", text}});
}

Arithmetic::Result Arithmetic::reshaped(Value* value, llvm::ArrayRef<int64_t> shape) {
  if (llvm::ArrayRef<int64_t>(value->type().shape) == shape) return value;
  return emit("tensor.reshape", {value}, {{"shape", shape.vec()}});
}

Arithmetic::Result Arithmetic::expanded(Value* value, llvm::ArrayRef<int64_t> shape) {
  if (llvm::ArrayRef<int64_t>(value->type().shape) == shape) return value;
  return emit("tensor.expand", {value}, {{"shape", shape.vec()}});
}

Arithmetic::Result Arithmetic::castTo(const Op& op, Number x) {
  const Element from = op.operand(0)->type().element, to = op.result()->type().element;
  if (to != Element::kBool || from == Element::kBool)
    return x.value;  // a real that becomes an integer is whole: its range is known
  if (!isLarge(x.range)) return function("where(equal(x, 0), 0, 1)", x.value);
  IR_ASSIGN_OR_RETURN(Value * zero, comparison("equal", x, {number(0), WholeRange{0, 0}}));
  return negation(zero);
}

Arithmetic::Result Arithmetic::negation(Value* x) { return emit("tensor.sub", {number(1), x}); }

Arithmetic::Result Arithmetic::conjunction(Value* a, Value* b) {
  if (isConstant(a) || isConstant(b)) return emit("tensor.mul", {a, b});
  IR_ASSIGN_OR_RETURN(Value * sum, emit("tensor.add", {a, b}));
  return function("where(greater(x, 1.5), 1, 0)", sum);
}

Arithmetic::Result Arithmetic::disjunction(Value* a, Value* b) {
  if (isConstant(a)) std::swap(a, b);
  if (std::optional<Array> open = arrayOf(b)) {  // a (1 - b) + b
    for (double& x : open->reals) x = 1 - x;
    IR_ASSIGN_OR_RETURN(Value * product, emit("tensor.mul", {a, constant(*open)}));
    return emit("tensor.add", {product, b});
  }
  IR_ASSIGN_OR_RETURN(Value * sum, emit("tensor.add", {a, b}));
  return function("where(greater(x, 0.5), 1, 0)", sum);
}

Arithmetic::Result Arithmetic::comparison(llvm::StringRef name, Number a, Number b) {
  Value* order = nullptr;
  if (needLimbs(a.range, b.range)) {
    const int64_t most = mostOf(a.range, b.range);
    IR_ASSIGN_OR_RETURN(const Limbs x, limbsOf(a.value, most));
    IR_ASSIGN_OR_RETURN(const Limbs y, limbsOf(b.value, most));
    IR_ASSIGN_OR_RETURN(order, this->order(x, y));
  } else {
    IR_ASSIGN_OR_RETURN(order, emit("tensor.sub", {a.value, b.value}));
  }
  return function(absl::StrCat("where(", name.str(), "(x, 0), 1, 0)"), order);
}

Arithmetic::Result Arithmetic::choice(const Op& op, Value* condition, Number a, Number b) {
  const llvm::ArrayRef<int64_t> shape = op.result()->type().shape;
  std::optional<Array> chosen = arrayOf(condition);
  if (!chosen) {
    IR_ASSIGN_OR_RETURN(Value * value, this->chosen(condition, a, b, exactnessFor(op)));
    return expanded(value, shape);  // an operand may be what gives the result its rank
  }
  for (double& x : chosen->reals) x = x != 0;
  if (llvm::all_equal(chosen->reals))
    return expanded(chosen->reals.front() != 0 ? a.value : b.value, shape);
  Array other = *chosen;
  for (double& x : other.reals) x = 1 - x;
  IR_ASSIGN_OR_RETURN(Value * first, emit("tensor.mul", {a.value, constant(*chosen)}));
  IR_ASSIGN_OR_RETURN(Value * second, emit("tensor.mul", {b.value, constant(other)}));
  return emit("tensor.add", {first, second});
}

Arithmetic::Result Arithmetic::chosen(Value* condition, Number a, Number b, Exactness exactness) {
  const std::optional<double> x = scalarOf(a.value), y = scalarOf(b.value);
  const bool single = x && y && static_cast<float>(*x - *y) == *x - *y;
  if (!single && needLimbs(a.range, b.range)) {
    const int64_t most = mostOf(a.range, b.range);
    IR_ASSIGN_OR_RETURN(const Limbs first, limbsOf(a.value, most));
    IR_ASSIGN_OR_RETURN(const Limbs second, limbsOf(b.value, most));
    IR_ASSIGN_OR_RETURN(const Limbs limbs, chosenLimbs(condition, first, second));
    return joined(limbs);
  }
  if (exactness == Exactness::kExact && !(x && y)) return eitherOf(condition, a, b);
  Value* difference = nullptr;
  if (x && y) {
    difference = number(*x - *y);
  } else {
    IR_ASSIGN_OR_RETURN(difference, emit("tensor.sub", {a.value, b.value}));
  }
  if (y == 0) return emit("tensor.mul", {condition, a.value});
  IR_ASSIGN_OR_RETURN(Value * product, emit("tensor.mul", {condition, difference}));
  return emit("tensor.add", {product, b.value});
}

Arithmetic::Result Arithmetic::eitherOf(Value* c, Number a, Number b) {
  IR_ASSIGN_OR_RETURN(Value * first, emit("tensor.mul", {c, a.value}));
  if (scalarOf(b.value) == 0) return first;
  IR_ASSIGN_OR_RETURN(Value * second, negation(c));
  IR_ASSIGN_OR_RETURN(second, emit("tensor.mul", {second, b.value}));
  if (scalarOf(a.value) == 0) return second;
  return emit("tensor.add", {first, second});
}

Arithmetic::Result Arithmetic::extremeOfTwo(bool greatest, Number a, Number b,
                                            Exactness exactness) {
  if (needLimbs(a.range, b.range)) {
    const int64_t most = mostOf(a.range, b.range);
    IR_ASSIGN_OR_RETURN(const Limbs x, limbsOf(a.value, most));
    IR_ASSIGN_OR_RETURN(const Limbs y, limbsOf(b.value, most));
    IR_ASSIGN_OR_RETURN(const Limbs limbs, extremeLimbs(greatest, x, y));
    return joined(limbs);
  }
  if (isConstant(a.value)) std::swap(a, b);
  IR_ASSIGN_OR_RETURN(Value * difference, greatest ? emit("tensor.sub", {b.value, a.value})
                                                   : emit("tensor.sub", {a.value, b.value}));
  if (exactness == Exactness::kExact) {
    IR_ASSIGN_OR_RETURN(Value * second, function("where(greater(x, 0), 1, 0)", difference));
    return eitherOf(second, b, a);
  }
  IR_ASSIGN_OR_RETURN(Value * excess, function("relu(x)", difference));
  return emit(greatest ? "tensor.add" : "tensor.sub", {a.value, excess});
}

Arithmetic::Result Arithmetic::slice(Value* x, int64_t axis, int64_t start, int64_t size) {
  return emit("tensor.slice", {x}, {{"axis", axis}, {"start", start}, {"size", size}});
}

Arithmetic::Result Arithmetic::extremum(bool greatest, Number x, llvm::ArrayRef<int64_t> axes,
                                        Exactness exactness) {
  Limbs limbs = {{x.value, 0}};
  if (isLarge(x.range)) {
    IR_ASSIGN_OR_RETURN(limbs, limbsOf(x.value, mostOf(*x.range)));
  }
  for (int64_t axis : axes) {
    int64_t size = x.value->type().shape[axis];
    if (size == 0) return nullptr;
    for (; size > 1; size = size / 2 + size % 2) {
      const int64_t half = size / 2;
      Limbs first, second, last;
      for (const Limb& limb : limbs) {
        first.push_back(limb), second.push_back(limb);
        IR_ASSIGN_OR_RETURN(first.back().value, slice(limb.value, axis, 0, half));
        IR_ASSIGN_OR_RETURN(second.back().value, slice(limb.value, axis, half, half));
        if (size % 2 == 0) continue;
        last.push_back(limb);
        IR_ASSIGN_OR_RETURN(last.back().value, slice(limb.value, axis, size - 1, 1));
      }
      if (limbs.size() > 1) {
        IR_ASSIGN_OR_RETURN(limbs, extremeLimbs(greatest, first, second));
      } else {
        IR_ASSIGN_OR_RETURN(limbs[0].value, extremeOfTwo(greatest, {first[0].value, {}},
                                                         {second[0].value, {}}, exactness));
      }
      for (size_t i = 0; i < last.size(); ++i) {
        IR_ASSIGN_OR_RETURN(limbs[i].value, emit("tensor.concat", {limbs[i].value, last[i].value},
                                                 {{"axis", axis}}));
      }
    }
  }
  return joined(limbs);
}

// Halves are added up until one element is left on each axis.
Arithmetic::Result Arithmetic::sum(Value* x, llvm::ArrayRef<int64_t> axes) {
  for (int64_t axis : axes) {
    for (int64_t size = x->type().shape[axis]; size > 1; size = size / 2 + size % 2) {
      const int64_t half = size / 2;
      IR_ASSIGN_OR_RETURN(Value * first, slice(x, axis, 0, half));
      IR_ASSIGN_OR_RETURN(Value * second, slice(x, axis, half, half));
      IR_ASSIGN_OR_RETURN(Value * total, emit("tensor.add", {first, second}));
      if (size % 2 == 1) {
        IR_ASSIGN_OR_RETURN(Value * last, slice(x, axis, size - 1, 1));
        IR_ASSIGN_OR_RETURN(total, emit("tensor.concat", {total, last}, {{"axis", axis}}));
      }
      x = total;
    }
  }
  return x;
}

absl::StatusOr<Value*> Arithmetic::never(Value* x) { return emit("tensor.mul", {x, number(0)}); }

// By one-hot rows: 1 where the index is that of the column.
Arithmetic::Result Arithmetic::oneHot(Number index, int64_t size) {
  Array numbers = Array::zeros(Element::kFloat, {size});
  std::iota(numbers.reals.begin(), numbers.reals.end(), 0);
  const WholeRange range = *index.range;
  const bool from_end = range.low < 0;
  IR_ASSIGN_OR_RETURN(Value * column, reshaped(index.value, {index.value->type().elements(), 1}));
  if (std::max(mostOf(range), size) <= kMostWhole) {
    IR_ASSIGN_OR_RETURN(Value * distance, emit("tensor.sub", {column, constant(numbers)}));
    return function(absl::StrCat("where(",
                                 from_end ? absl::StrCat("or(equal(x, 0), equal(x, -", size, "))")
                                          : "equal(x, 0)",
                                 ", 1, 0)"),
                    distance);
  }
  IR_ASSIGN_OR_RETURN(Value * hot, comparison("equal", {column, range},
                                              {constant(numbers), WholeRange{0, size - 1}}));
  if (!from_end) return hot;
  for (double& x : numbers.reals) x -= static_cast<double>(size);
  IR_ASSIGN_OR_RETURN(Value * counted, comparison("equal", {column, range},
                                                  {constant(numbers), WholeRange{-size, -1}}));
  return emit("tensor.add", {hot, counted});
}

absl::StatusOr<Value*> Arithmetic::pick(Number data, Number index, int64_t axis) {
  const int64_t size = data.value->type().shape[axis];
  IR_ASSIGN_OR_RETURN(Value * chosen, oneHot(index, size));
  if (index.range->low < -size || index.range->high >= size) {
    IR_ASSIGN_OR_RETURN(Value * found, emit("tensor.reduce_sum", {chosen},
                                            {{"axes", Ints{1}}, {"keepdims", true}}));
    IR_ASSIGN_OR_RETURN(Value * some, function("reciprocal(where(greater(x, 0), 1, 0))", found));
    IR_ASSIGN_OR_RETURN(chosen, emit("tensor.mul", {chosen, some}));
  }
  Limbs limbs = {{data.value, 0}};
  if (isLarge(data.range)) {
    IR_ASSIGN_OR_RETURN(limbs, limbsOf(data.value, mostOf(*data.range)));
  }
  return pickByRows(chosen, limbs, index.value->type().shape, axis);
}

// y[pre, i, post] = sum over j of chosen[i, j] data[pre, j, post].
Arithmetic::Result Arithmetic::pickByRows(Value* chosen, Limbs data, llvm::ArrayRef<int64_t> picked,
                                          int64_t axis) {
  const auto& type = data.front().value->type();
  const Ints shape(type.shape.begin(), type.shape.end());
  const int64_t size = shape[axis], rank = static_cast<int64_t>(shape.size());
  Ints first = {axis}, others;
  for (int64_t i = 0; i < rank; ++i) {
    if (i == axis) continue;
    first.push_back(i);
    others.push_back(shape[i]);
  }
  const int64_t width =
      std::accumulate(others.begin(), others.end(), int64_t{1}, std::multiplies<>());
  llvm::SmallVector<Value*, 4> columns;  // of all limbs, side by side
  Value* rows = nullptr;
  for (const Limb& limb : data) {
    Value* x = limb.value;
    if (axis != 0) {
      IR_ASSIGN_OR_RETURN(x, emit("tensor.transpose", {x}, {{"perm", first}}));
    }
    IR_ASSIGN_OR_RETURN(rows, reshaped(x, {size, width}));
    columns.push_back(rows);
  }
  if (columns.size() > 1) {
    IR_ASSIGN_OR_RETURN(rows, emit("tensor.concat", columns, {{"axis", int64_t{1}}}));
  }
  IR_ASSIGN_OR_RETURN(Value * result, emit("tensor.matmul", {chosen, rows}));
  if (columns.size() > 1) {
    for (auto [i, limb] : llvm::enumerate(data)) {
      IR_ASSIGN_OR_RETURN(limb.value, slice(result, 1, static_cast<int64_t>(i) * width, width));
    }
    IR_ASSIGN_OR_RETURN(result, joined(data));
  }
  Ints whole(picked.begin(), picked.end());
  llvm::append_range(whole, others);
  IR_ASSIGN_OR_RETURN(result, reshaped(result, whole));
  if (axis == 0) return result;
  const auto inner = static_cast<int64_t>(picked.size());
  Ints perm;
  for (int64_t i = 0; i < axis; ++i) perm.push_back(inner + i);
  for (int64_t i = 0; i < inner; ++i) perm.push_back(i);
  for (int64_t i = axis; i + 1 < rank; ++i) perm.push_back(inner + i);
  return emit("tensor.transpose", {result}, {{"perm", perm}});
}

}  // namespace lindero::passes
