#include "passes/import_cleanup/lower_logic/arithmetic.h"

#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/infer.h"
#include "llvm/ADT/STLExtras.h"
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

bool isFinite(const Value* value) {
  if (!isConstant(value)) return true;
  std::optional<Array> array = arrayOf(value);
  return array && llvm::all_of(array->reals, [](double x) { return std::isfinite(x); });
}

}  // namespace

bool Arithmetic::spellsReal(const Op& op) const {
  if (op.is("tensor.reduce_max") || op.is("tensor.reduce_min")) return true;
  if (!op.is("tensor.max") && !op.is("tensor.min")) return false;
  return !scalarOf(op.operand(0)) && !scalarOf(op.operand(1));
}

absl::StatusOr<Value*> Arithmetic::spell(const Op& op, llvm::ArrayRef<Value*> x) {
  if (!llvm::all_of(x, isFinite)) return nullptr;
  if (op.is("tensor.cast")) return castTo(op, x[0]);
  if (op.is("tensor.not")) return negation(x[0]);
  if (op.is("tensor.and")) return conjunction(x[0], x[1]);
  if (op.is("tensor.or")) return disjunction(x[0], x[1]);
  if (op.is("tensor.where")) return choice(op, x[0], x[1], x[2]);
  if (op.is("tensor.max")) return maximum(x[0], x[1]);
  if (op.is("tensor.min")) return minimum(x[0], x[1]);
  if (op.is("tensor.reduce_max") || op.is("tensor.reduce_min")) {
    IR_ASSIGN_OR_RETURN(Value * one,
                        extremum(op.is("tensor.reduce_max"), x[0], op.intsAttr("axes")));
    return one == nullptr ? one : reshaped(one, op.result()->type().shape);
  }
  if (isComparison(op)) return comparison(op.name().drop_front(strlen("tensor.")), x[0], x[1]);
  const bool same = llvm::StringSwitch<bool>(op.name())
                        .Cases("tensor.add", "tensor.matmul", "tensor.mul", "tensor.neg", true)
                        .Cases("tensor.reduce_sum", "tensor.relu", "tensor.sub", true)
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

Arithmetic::Result Arithmetic::castTo(const Op& op, Value* x) {
  const Element from = op.operand(0)->type().element, to = op.result()->type().element;
  if (to == Element::kBool && from != Element::kBool)
    return function("where(equal(x, 0), 0, 1)", x);
  return x;  // a real that becomes an integer is whole: its range is known
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

Arithmetic::Result Arithmetic::comparison(llvm::StringRef name, Value* a, Value* b) {
  IR_ASSIGN_OR_RETURN(Value * difference, emit("tensor.sub", {a, b}));
  return function(absl::StrCat("where(", name.str(), "(x, 0), 1, 0)"), difference);
}

Arithmetic::Result Arithmetic::choice(const Op& op, Value* condition, Value* a, Value* b) {
  const llvm::ArrayRef<int64_t> shape = op.result()->type().shape;
  std::optional<Array> chosen = arrayOf(condition);
  if (chosen) {
    for (double& x : chosen->reals) x = x != 0;
    if (llvm::all_equal(chosen->reals)) return expanded(chosen->reals.front() != 0 ? a : b, shape);
    Array other = *chosen;
    for (double& x : other.reals) x = 1 - x;
    IR_ASSIGN_OR_RETURN(Value * first, emit("tensor.mul", {a, constant(*chosen)}));
    IR_ASSIGN_OR_RETURN(Value * second, emit("tensor.mul", {b, constant(other)}));
    return emit("tensor.add", {first, second});
  }
  Value* difference = nullptr;
  const std::optional<double> x = scalarOf(a), y = scalarOf(b);
  if (x && y) {
    difference = number(*x - *y);
  } else {
    IR_ASSIGN_OR_RETURN(difference, emit("tensor.sub", {a, b}));
  }
  if (y == 0) {
    IR_ASSIGN_OR_RETURN(Value * product, emit("tensor.mul", {condition, a}));
    return expanded(product, shape);  // b may be what gives the result its rank
  }
  IR_ASSIGN_OR_RETURN(Value * product, emit("tensor.mul", {condition, difference}));
  return emit("tensor.add", {product, b});
}

Arithmetic::Result Arithmetic::maximum(Value* a, Value* b) {
  if (isConstant(a)) std::swap(a, b);
  IR_ASSIGN_OR_RETURN(Value * difference, emit("tensor.sub", {b, a}));
  IR_ASSIGN_OR_RETURN(Value * excess, function("relu(x)", difference));
  return emit("tensor.add", {a, excess});
}

Arithmetic::Result Arithmetic::minimum(Value* a, Value* b) {
  if (isConstant(a)) std::swap(a, b);
  IR_ASSIGN_OR_RETURN(Value * difference, emit("tensor.sub", {a, b}));
  IR_ASSIGN_OR_RETURN(Value * excess, function("relu(x)", difference));
  return emit("tensor.sub", {a, excess});
}

// Halves are compared until one element is left on each axis.
Arithmetic::Result Arithmetic::extremum(bool greatest, Value* x, llvm::ArrayRef<int64_t> axes) {
  for (int64_t axis : axes) {
    auto slice = [&](int64_t start, int64_t size) {
      return emit("tensor.slice", {x}, {{"axis", axis}, {"start", start}, {"size", size}});
    };
    int64_t size = x->type().shape[axis];
    if (size == 0) return nullptr;
    while (size > 1) {
      const int64_t half = size / 2;
      IR_ASSIGN_OR_RETURN(Value * first, slice(0, half));
      IR_ASSIGN_OR_RETURN(Value * second, slice(half, half));
      Value* last = nullptr;
      if (size % 2 == 1) {
        IR_ASSIGN_OR_RETURN(last, slice(size - 1, 1));
      }
      IR_ASSIGN_OR_RETURN(x, greatest ? maximum(first, second) : minimum(first, second));
      if (last != nullptr) {
        IR_ASSIGN_OR_RETURN(x, emit("tensor.concat", {x, last}, {{"axis", axis}}));
      }
      size = half + size % 2;
    }
  }
  return x;
}

absl::StatusOr<Value*> Arithmetic::never(Value* x) { return emit("tensor.mul", {x, number(0)}); }

// The first of n elements that is the maximum: n less the greatest of n - j among those that are.
absl::StatusOr<Value*> Arithmetic::argmax(const Op& op, Value* x) {
  const auto rank = static_cast<int64_t>(x->type().shape.size());
  const int64_t axis = op.intAttrOr("axis", rank - 1), count = x->type().shape[axis];
  IR_ASSIGN_OR_RETURN(Value * most, extremum(true, x, {axis}));
  IR_ASSIGN_OR_RETURN(Value * is_most, comparison("equal", x, most));
  Array left = Array::zeros(Element::kFloat, Ints(rank - axis, 1));
  left.shape[0] = count;
  left.reals.resize(count);
  for (int64_t j = 0; j < count; ++j) left.reals[j] = static_cast<double>(count - j);
  IR_ASSIGN_OR_RETURN(Value * distances, emit("tensor.mul", {is_most, constant(left)}));
  IR_ASSIGN_OR_RETURN(Value * first, extremum(true, distances, {axis}));
  IR_ASSIGN_OR_RETURN(first, emit("tensor.sub", {number(static_cast<double>(count)), first}));
  return reshaped(first, op.result()->type().shape);
}

// y[pre, i, post] = sum over j of [index[i] == j] data[pre, j, post].
absl::StatusOr<Value*> Arithmetic::pick(Value* data, Value* index, int64_t axis,
                                        const WholeRange& range) {
  const Ints shape(data->type().shape.begin(), data->type().shape.end());
  const Ints picked(index->type().shape.begin(), index->type().shape.end());
  const int64_t size = shape[axis], rank = static_cast<int64_t>(shape.size());
  Array numbers = Array::zeros(Element::kFloat, {size});
  std::iota(numbers.reals.begin(), numbers.reals.end(), 0);
  const int64_t count = index->type().elements();
  IR_ASSIGN_OR_RETURN(Value * column, reshaped(index, {count, 1}));
  IR_ASSIGN_OR_RETURN(Value * distance, emit("tensor.sub", {column, constant(numbers)}));
  const std::string here = "equal(x, 0)", from_end = absl::StrCat("equal(x, -", size, ")");
  IR_ASSIGN_OR_RETURN(
      Value * chosen,
      function(absl::StrCat("where(",
                            range.low < 0 ? absl::StrCat("or(", here, ", ", from_end, ")") : here,
                            ", 1, 0)"),
               distance));
  if (range.low < -size || range.high >= size) {
    IR_ASSIGN_OR_RETURN(Value * found, emit("tensor.reduce_sum", {chosen},
                                            {{"axes", Ints{1}}, {"keepdims", true}}));
    IR_ASSIGN_OR_RETURN(Value * some, function("reciprocal(where(greater(x, 0), 1, 0))", found));
    IR_ASSIGN_OR_RETURN(chosen, emit("tensor.mul", {chosen, some}));
  }

  Ints first = {axis}, others;
  for (int64_t i = 0; i < rank; ++i) {
    if (i == axis) continue;
    first.push_back(i);
    others.push_back(shape[i]);
  }
  if (axis != 0) {
    IR_ASSIGN_OR_RETURN(data, emit("tensor.transpose", {data}, {{"perm", first}}));
  }
  const int64_t width =
      std::accumulate(others.begin(), others.end(), int64_t{1}, std::multiplies<>());
  IR_ASSIGN_OR_RETURN(Value * rows, reshaped(data, {size, width}));
  IR_ASSIGN_OR_RETURN(Value * result, emit("tensor.matmul", {chosen, rows}));
  Ints whole = picked;
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
