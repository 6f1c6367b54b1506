#include "passes/quantize/bound_propagation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "ir/tensor/expression.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "passes/quantize/double_interval.h"
#include "passes/quantize/error_bound_rows.h"

namespace lindero::passes {

using ir::Op;
using ir::Value;
using ir::integer::IntArray;
using ir::tensor::Array;
using Doubles = std::vector<double>;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kWiden = 1 + 1e-9;

// How far a b may be from the product of two others, of these distances.
double productBound(double a, double a_bound, double b, double b_bound) {
  return times(std::abs(a), b_bound) + times(a_bound, std::abs(b)) + times(a_bound, b_bound);
}

// What is lost where `shift` bits are rounded off: of integers below 2^53.
double shiftLoss(double value, double shift) {
  const double exact = std::ldexp(value, -static_cast<int>(shift));
  return exact == std::floor(exact) ? 0 : 0.5;
}

}  // namespace

BoundPropagation::BoundPropagation(const ir::Function& source, const ir::Function& integer,
                                   llvm::ArrayRef<TensorRecord> records, const Sample& inputs,
                                   bool alone)
    : constants_(integer.module()->constants()) {
  for (const TensorRecord& record : records) {
    if (record.role == "constant") roundings_[record.value] = record.rounding;
    if (record.site >= 0 && alone) exact_.insert(record.value);
  }
  for (const Op& op : source.body().ops())
    if (op.is("tensor.attention")) attentions_[llvm::join(op.location(), " + ")] = &op;
  for (auto [argument, input] : llvm::zip(integer.body().arguments(), inputs))
    inputs_[argument.get()] = &input;
}

void BoundPropagation::observe(const Value& value, const IntArray& array) {
  Bounded bounded;
  bounded.values.assign(array.values.begin(), array.values.end());
  bounded.shape.assign(array.shape.begin(), array.shape.end());
  bounded.bounds.assign(bounded.values.size(), 0);
  if (value.definingOp() == nullptr) {
    setInput(value, bounded);
  } else if (status_.ok()) {
    // The stored value may be a copy of a rounded one that is another stored value's, too.
    const Op& op = *value.definingOp();
    of_own_ = exact_.contains(&value) &&
              (op.is("integer.copy") || op.is("integer.slice") || op.is("integer.select_rows"));
    status_ = setBounds(*value.definingOp(), bounded);
  }
  for (double& bound : bounded.bounds) bound = std::isnan(bound) ? kInfinity : bound * kWiden;
  if (exact_.contains(&value)) {
    own_[&value] = bounded;
    // Readers of what is stored may share its rounding with a copy that is stored, too.
    if (!roundsStored(value)) bounded.bounds.assign(bounded.bounds.size(), 0);
  }
  values_[&value] = std::move(bounded);
}

// Is it a stored value without its last bits, perhaps in other places?
bool BoundPropagation::roundsStored(const Value& value) const {
  const Op* op = value.definingOp();
  bool rounds = false;
  while (op != nullptr && op->numOperands() == 1 &&
         (op->is("integer.copy") || op->is("integer.requantize"))) {
    rounds |= op->is("integer.requantize");
    if (rounds && exact_.contains(op->operand(0))) return true;
    op = op->operand(0)->definingOp();
  }
  return false;
}

const Bounded& BoundPropagation::of(const Value* value) {
  const auto it = own_.find(value);
  return it != own_.end() ? it->second : read(value);
}

const Bounded& BoundPropagation::read(const Value* value) {
  if (auto it = values_.find(value); it != values_.end()) return it->second;
  const Op& op = *value->definingOp();
  const IntArray array =
      ir::integer::readConstant(*constants_.find(op.symbolAttr("value"))).value();
  Bounded constant;
  constant.values.assign(array.values.begin(), array.values.end());
  constant.shape.assign(array.shape.begin(), array.shape.end());
  constant.bounds.assign(constant.values.size(), roundings_.lookup(value));
  return values_[value] = std::move(constant);
}

void BoundPropagation::setInput(const Value& argument, Bounded& y) {
  const Array& input = *inputs_.find(&argument)->second;
  for (size_t i = 0; i < input.reals.size() && i < y.bounds.size(); ++i) {
    const double exact = std::ldexp(input.reals[i], argument.type().exponent);
    y.bounds[i] = exact == std::floor(exact) ? 0 : 0.5;
  }
}

