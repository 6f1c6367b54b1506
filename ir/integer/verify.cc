#include "ir/integer/verify.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ir/core/field.h"
#include "ir/core/op_table.h"
#include "ir/core/text.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::ir::integer {
namespace {

using Wide = __int128;  // sums and products of 64-bit ranges

constexpr int64_t kAccumulator = int64_t{1} << 30;
constexpr int64_t kLogit = int64_t{1} << 29;
constexpr int64_t kDenominator = int64_t{1} << 15;

using Shape = llvm::ArrayRef<int64_t>;

// For messages; beyond 64 bits the nearest.
int64_t narrow(Wide value) {
  return static_cast<int64_t>(std::clamp<Wide>(value, std::numeric_limits<int64_t>::min(),
                                               std::numeric_limits<int64_t>::max()));
}

std::string rangeText(Wide low, Wide high) {
  return absl::StrCat("[", narrow(low), ", ", narrow(high), "]");
}

Wide magnitude(const Type& type) { return std::max(-Wide{type.low}, Wide{type.high}); }

bool isFixed(const Type& type, Shape shape) {
  return type.element == Element::kFixed && Shape(type.shape) == shape;
}

bool isIds(const Type& type, Shape shape) {
  return type.element == Element::kInt && Shape(type.shape) == shape;
}

bool isConstant(const Value* value) {
  return value->definingOp() != nullptr && value->definingOp()->is("integer.constant");
}

const Constant& poolConstant(const Op& constant) {
  return *constant.parent()->function()->module()->constants().find(constant.symbolAttr("value"));
}

// True for the shape of all axes but the last.
bool isRowsOf(Shape rows, Shape all) { return !all.empty() && rows == all.drop_back(); }

// The op that computes the value, seen through the ops that hold and yield it.
const Op* producer(const Value* value) {
  const Op* op = value->definingOp();
  while (op != nullptr && op->block() != nullptr && op->block()->terminator() != nullptr) {
    value = op->block()->terminator()->operand(value->index());
    op = value->definingOp();
  }
  return op;
}

// C1 of most ops: shapes, and which operands are constants.
absl::Status shapesAs(const Op& op, bool fits, llvm::ArrayRef<unsigned> constants = {}) {
  if (!fits) {
    std::vector<std::string> types;
    for (const Value* operand : op.operands()) types.push_back(toText(operand->type()));
    std::string text = "(" + llvm::join(types, ", ") + ")";
    if (op.numResults() > 0) text += " -> " + toText(op.result()->type());
    return violates(op, 1, text);
  }
  for (unsigned i : constants) {
    if (i >= op.numOperands() || isConstant(op.operand(i))) continue;
    return violates(op, 1, absl::StrCat("operand ", i, " is no integer.constant"));
  }
  return absl::OkStatus();
}

absl::Status require(const Op& op, unsigned constraint, bool holds, const std::string& here) {
  return holds ? absl::OkStatus() : violates(op, constraint, here);
}

absl::Status between(const Op& op, unsigned constraint, llvm::StringRef name, int64_t low,
                     int64_t high) {
  const int64_t value = op.intAttr(name);
  return require(op, constraint, value >= low && value <= high,
                 absl::StrCat(name.str(), " = ", value));
}

absl::Status exponentIs(const Op& op, unsigned constraint, const Value* value, int64_t expected) {
  return require(op, constraint, value->type().exponent == expected,
                 absl::StrCat(toText(value->type()), ", not 2^", -expected));
}

absl::Status below(const Op& op, unsigned constraint, const Value* value, int64_t limit) {
  return require(op, constraint, magnitude(value->type()) < limit, toText(value->type()));
}

absl::Status holds(const Op& op, unsigned constraint, const Type& type, Wide low, Wide high) {
  return require(op, constraint, type.low <= low && type.high >= high,
                 absl::StrCat(toText(type), " where values reach ", rangeText(low, high)));
}

absl::Status signedRange(const Op& op, unsigned constraint, int64_t bits) {
  const Type& type = op.result()->type();
  const int64_t limit = int64_t{1} << (bits - 1);
  return require(op, constraint, type.low == -limit && type.high == limit - 1, toText(type));
}

// Products.

const IntegerFacts* factsOf(const Value* constant) {
  return poolConstant(*constant->definingOp()).integerFacts();
}

// Of a constant, or of what an embedding gives of one.
const IntegerFacts* addendFacts(const Value* addend) {
  const Op* op = producer(addend);
  if (op != nullptr && op->is("integer.embedding") && op->numOperands() == 2) {
    return factsOf(op->operand(1));
  }
  return isConstant(addend) ? factsOf(addend) : nullptr;
}

absl::Status embeddingRange(const Op& op) {
  const Type& result = op.result()->type();
  Wide low = op.operand(1)->type().low, high = op.operand(1)->type().high;
  if (op.numOperands() > 2) {
    low += op.operand(2)->type().low;
    high += op.operand(2)->type().high;
  }
  if (result.low <= low && result.high >= high) return absl::OkStatus();
  // All columns together reach further than any of them.
  const IntegerFacts* table = factsOf(op.operand(1));
  const IntegerFacts* addend = op.numOperands() > 2 ? addendFacts(op.operand(2)) : nullptr;
  if (table == nullptr || (op.numOperands() > 2 && addend == nullptr)) return absl::OkStatus();
  for (size_t c = 0; c < table->column_low.size(); ++c) {
    low = table->column_low[c] + (addend == nullptr ? 0 : Wide{addend->column_low[c]});
    high = table->column_high[c] + (addend == nullptr ? 0 : Wide{addend->column_high[c]});
    absl::Status status = holds(op, 3, result, low, high);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status verifyEmbedding(const Op& op) {
  const Type &table = op.operand(1)->type(), &y = op.result()->type();
  const bool fits = table.shape.size() == 2 && !y.shape.empty() &&
                    isIds(op.operand(0)->type(), Shape(y.shape).drop_back()) &&
                    isFixed(table, table.shape) && isFixed(y, y.shape) &&
                    y.shape.back() == table.shape[1] &&
                    (op.numOperands() < 3 || isFixed(op.operand(2)->type(), y.shape));
  absl::Status status = shapesAs(op, fits, {1});
  if (op.numOperands() > 2 && !isConstant(op.operand(2))) {
    const Op* addend = producer(op.operand(2));
    if (addend == nullptr || !addend->is("integer.embedding")) {
      status.Update(violates(op, 1, "operand 2 is neither constant nor an embedding"));
    }
  }
  if (!status.ok()) return status;
  status.Update(exponentIs(op, 2, op.operand(1), y.exponent));
  if (op.numOperands() > 2) status.Update(exponentIs(op, 2, op.operand(2), y.exponent));
  if (status.ok()) status = embeddingRange(op);
  return status;
}

// The least and greatest accumulators of any column, for any x in its range; false if the
// constants' bytes are not known. x is below 2^31 and sums of weights are below 2^95.
bool linearBound(const Op& op, Wide& least, Wide& greatest) {
  const Type& x = op.operand(0)->type();
  const IntegerFacts* weights = factsOf(op.operand(1));
  if (weights == nullptr) return false;
  const size_t columns = weights->positive.size();
  std::vector<Wide> low(columns), high(columns);
  if (op.numOperands() > 2) {
    bool known = false;
    visitIntegers(poolConstant(*op.operand(2)->definingOp()), [&](auto bias) {
      known = bias.size() == columns;
      for (size_t c = 0; known && c < columns; ++c) low[c] = high[c] = bias[c];
    });
    if (!known) return false;
  }
  for (size_t c = 0; c < columns; ++c) {
    low[c] += weights->positive[c] * x.low + weights->negative[c] * x.high;
    high[c] += weights->positive[c] * x.high + weights->negative[c] * x.low;
  }
  least = *llvm::min_element(low);
  greatest = *llvm::max_element(high);
  return true;
}

absl::Status verifyLinear(const Op& op) {
  const Type &x = op.operand(0)->type(), &w = op.operand(1)->type(), &acc = op.result()->type();
  const bool fits = w.shape.size() == 2 && isFixed(w, w.shape) && isFixed(x, x.shape) &&
                    !x.shape.empty() && x.shape.back() == w.shape[0] && isFixed(acc, acc.shape) &&
                    isRowsOf(Shape(x.shape).drop_back(), acc.shape) &&
                    acc.shape.back() == w.shape[1] &&
                    (op.numOperands() < 3 || isFixed(op.operand(2)->type(), {w.shape[1]}));
  absl::Status status = shapesAs(op, fits, {1, 2});
  if (!status.ok()) return status;
  status.Update(exponentIs(op, 2, op.result(), int64_t{x.exponent} + w.exponent));
  if (op.numOperands() > 2) status.Update(exponentIs(op, 2, op.operand(2), acc.exponent));
  status.Update(below(op, 3, op.result(), kAccumulator));
  status.Update(require(op, 4, magnitude(x) <= kFieldModulus, toText(x)));
  Wide least, greatest;
  if (status.ok() && linearBound(op, least, greatest)) {
    status = holds(op, 4, acc, least, greatest);
  }
  return status;
}

absl::Status headsDivide(const Op& op, int64_t width) {
  const int64_t heads = op.intAttr("heads");
  return require(op, 2, heads >= 1 && width % heads == 0,
                 absl::StrCat("heads = ", heads, ", D = ", width));
}

// `terms` products of a value of a and one of b; both are below 2^31, so that the sum fits.
std::pair<Wide, Wide> productRange(const Type& a, const Type& b, Wide terms) {
  const Wide products[] = {Wide{a.low} * b.low, Wide{a.low} * b.high, Wide{a.high} * b.low,
                           Wide{a.high} * b.high};
  return {terms * *llvm::min_element(products), terms * *llvm::max_element(products)};
}

absl::Status verifyScores(const Op& op) {
  const Type &q = op.operand(0)->type(), &k = op.operand(1)->type(), &acc = op.result()->type();
  const bool fits = q.shape.size() == 2 && k.shape.size() == 2 && isFixed(q, q.shape) &&
                    isFixed(k, {k.shape[0], q.shape[1]}) &&
                    isFixed(acc, {op.intAttr("heads"), q.shape[0], k.shape[0]});
  absl::Status status = shapesAs(op, fits);
  if (!status.ok()) return status;
  status.Update(headsDivide(op, q.shape[1]));
  if (!status.ok()) return status;
  status.Update(exponentIs(op, 3, op.result(), int64_t{q.exponent} + k.exponent));
  const Wide width = q.shape[1] / op.intAttr("heads");
  // Below 2^31 each, products and their sums fit 128 bits.
  if (magnitude(q) > kFieldModulus || magnitude(k) > kFieldModulus) {
    return violates(op, 5, toText(q) + " times " + toText(k));
  }
  const auto [low, high] = productRange(q, k, width);
  status.Update(holds(op, 4, acc, low, high));
  status.Update(below(op, 5, op.result(), kAccumulator));
  return status;
}

absl::Status verifyMix(const Op& op) {
  const Type &p = op.operand(0)->type(), &v = op.operand(1)->type(), &acc = op.result()->type();
  const bool fits = v.shape.size() == 2 && p.shape.size() == 3 && isFixed(v, v.shape) &&
                    isFixed(acc, {p.shape[1], v.shape[1]}) &&
                    isFixed(p, {op.intAttr("heads"), p.shape[1], v.shape[0]});
  absl::Status status = shapesAs(op, fits);
  if (!status.ok()) return status;
  status.Update(headsDivide(op, v.shape[1]));
  status.Update(exponentIs(op, 3, op.result(), int64_t{p.exponent} + v.exponent));
  if (!status.ok()) return status;
  if (magnitude(p) > kFieldModulus || magnitude(v) > kFieldModulus) {
    return violates(op, 5, toText(p) + " times " + toText(v));
  }
  auto [low, high] = productRange(p, v, v.shape[0]);
  const Op* softmax = producer(op.operand(0));
  if (softmax != nullptr && softmax->is("integer.softmax")) {
    const Wide one = Wide{1} << softmax->intAttr("probability_bits");
    low = one * std::min<int64_t>(v.low, 0);
    high = one * std::max<int64_t>(v.high, 0);
  }
  status.Update(holds(op, 4, acc, low, high));
  status.Update(below(op, 5, op.result(), kAccumulator));
  return status;
}

// Rounding.

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
  status.Update(between(op, 4, "bits", 2, 27));
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

// Rows.

absl::Status verifyLayernorm(const Op& op) {
  const Type& x = op.operand(0)->type();
  const bool fits = !x.shape.empty() && isFixed(x, x.shape) &&
                    isFixed(op.result()->type(), x.shape) &&
                    isFixed(op.operand(1)->type(), {65536, 2});
  absl::Status status = shapesAs(op, fits, {1});
  status.Update(between(op, 2, "square_shift", 1, 16));
  status.Update(between(op, 3, "epsilon", 0, (int64_t{1} << 29) - 1));
  status.Update(between(op, 4, "output_bits", 2, 16));
  status.Update(between(op, 5, "max_exponent", 0, 7));
  if (!status.ok()) return status;
  const int64_t width = x.shape.back(), shift = op.intAttr("square_shift");
  status.Update(require(op, 2, width <= int64_t{1} << shift,
                        absl::StrCat("n = ", width, ", square_shift = ", shift)));
  status.Update(signedRange(op, 6, op.intAttr("output_bits")));
  if (!op.has("row_shift")) return status;
  status.Update(between(op, 7, "row_shift", 1, 10));
  status.Update(require(op, 7, width <= 1 << 15 && magnitude(x) < 1 << 27,
                        absl::StrCat("n = ", width, ", x in ", rangeText(x.low, x.high))));
  return status;
}

// C5 to C7, with what the others leave in range.
absl::Status softmaxRanges(const Op& op) {
  const Type& s = op.operand(0)->type();
  const int64_t shift = op.intAttr("score_shift");
  const Wide first = op.intAttr("normalizer_low"),
             last = first + (Wide{1} << op.intAttr("normalizer_bits")) - 1;
  const Wide half = (Wide{1} << shift) >> 1;
  const Wide distances = (Wide{op.intAttr("live_rows")} << shift) +
                         (Wide{op.intAttr("dead_rows")} << (shift + op.intAttr("dead_width")));
  const Wide above = last * (Wide{1} << shift) + half - s.low;
  const Wide under = s.high - (first * (Wide{1} << shift) + half - (distances - 1));
  absl::Status status =
      require(op, 5, above < kFieldModulus && under < kFieldModulus,
              absl::StrCat("they differ by up to ", narrow(std::max(above, under))));
  const Wide mass = Wide{s.shape.back()} * op.intAttr("exp_at_minus_one") + (1 << 17);
  status.Update(require(op, 6, mass < kFieldModulus, absl::StrCat("it is ", narrow(mass))));
  status.Update(require(op, 7, distances > Wide{s.high} - s.low,
                        absl::StrCat(narrow(distances), " for ", rangeText(s.low, s.high))));
  return status;
}

absl::Status verifySoftmax(const Op& op) {
  const Type &s = op.operand(0)->type(), &p = op.result()->type();
  const bool windows = op.numOperands() > 2;
  const bool causal = op.boolAttr("causal");
  bool fits = !s.shape.empty() && isFixed(s, s.shape) && isFixed(p, s.shape) &&
              isFixed(op.operand(1)->type(), {op.intAttr("live_rows")}) &&
              (s.shape.size() == 3 || !causal);
  if (fits && windows) {
    fits = causal && s.shape[2] > s.shape[1] && s.shape[2] % s.shape[1] == 0 &&
           isIds(op.operand(2)->type(), {1});
  } else if (fits && causal) {
    fits = s.shape[1] == s.shape[2];
  }
  absl::Status status = shapesAs(op, fits, {1});
  status.Update(between(op, 2, "probability_bits", 1, 16));
  status.Update(between(op, 3, "score_shift", 0, 16));
  status.Update(
      between(op, 3, "dead_width", 0, 16 - std::clamp<int64_t>(op.intAttr("score_shift"), 0, 16)));
  status.Update(between(op, 4, "live_rows", 1, 65536));
  status.Update(between(op, 4, "dead_rows", 0,
                        65536 - std::clamp<int64_t>(op.intAttr("live_rows"), 0, 65536)));
  status.Update(between(op, 8, "normalizer_bits", 0, 31));
  if (!status.ok()) return status;
  const int64_t bits = op.intAttr("probability_bits");
  status.Update(exponentIs(op, 2, op.result(), bits));
  status.Update(require(op, 2, p.low == 0 && p.high == int64_t{1} << bits, toText(p)));
  const Type& exp = op.operand(1)->type();
  status.Update(require(
      op, 8, op.intAttr("exp_at_minus_one") >= exp.high && exp.low >= 0,
      absl::StrCat("EXP(-1) = ", op.intAttr("exp_at_minus_one"), ", exp is ", toText(exp))));
  status.Update(softmaxRanges(op));
  return status;
}

absl::Status verifyArgmax(const Op& op) {
  const Type& logits = op.operand(0)->type();
  const bool fits = !logits.shape.empty() && isFixed(logits, logits.shape) &&
                    isIds(op.result()->type(), Shape(logits.shape).drop_back());
  absl::Status status = shapesAs(op, fits);
  status.Update(below(op, 2, op.operand(0), kLogit));
  return status;
}

// Views.

bool sameRange(const Type& a, const Type& b) { return a.low == b.low && a.high == b.high; }

absl::Status verifyCopy(const Op& op) {
  const Type& y = op.result()->type();
  const Constant& indices =
      *op.parent()->function()->module()->constants().find(op.symbolAttr("indices"));
  int64_t given = 0;
  bool fits = op.numOperands() > 0 && isFixed(y, y.shape) && indices.elements() == y.elements() &&
              (indices.scalar == Scalar::kI32 || indices.scalar == Scalar::kI64);
  for (const Value* x : op.operands()) {
    fits = fits && isFixed(x->type(), x->type().shape);
    given += x->type().elements();
  }
  absl::Status status = shapesAs(op, fits);
  if (!status.ok()) return status;
  if (const IntegerFacts* facts = indices.integerFacts()) {
    status.Update(require(
        op, 1, y.elements() == 0 || (facts->low >= 0 && facts->high < given),
        absl::StrCat("indices ", rangeText(facts->low, facts->high), " of ", given, " elements")));
  }
  for (const Value* x : op.operands()) {
    status.Update(exponentIs(op, 2, x, y.exponent));
    status.Update(holds(op, 3, y, x->type().low, x->type().high));
  }
  return status;
}

absl::Status verifySlice(const Op& op) {
  const Type &x = op.operand(0)->type(), &y = op.result()->type();
  const int64_t start = op.intAttr("start"), size = op.intAttr("size");
  absl::Status status =
      shapesAs(op, x.shape.size() == 2 && isFixed(x, x.shape) && isFixed(y, {x.shape[0], size}));
  if (!status.ok()) return status;
  const int64_t width = x.shape[1];
  status.Update(require(op, 2, start >= 0 && size >= 1 && size <= width && start <= width - size,
                        absl::StrCat("start = ", start, ", size = ", size, ", n = ", width)));
  status.Update(require(op, 3, sameRange(x, y), toText(x) + " and " + toText(y)));
  return status;
}

absl::Status verifySelectRows(const Op& op) {
  const Type &x = op.operand(0)->type(), &y = op.result()->type();
  const llvm::ArrayRef<int64_t> rows = op.intsAttr("rows");
  absl::Status status =
      shapesAs(op, x.shape.size() == 2 && isFixed(x, x.shape) &&
                       isFixed(y, {static_cast<int64_t>(rows.size()), x.shape[1]}));
  if (!status.ok()) return status;
  for (int64_t row : rows) {
    status.Update(require(op, 2, row >= 0 && row < x.shape[0], absl::StrCat("row ", row)));
  }
  status.Update(
      require(op, 3, sameRange(x, y) && x.exponent == y.exponent, toText(x) + " and " + toText(y)));
  return status;
}

absl::Status verifyAppendRows(const Op& op) {
  const Type &x = op.operand(0)->type(), &y = op.operand(1)->type(), &z = op.result()->type();
  const bool fits = x.shape.size() == 2 && y.shape.size() == 2 && isFixed(x, x.shape) &&
                    isFixed(y, {y.shape[0], x.shape[1]}) &&
                    isFixed(z, {x.shape[0] + y.shape[0], x.shape[1]});
  absl::Status status = shapesAs(op, fits);
  if (!status.ok()) return status;
  for (const Type* type : {&x, &y}) {
    status.Update(require(op, 2, sameRange(*type, z) && type->exponent == z.exponent,
                          toText(*type) + " and " + toText(z)));
  }
  return status;
}

absl::Status verifyConstant(const Op& op) {
  const Constant& constant = poolConstant(op);
  const Type& type = op.result()->type();
  const bool integers = visitIntegers(constant, [](auto) {});
  absl::Status status =
      require(op, 1, integers,
              absl::StrCat("@", constant.name, " is of ", scalarName(constant.scalar).str()));
  status.Update(require(op, 2, isFixed(type, constant.shape), toText(type)));
  if (const IntegerFacts* facts = constant.integerFacts()) {
    status.Update(holds(op, 3, type, facts->low, facts->high));
  }
  return status;
}

absl::Status verifyReturn(const Op& op) {
  const Attribute* names = op.find("names");
  if (names == nullptr) return absl::OkStatus();
  const size_t count = std::get<std::vector<std::string>>(*names).size();
  return require(op, 1, count == op.numOperands(),
                 absl::StrCat(count, " names of ", op.numOperands(), " outputs"));
}

}  // namespace

Verifier verifierOf(llvm::StringRef name) {
  return llvm::StringSwitch<Verifier>(name)
      .Case("integer.divide", verifyDivide)
      .Case("integer.embedding", verifyEmbedding)
      .Case("integer.linear", verifyLinear)
      .Case("integer.scores", verifyScores)
      .Case("integer.mix", verifyMix)
      .Case("integer.requantize", verifyRequantize)
      .Case("integer.multiply", verifyMultiply)
      .Case("integer.affine", verifyAffine)
      .Case("integer.copy", verifyCopy)
      .Case("integer.lookup", verifyLookup)
      .Case("integer.layernorm", verifyLayernorm)
      .Case("integer.softmax", verifySoftmax)
      .Case("integer.argmax", verifyArgmax)
      .Case("integer.slice", verifySlice)
      .Case("integer.select_rows", verifySelectRows)
      .Case("integer.append_rows", verifyAppendRows)
      .Case("integer.constant", verifyConstant)
      .Case("integer.return", verifyReturn)
      .Default(nullptr);
}

}  // namespace lindero::ir::integer
