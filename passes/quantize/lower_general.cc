// Lowering of ops that are part of no idiom: copies, sums of products with constants, reductions,
// softmax and products of computed matrices, on tensors of any rank.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "ir/core/status_macros.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/bit.h"
#include "passes/quantize/general.h"
#include "passes/quantize/limit_general.h"
#include "passes/quantize/lowering.h"

namespace lindero::passes {

using ir::Op;
using ir::Type;
using ir::Value;
using ir::tensor::Array;
using Ints = std::vector<int64_t>;
using Shape = llvm::ArrayRef<int64_t>;

namespace {

constexpr int kStoredBits = 16;

// The elements in the order in which the named axes are the last ones, in their order.
Ints lastElements(Shape shape, Shape axes) {
  Ints order;
  for (int64_t axis = 0; axis < static_cast<int64_t>(shape.size()); ++axis) {
    if (!llvm::is_contained(axes, axis)) order.push_back(axis);
  }
  llvm::append_range(order, axes);
  const auto strides = ir::tensor::rowMajorStrides(shape);
  Ints out(Type::fixed(shape, 0, 0, 0).elements()), index(shape.size(), 0);
  for (int64_t& element : out) {
    for (size_t i = 0; i < order.size(); ++i) element += index[i] * strides[order[i]];
    for (size_t i = order.size(); i-- > 0;) {
      if (++index[i] < shape[order[i]]) break;
      index[i] = 0;
    }
  }
  return out;
}

Ints inverse(const Ints& elements) {
  Ints out(elements.size());
  for (size_t i = 0; i < elements.size(); ++i) out[elements[i]] = static_cast<int64_t>(i);
  return out;
}

bool isIdentity(const Ints& elements) {
  for (size_t i = 0; i < elements.size(); ++i) {
    if (elements[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

int64_t magnitude(const Type& type) { return std::max(-type.low, type.high); }

// What has the type's lowest and highest integer has as many bits.
StoredOperand operandOf(const Stored& stored) {
  const Type& type = stored.value->type();
  return {static_cast<double>(std::max(-type.low, type.high + 1)), stored.exponents.front()};
}

// One number for all, one for each of the last axis, or all: the shortest form.
Ints shortestShape(llvm::ArrayRef<int32_t> values, Shape shape) {
  if (llvm::all_equal(values)) return {1};
  const int64_t width = shape.back();
  for (size_t i = width; i < values.size(); ++i) {
    if (values[i] != values[i - width]) return shape.vec();
  }
  return {width};
}

std::vector<int32_t> rounded(const Array& array, int exponent) {
  std::vector<int32_t> out;
  for (double x : array.reals)
    out.push_back(static_cast<int32_t>(std::floor(std::ldexp(x, exponent) + 0.5)));
  return out;
}

// How far an entry is from the number that it stands for, at most.
double largestRounding(const Array& array, int exponent) {
  double most = 0;
  for (double x : array.reals) {
    const double exact = std::ldexp(x, exponent);
    most = std::max(most, std::abs(exact - std::floor(exact + 0.5)));
  }
  return most;
}

// How far the rounded factors are from what they should be, relative to the largest.
double roundingError(const Array& factors, int exponent) {
  double error = 0, largest = 1e-300;
  for (double factor : factors.reals) {
    const double exact = std::ldexp(factor, exponent);
    largest = std::max(largest, std::abs(exact));
    error = std::max(error, std::abs(exact - std::floor(exact + 0.5)));
  }
  return error / largest;
}

}  // namespace

Stored storedAs(Value* value) {
  Stored stored;
  stored.value = value;
  const auto& shape = value->type().shape;
  stored.exponents.assign(shape.empty() ? 1 : shape.back(), value->type().exponent);
  return stored;
}

absl::StatusOr<Value*> Lowering::form(const Value& value) {
  absl::StatusOr<const Stored*> form = plain(value);
  if (!form.ok()) return form.status();
  if (!llvm::all_equal((*form)->exponents) || (*form)->shift != 0)
    return absl::UnimplementedError("the columns of an operand have different units");
  return (*form)->value;
}

Value* Lowering::narrowed(Value* value, int dropped) {
  if (dropped <= 0) return value;
  inexact_ |= exact_.contains(value) && value->type().exponent < dropped;
  constexpr int kMostShift = 16;
  if (dropped > kMostShift) return narrowed(narrowed(value, kMostShift), dropped - kMostShift);
  if (auto it = narrowed_.find({value, dropped}); it != narrowed_.end()) return it->second;
  // Of a copy of one tensor, which may repeat elements: before it is copied.
  if (const Op* op = value->definingOp();
      op != nullptr && op->is("integer.copy") && op->numOperands() == 1 &&
      op->operand(0)->type().elements() <= value->type().elements()) {
    Value* source = narrowed(op->operand(0), dropped);
    Type type = source->type();
    type.shape = value->type().shape;
    return narrowed_[{value, dropped}] =
               builder_.value("integer.copy", {source}, type,
                              {{"indices", ir::Symbol{op->symbolAttr("indices")}}});
  }
  Value*& made = narrowed_[{value, dropped}];
  const Type& type = value->type();
  int bits = 1;
  while (type.low < -(int64_t{1} << (bits - 1)) || type.high >= int64_t{1} << (bits - 1)) ++bits;
  bits = std::clamp(bits - dropped, 2, kStoredBits);
  const int64_t limit = int64_t{1} << (bits - 1);
  return made = builder_.value("integer.requantize", {value},
                               Type::fixed(type.shape, type.exponent - dropped, -limit, limit - 1),
                               {{"shift", int64_t{dropped}}, {"bits", int64_t{bits}}});
}

absl::StatusOr<Value*> Lowering::input(const Op& op, unsigned i) {
  absl::StatusOr<Value*> value = form(*op.operand(i));
  if (!value.ok()) return value;
  const auto site = static_cast<size_t>(site_.find(op.result())->second);
  if (!exponents_.sites[site].values.contains("input_bits")) return value;
  absl::StatusOr<int> bits = exponent(*op.result(), "input_bits");
  int dropped = 0;
  while (magnitude((*value)->type()) >> dropped > int64_t{1} << (*bits - 1)) ++dropped;
  return narrowed(*value, dropped);
}

Value* Lowering::copied(llvm::ArrayRef<Value*> from, Shape shape, const Ints& elements,
                        bool always) {
  if (from.size() == 1 && !always) {
    const bool same =
        isIdentity(elements) && from[0]->type().elements() == static_cast<int64_t>(elements.size());
    if (same && Shape(from[0]->type().shape) == shape) return from[0];
    // A reshape of a reshape is one.
    if (auto it = reshaped_.find(from[0]); same && it != reshaped_.end())
      return copied({it->second}, shape, elements);
  }
  Type type =
      Type::fixed(shape, from[0]->type().exponent, from[0]->type().low, from[0]->type().high);
  for (const Value* value : from) {
    type.low = std::min(type.low, value->type().low);
    type.high = std::max(type.high, value->type().high);
  }
  std::vector<int32_t> indices(elements.begin(), elements.end());
  ir::ConstantPool& pool = target_.module()->constants();
  const ir::Constant& constant = pool.addOwned("indices", shape, std::move(indices));
  Value* value =
      builder_.value("integer.copy", from, type, {{"indices", ir::Symbol{constant.name}}});
  if (from.size() == 1 && isIdentity(elements)) reshaped_[value] = from[0];
  return value;
}

Value* Lowering::spread(Value* value, Shape shape) {
  return copied({value}, shape, ir::tensor::broadcastElements(value->type().shape, shape));
}

absl::Status Lowering::lowerCopy(const Op& op) {
  if (op.is("tensor.within")) {
    if (absl::Status status = checkWithin(op); !status.ok()) return status;
  }
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "exponent");
  if (!exponent.ok()) return exponent.status();
  absl::StatusOr<Ints> elements = copiedElements(op);
  if (!elements.ok()) return elements.status();
  llvm::SmallVector<Value*, 4> from;
  for (const Value* operand : copiedOperands(op)) {
    if (const ir::Constant* constant = constantOf(*operand)) {
      absl::StatusOr<Array> array = ir::tensor::readConstant(*constant);
      if (!array.ok()) return array.status();
      if (isScores(*op.result())) *array = withoutMasks(*std::move(array));
      from.push_back(narrowConstant(constant->name, constant->shape, rounded(*array, *exponent),
                                    *exponent, largestRounding(*array, *exponent)));
      continue;
    }
    absl::StatusOr<Value*> value = form(*operand);
    if (!value.ok()) return value.status();
    from.push_back(narrowed(*value, (*value)->type().exponent - *exponent));
  }
  keep(*op.result(), storedAs(copied(from, op.result()->type().shape, *elements)), "copy");
  return absl::OkStatus();
}

absl::Status Lowering::lowerAffine(const Op& op) {
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "exponent"),
                      bits = this->exponent(*op.result(), "bits");
  if (!exponent.ok()) return exponent.status();
  if (!bits.ok()) return bits.status();
  std::optional<AffineForm> form = scoresForm(op, masks_);
  if (!form) {
    return absl::UnimplementedError(
        "it combines more than two computed values, or its constants are not finite");
  }
  const Shape shape = op.result()->type().shape;
  llvm::SmallVector<Value*, 2> values;
  llvm::SmallVector<StoredOperand, 2> operands;
  for (const AffineForm::Term& term : form->terms) {
    absl::StatusOr<Value*> value = this->form(*term.value);
    if (!value.ok()) return value.status();
    values.push_back(*value);
    operands.push_back(operandOf(storedAs(*value)));
  }
  const bool whole = whole_.contains(op.result());
  const AffineNeed need = needOf(*form, whole);
  // Wide ones are not rounded, and their type holds all that the operands' allow.
  const bool wide = whole && *bits > kStoredBits && form->masks.empty();
  double reach = need.constant;
  for (size_t i = 0; wide && i < values.size(); ++i) {
    values[i] = narrowed(values[i], values[i]->type().exponent);
    reach += need.factors[i] * static_cast<double>(magnitude(values[i]->type()));
  }
  if (wide && (*exponent != 0 || !(reach < kMostExact))) {
    return absl::UnimplementedError(
        absl::StrCat("its whole numbers may reach ", reach,
                     ", and those below 2^28 are exact; use smaller ones"));
  }
  const std::optional<int> unit =
      wide ? exponent.value() : affineExponent(need, operands, *exponent, *bits);
  if (!unit) {
    return absl::OutOfRangeError(
        absl::StrCat("its terms leave the range of exact sums at exponent ", *exponent,
                     "; use fewer bits for its operands"));
  }
  const double masked = maskedConstant(need, operands);
  for (size_t i = 0; i < form->masks.size(); ++i) {
    if (form->masks[i] < 0) form->constant.reals[i] = masked;
  }
  auto constant = [&](const Array& array, int at, const char* name) {
    std::vector<int32_t> integers = rounded(array, at);
    const Ints size = shortestShape(integers, shape.empty() ? Shape{1} : shape);
    integers.resize(Type::fixed(size, 0, 0, 0).elements());
    return narrowConstant(name, size, integers, at, largestRounding(array, at));
  };
  llvm::SmallVector<Value*, 5> all;
  for (size_t i = 0; i < values.size(); ++i) {
    const Array& factor = form->terms[i].factor;
    // Bits of an operand that are finer than the sum are dropped, where the factor needs them.
    int dropped = 0;
    const int finer = values[i]->type().exponent - *unit, most = whole ? std::max(finer, 0) : 12;
    const double error = whole ? 0 : 0x1p-11;
    while (dropped < most && roundingError(factor, dropped - finer) > error) ++dropped;
    Value* value = spread(narrowed(values[i], dropped), shape);
    all.append({value, constant(factor, *unit - value->type().exponent, "factor")});
    if (i == 0) all.push_back(constant(form->constant, *unit, "addend"));
  }
  const int64_t limit = wide ? static_cast<int64_t>(reach) + 1 : int64_t{1} << (*bits - 1);
  Value* sum = builder_.value(
      "integer.affine", all, Type::fixed(shape, *exponent, wide ? 1 - limit : -limit, limit - 1),
      {{"shift", int64_t{*unit - *exponent}}, {"bits", int64_t{wide ? kMostWholeBits : *bits}}});
  keep(*op.result(), storedAs(sum), "sum");
  return absl::OkStatus();
}

// As a product with ones, and for a mean of a number of elements that is no power of two a factor.
absl::Status Lowering::lowerReduction(const Op& op) {
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "exponent"),
                      bits = this->exponent(*op.result(), "bits");
  if (!exponent.ok()) return exponent.status();
  if (!bits.ok()) return bits.status();
  absl::StatusOr<Value*> value = form(*op.operand(0));
  if (!value.ok()) return value.status();
  const std::optional<ReductionPlan> plan =
      planReduction(op, operandOf(storedAs(*value)), *exponent, *bits);
  if (!plan) return absl::OutOfRangeError("its sum leaves the range of exact sums");
  const int64_t count = reducedElements(op);
  const Shape shape = (*value)->type().shape;
  Value* x = narrowed(*value, plan->dropped);
  const int64_t rows = x->type().elements() / count;
  x = copied({x}, {rows, count}, lastElements(shape, reducedAxes(op)));
  const std::vector<int32_t> ones(count, int32_t{1} << plan->raised);
  Value* weights = narrowConstant("ones", {count, 1}, ones, plan->raised + plan->divided, kExact);
  const int64_t bound = magnitude(x->type()) * count << plan->raised;
  Stored acc = storedAs(builder_.value(
      "integer.linear", {x, weights},
      Type::fixed({rows, 1}, x->type().exponent + plan->raised + plan->divided, -bound, bound)));
  acc.shift = acc.exponents.front() - *exponent;
  Value* sum = round(acc, *bits).value;
  const double factor = std::ldexp(1, plan->divided) / static_cast<double>(count);
  if (op.is("tensor.reduce_mean") && factor != 1) {
    constexpr int kFactorBits = 14;
    Value* m = narrowConstant(
        "factor", {1},
        {static_cast<int32_t>(std::floor(std::ldexp(factor, kFactorBits - 1) + 0.5))},
        kFactorBits - 1);
    Value* c = narrowConstant("addend", {1}, {0}, *exponent + kFactorBits - 1, kExact);
    const int64_t limit = int64_t{1} << (*bits - 1);
    sum = builder_.value("integer.affine", {sum, m, c},
                         Type::fixed({rows, 1}, *exponent, -limit, limit - 1),
                         {{"shift", int64_t{kFactorBits - 1}}, {"bits", int64_t{*bits}}});
  }
  Ints all(rows);
  std::iota(all.begin(), all.end(), 0);
  keep(*op.result(), storedAs(copied({sum}, op.result()->type().shape, all)), "sum");
  return absl::OkStatus();
}

absl::Status Lowering::lowerQuotient(const Op& op) {
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "exponent"),
                      bits = this->exponent(*op.result(), "bits");
  if (!exponent.ok()) return exponent.status();
  if (!bits.ok()) return bits.status();
  const Shape shape = op.result()->type().shape;
  Value* values[2];
  StoredOperand operands[2];
  for (unsigned i : {0u, 1u}) {
    absl::StatusOr<Value*> value = factor(*op.operand(i), kStoredBits);
    if (!value.ok()) return value.status();
    values[i] = *value;
    operands[i] = operandOf(storedAs(*value));
  }
  const std::optional<QuotientPlan> plan = planQuotient(operands, *exponent, *bits);
  if (!plan) {
    return absl::OutOfRangeError(
        absl::StrCat("its quotients leave the range of exact divisions at exponent ", *exponent,
                     "; use fewer bits for its operands"));
  }
  for (unsigned i : {0u, 1u}) {
    absl::StatusOr<Value*> value = narrowedFactor(*op.operand(i), values[i], plan->dropped[i]);
    if (!value.ok()) return value.status();
    // A constant that is broadcast to no other shape is given by a copy, too.
    values[i] =
        copied({*value}, shape, ir::tensor::broadcastElements((*value)->type().shape, shape),
               /*always=*/constantOf(*op.operand(i)) != nullptr);
  }
  const int64_t limit = int64_t{1} << (*bits - 1);
  keep(*op.result(),
       storedAs(builder_.value("integer.divide", values,
                               Type::fixed(shape, *exponent, -limit, limit - 1),
                               {{"shift", int64_t{plan->shift}}, {"bits", int64_t{*bits}}})),
       "quotient");
  return absl::OkStatus();
}

absl::Status Lowering::lowerSoftmax(const Op& op) {
  absl::StatusOr<int> probability_bits = exponent(*op.result(), "probability_bits");
  if (!probability_bits.ok()) return probability_bits.status();
  if (!hasOpenScores(op)) {
    return absl::UnimplementedError("constants mask all scores of a row; leave one of them open");
  }
  absl::StatusOr<Value*> value = form(*op.operand(0));
  if (value.ok()) value = masked(op, *value);
  if (!value.ok()) return value.status();
  const Shape shape = op.result()->type().shape;
  const int64_t axis = op.intAttr("axis"), rank = static_cast<int64_t>(shape.size());
  const Ints order = lastElements(shape, {axis});
  const int64_t keys = shape[axis];
  // As one matrix for each leading index, which a product with values then takes as it is.
  const int64_t rows = axis == rank - 1 && rank > 1 ? shape[rank - 2] : 1;
  const int64_t batch = Type::fixed(shape, 0, 0, 0).elements() / (rows * keys);
  Value* scores = copied({*value}, {batch, rows, keys}, order);
  absl::StatusOr<Value*> p = softmax(scores, ScoreScale{}, keys, *probability_bits, false);
  if (!p.ok()) return p.status();
  keep(*op.result(), storedAs(copied({*p}, shape, inverse(order))), "probability");
  return absl::OkStatus();
}

namespace {

// The shape as [.., rows, columns]; a vector is a row of the first operand, a column of the second.
Ints matrixShape(Shape shape, bool first) {
  if (shape.size() >= 2) return shape.vec();
  return first ? Ints{1, shape[0]} : Ints{shape[0], 1};
}

}  // namespace

absl::StatusOr<Value*> Lowering::factor(const Value& value, int bits) {
  const ir::Constant* constant = constantOf(value);
  if (constant == nullptr) return form(value);
  absl::StatusOr<Array> array = ir::tensor::readConstant(*constant);
  if (!array.ok()) return array.status();
  const int exponent = constantOperand(*array, bits).exponent;
  return narrowConstant(constant->name, constant->shape, rounded(*array, exponent), exponent,
                        largestRounding(*array, exponent));
}

// A constant is rounded again: it is in no cells that could be.
absl::StatusOr<Value*> Lowering::narrowedFactor(const Value& operand, Value* factor, int dropped) {
  const ir::Constant* constant = constantOf(operand);
  if (constant == nullptr || dropped == 0) return narrowed(factor, dropped);
  absl::StatusOr<Array> array = ir::tensor::readConstant(*constant);
  if (!array.ok()) return array.status();
  const int exponent = factor->type().exponent - dropped;
  return narrowConstant(constant->name, constant->shape, rounded(*array, exponent), exponent,
                        largestRounding(*array, exponent));
}

absl::Status Lowering::lowerMatmul(const Op& op) {
  absl::StatusOr<int> exponent = this->exponent(*op.result(), "exponent"),
                      bits = this->exponent(*op.result(), "bits"),
                      input_bits = this->exponent(*op.result(), "input_bits");
  for (const auto* number : {&exponent, &bits, &input_bits}) {
    if (!number->ok()) return number->status();
  }
  Value* values[2];
  StoredOperand operands[2];
  for (unsigned i : {0u, 1u}) {
    absl::StatusOr<Value*> value = factor(*op.operand(i), *input_bits);
    if (!value.ok()) return value.status();
    values[i] = *value;
    operands[i] = operandOf(storedAs(values[i]));
  }
  const Ints left = matrixShape(values[0]->type().shape, true),
             right = matrixShape(values[1]->type().shape, false);
  const int64_t m = left[left.size() - 2], k = left.back(), n = right.back();
  Value* probabilities = values[0];
  if (auto it = reshaped_.find(probabilities); it != reshaped_.end()) probabilities = it->second;
  Ints leading;  // of the result, which both operands' broadcast to
  const size_t rank = std::max(left.size(), right.size());
  for (size_t axis = 0; axis + 2 < rank; ++axis) {
    auto extent = [&](const Ints& shape) {
      return axis + shape.size() < rank ? 1 : shape[axis + shape.size() - rank];
    };
    leading.push_back(std::max(extent(left), extent(right)));
  }
  const int64_t batch = Type::fixed(leading, 0, 0, 0).elements();
  auto elements = [&](const Ints& shape) {
    Ints whole = leading;
    whole.insert(whole.end(), {shape[shape.size() - 2], shape.back()});
    return ir::tensor::broadcastElements(shape, whole);
  };
  const auto a_elements = elements(left), b_elements = elements(right);
  const bool as_it_is = sumsByProbabilities(op) && probabilities->definingOp() != nullptr &&
                        probabilities->definingOp()->is("integer.softmax") &&
                        Shape(probabilities->type().shape) == Shape({batch, m, k}) &&
                        isIdentity(a_elements);
  const std::optional<MatmulPlan> plan =
      planMatmul(operands, k, as_it_is, *input_bits, *exponent, *bits);
  if (!plan) return absl::OutOfRangeError("its sums leave the range of exact sums");
  absl::StatusOr<Value*> a = narrowedFactor(*op.operand(0), values[0], plan->dropped[0]),
                         b = narrowedFactor(*op.operand(1), values[1], plan->dropped[1]);
  if (!a.ok()) return a.status();
  if (!b.ok()) return b.status();
  // A constant that stands as it is read is given by a copy, too.
  const bool constant[2] = {constantOf(*op.operand(0)) != nullptr,
                            constantOf(*op.operand(1)) != nullptr};
  Value* p = as_it_is ? probabilities : copied({*a}, {batch, m, k}, a_elements, constant[0]);
  // [k, batch n]: each matrix has columns of its own.
  Ints columns(b_elements.size());
  for (int64_t i = 0; i < batch * k * n; ++i)
    columns[(i / n % k) * batch * n + i / (k * n) * n + i % n] = b_elements[i];
  Value* v = copied({*b}, {k, batch * n}, columns, constant[1]);
  const int64_t bound = magnitude(p->type()) * magnitude(v->type()) * (as_it_is ? 1 : k);
  Stored acc = storedAs(builder_.value(
      "integer.mix", {p, v},
      Type::fixed({m, batch * n}, p->type().exponent + v->type().exponent, -bound, bound),
      {{"heads", batch}}));
  acc.shift = acc.exponents.front() - *exponent;
  Value* product = round(acc, *bits).value;
  Ints placed(batch * m * n);
  for (int64_t i = 0; i < batch * m * n; ++i)
    placed[i] = (i / n % m) * batch * n + i / (m * n) * n + i % n;
  keep(*op.result(), storedAs(copied({product}, op.result()->type().shape, placed)), "product");
  return absl::OkStatus();
}

}  // namespace lindero::passes