absl::Status BoundPropagation::setBounds(const Op& op, Bounded& y) {
  using Method = void (BoundPropagation::*)(const Op&, Bounded&);
  const Method method = llvm::StringSwitch<Method>(op.name())
                            .Case("integer.embedding", &BoundPropagation::embedding)
                            .Case("integer.linear", &BoundPropagation::linear)
                            .Case("integer.scores", &BoundPropagation::scores)
                            .Case("integer.mix", &BoundPropagation::mix)
                            .Case("integer.requantize", &BoundPropagation::requantize)
                            .Case("integer.multiply", &BoundPropagation::multiply)
                            .Case("integer.divide", &BoundPropagation::divide)
                            .Case("integer.affine", &BoundPropagation::affine)
                            .Case("integer.layernorm", &BoundPropagation::norm)
                            .Case("integer.softmax", &BoundPropagation::softmax)
                            .Case("integer.argmax", &BoundPropagation::argmax)
                            .Case("integer.copy", &BoundPropagation::copy)
                            .Case("integer.slice", &BoundPropagation::slice)
                            .Case("integer.select_rows", &BoundPropagation::selectRows)
                            .Default(nullptr);
  // Read first: what reading adds may move what is there.
  for (const Value* operand : op.operands()) read(operand);
  if (op.is("integer.lookup")) return lookup(op, y);
  if (method == nullptr)
    return absl::UnimplementedError(absl::StrCat(ir::describe(op), ": no bound"));
  (this->*method)(op, y);
  return absl::OkStatus();
}

void BoundPropagation::embedding(const Op& op, Bounded& y) {
  const Bounded& table = operand(op, 1);
  y.bounds.assign(y.values.size(), table.bounds.empty() ? 0 : table.bounds.front());
  if (op.numOperands() < 3) return;
  const Bounded& addend = operand(op, 2);
  for (size_t i = 0; i < y.bounds.size(); ++i) y.bounds[i] += addend.bounds[i];
}

void BoundPropagation::linear(const Op& op, Bounded& y) {
  const Bounded &x = operand(op, 0), &w = operand(op, 1);
  const int64_t inner = x.width(), columns = w.width();
  const double bias = op.numOperands() > 2 ? operand(op, 2).bounds.front() : 0;
  for (int64_t row = 0; row < x.rows(); ++row) {
    for (int64_t j = 0; j < columns; ++j) {
      double bound = bias;
      for (int64_t k = 0; k < inner; ++k) {
        const int64_t at = row * inner + k, weight = k * columns + j;
        bound += productBound(x.values[at], x.bounds[at], w.values[weight], w.bounds[weight]);
      }
      y.bounds[row * columns + j] = bound;
    }
  }
}

void BoundPropagation::scores(const Op& op, Bounded& y) {
  const Bounded &q = operand(op, 0), &k = operand(op, 1);
  const int64_t heads = op.intAttr("heads"), size = q.width() / heads, queries = q.rows(),
                keys = k.rows();
  for (int64_t at = 0; at < heads * queries * keys; ++at) {
    const int64_t first = at / (queries * keys) * size;
    const int64_t left = at / keys % queries * q.width() + first,
                  right = at % keys * k.width() + first;
    for (int64_t c = 0; c < size; ++c)
      y.bounds[at] += productBound(q.values[left + c], q.bounds[left + c], k.values[right + c],
                                   k.bounds[right + c]);
  }
}

void BoundPropagation::mix(const Op& op, Bounded& y) {
  const Bounded &p = operand(op, 0), &v = operand(op, 1);
  const int64_t heads = op.intAttr("heads"), keys = p.width(), columns = v.width(),
                rows = p.rows() / heads;
  for (int64_t at = 0; at < rows * columns; ++at) {
    const int64_t c = at % columns, head = c / (columns / heads);
    for (int64_t k = 0; k < keys; ++k) {
      const int64_t left = (head * rows + at / columns) * keys + k, right = k * columns + c;
      y.bounds[at] +=
          productBound(p.values[left], p.bounds[left], v.values[right], v.bounds[right]);
    }
  }
}

