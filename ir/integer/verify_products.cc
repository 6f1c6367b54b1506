// Constraints of matrix products and embeddings.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ir/core/field.h"
#include "ir/core/text.h"
#include "ir/integer/verify_shared.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::ir::integer {
namespace {

// True for the shape of all axes but the last.
bool isRowsOf(Shape rows, Shape all) { return !all.empty() && rows == all.drop_back(); }

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
  // An addend of one row has no columns of its own.
  if (addend != nullptr && addend->column_low.size() != table->column_low.size())
    return holds(op, 3, result, low, high);
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

}  // namespace

Verifier verifierOfProducts(llvm::StringRef name) {
  return llvm::StringSwitch<Verifier>(name)
      .Case("integer.embedding", verifyEmbedding)
      .Case("integer.linear", verifyLinear)
      .Case("integer.scores", verifyScores)
      .Case("integer.mix", verifyMix)
      .Default(nullptr);
}

}  // namespace lindero::ir::integer