void BoundPropagation::requantize(const Op& op, Bounded& y) {
  const Bounded& acc = operand(op, 0);
  const double shift = static_cast<double>(op.intAttr("shift"));
  const double added = std::ldexp(1.0, static_cast<int>(op.intAttrOr("addend_shift", 0)));
  for (size_t i = 0; i < y.bounds.size(); ++i) {
    double value = acc.values[i], bound = acc.bounds[i];
    if (op.numOperands() > 1) {
      value += operand(op, 1).values[i] * added;
      bound += operand(op, 1).bounds[i] * added;
    }
    y.bounds[i] = bound * std::exp2(-shift) + shiftLoss(value, shift);
  }
}

void BoundPropagation::multiply(const Op& op, Bounded& y) {
  const Bounded &a = operand(op, 0), &b = operand(op, 1);
  const double shift = static_cast<double>(op.intAttr("shift"));
  for (size_t i = 0; i < y.bounds.size(); ++i) {
    y.bounds[i] =
        productBound(a.values[i], a.bounds[i], b.values[i], b.bounds[i]) * std::exp2(-shift) +
        shiftLoss(a.values[i] * b.values[i], shift);
  }
}

void BoundPropagation::divide(const Op& op, Bounded& y) {
  const Bounded &a = operand(op, 0), &b = operand(op, 1);
  const double scale = std::exp2(static_cast<double>(op.intAttr("shift")));
  for (size_t i = 0; i < y.bounds.size(); ++i) {
    const double size = std::abs(b.values[i]), least = size - b.bounds[i];
    const double moved = times(std::abs(a.values[i]), b.bounds[i]) + times(size, a.bounds[i]);
    const double loss = std::fmod(a.values[i] * scale, size) == 0 ? 0 : 0.5;
    y.bounds[i] = least > 0 ? scale * moved / size / least + loss : kInfinity;
  }
}

void BoundPropagation::affine(const Op& op, Bounded& y) {
  const double shift = static_cast<double>(op.intAttr("shift"));
  // Constants are of the last axis, or of one number.
  auto at = [](const Bounded& of, size_t i) { return i % of.values.size(); };
  for (size_t i = 0; i < y.bounds.size(); ++i) {
    const Bounded& c = operand(op, 2);
    double sum = c.values[at(c, i)], bound = c.bounds[at(c, i)];
    for (unsigned first = 0; first < op.numOperands(); first += 3) {
      const Bounded &x = operand(op, first), &m = operand(op, first + 1);
      sum += x.values[i] * m.values[at(m, i)];
      bound += productBound(x.values[i], x.bounds[i], m.values[at(m, i)], m.bounds[at(m, i)]);
    }
    y.bounds[i] = bound * std::exp2(-shift) + shiftLoss(sum, shift);
  }
}

absl::Status BoundPropagation::lookup(const Op& op, Bounded& y) {
  const Bounded &x = operand(op, 0), &table = operand(op, 1);
  IR_ASSIGN_OR_RETURN(const ir::tensor::Expression function,
                      ir::tensor::Expression::parse(op.stringAttr("function")));
  const int exponent = op.operand(0)->type().exponent, out = op.result()->type().exponent;
  const auto shift = static_cast<int>(op.intAttr("shift"));
  const auto [low, high] = std::minmax_element(table.values.begin(), table.values.end());
  for (size_t i = 0; i < y.bounds.size(); ++i) {
    const double key = std::floor(std::ldexp(x.values[i], -shift) + 0.5);
    const double at = std::ldexp(key, shift - exponent);
    const double bound = std::ldexp(x.bounds[i], -exponent),
                 value = std::ldexp(x.values[i], -exponent);
    const DoubleInterval entry = valuesOn(function, {at, at}),
                         reals = valuesOn(function, {value - bound, value + bound});
    const double place = std::ldexp(entry.low, out);
    const bool exact = entry.isPoint() && place == std::floor(place);
    // Entries beyond the range by a rounding are its ends.
    const bool clamped = std::ldexp(entry.high, out) > *high || place < *low;
    const double apart = std::max(reals.high - entry.low, entry.high - reals.low);
    y.bounds[i] = std::ldexp(apart, out) + (clamped ? 1.5 : exact ? 0 : 0.5);
  }
  return absl::OkStatus();
}

void BoundPropagation::norm(const Op& op, Bounded& y) {
  const Bounded &x = operand(op, 0), &table = operand(op, 1);
  NormBound bound{.square_shift = static_cast<int>(op.intAttr("square_shift")),
                  .epsilon = op.intAttr("epsilon"),
                  .exponent = op.result()->type().exponent,
                  .has_mean = op.boolAttr("has_mean"),
                  .row_shift = static_cast<int>(op.intAttrOr("row_shift", 0)),
                  .least_root = kInfinity};
  for (size_t m = 1; 2 * m < table.values.size(); ++m)
    bound.least_root = std::min(bound.least_root, table.values[2 * m]);
  forEachRow(x, x.width(), [&](int64_t first) {
    const size_t width = x.width();
    bound.row({x.values.data() + first, width}, {x.bounds.data() + first, width},
              {y.bounds.data() + first, width});
  });
}

void BoundPropagation::softmax(const Op& op, Bounded& y) {
  const Bounded& x = operand(op, 0);
  const auto score_shift = static_cast<int>(op.intAttr("score_shift"));
  const int exponent = op.operand(0)->type().exponent;
  double scale = 1;
  SoftmaxBound bound{.probability_bits = static_cast<int>(op.intAttr("probability_bits"))};
  if (op.operand(0)->definingOp() && op.operand(0)->definingOp()->is("integer.scores")) {
    const Op& attention = *attentions_.at(llvm::join(op.location(), " + "));
    scale = attention.floatAttr("scale");
    if (attention.has("masked")) bound.hidden = 0.25;
  }
  bound.key = std::ldexp(scale, score_shift - exponent);
  const bool causal = op.boolAttr("causal");
  const int64_t keys = x.width(), queries = causal ? x.shape[1] : 1;
  forEachRow(x, keys, [&](int64_t first) {
    const size_t live = causal ? first / keys % queries + 1 : keys;
    Doubles nats, errors;
    for (size_t k = 0; k < live; ++k) {
      nats.push_back(std::ldexp(x.values[first + k], -exponent) * scale);
      errors.push_back(std::ldexp(x.bounds[first + k], -exponent) * scale);
    }
    bound.row(nats, errors, {y.bounds.data() + first, live});
    for (int64_t k = static_cast<int64_t>(live); k < keys; ++k) y.bounds[first + k] = bound.hidden;
  });
}

void BoundPropagation::argmax(const Op& op, Bounded& y) {
  const Bounded& x = operand(op, 0);
  forEachRow(x, x.width(), [&](int64_t first) {
    double least = -kInfinity, chosen = 0, farthest = 0;
    for (int64_t k = 0; k < x.width(); ++k) {
      least = std::max(least, x.values[first + k] - x.bounds[first + k]);
      if (x.values[first + k] > x.values[first + static_cast<int64_t>(chosen)])
        chosen = static_cast<double>(k);
    }
    for (int64_t k = 0; k < x.width(); ++k) {
      if (x.values[first + k] + x.bounds[first + k] >= least)
        farthest = std::max(farthest, std::abs(static_cast<double>(k) - chosen));
    }
    y.bounds[first / x.width()] = farthest;
  });
}

void BoundPropagation::copy(const Op& op, Bounded& y) {
  Doubles all;
  for (unsigned i = 0; i < op.numOperands(); ++i) llvm::append_range(all, operand(op, i).bounds);
  const IntArray indices =
      ir::integer::readConstant(*constants_.find(op.symbolAttr("indices"))).value();
  for (auto [bound, index] : llvm::zip(y.bounds, indices.values)) bound = all[index];
}

void BoundPropagation::slice(const Op& op, Bounded& y) {
  const Bounded& x = operand(op, 0);
  const int64_t start = op.intAttr("start"), size = op.intAttr("size");
  for (size_t i = 0; i < y.bounds.size(); ++i)
    y.bounds[i] = x.bounds[i / size * x.width() + start + i % size];
}

void BoundPropagation::selectRows(const Op& op, Bounded& y) {
  const Bounded& x = operand(op, 0);
  for (auto [i, row] : llvm::enumerate(op.intsAttr("rows")))
    std::copy_n(x.bounds.begin() + row * x.width(), x.width(), y.bounds.begin() + i * x.width());
}

void BoundPropagation::forEachRow(const Bounded& x, int64_t width,
                                  llvm::function_ref<void(int64_t)> visit) {
  for (int64_t row = 0; row < x.rows(); ++row) visit(row * width);
}

}  // namespace lindero::passes
