// Constraints of functions of rows.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ir/core/field.h"
#include "ir/core/text.h"
#include "ir/integer/verify_shared.h"
#include "llvm/ADT/StringSwitch.h"

namespace lindero::ir::integer {
namespace {

constexpr int64_t kLogit = int64_t{1} << 29;

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
  bool fits = !logits.shape.empty() && isFixed(logits, logits.shape);
  if (fits) {
    std::vector<int64_t> kept(logits.shape.begin(), logits.shape.end());
    kept.back() = 1;
    const Type& ids = op.result()->type();
    fits = isIds(ids, Shape(logits.shape).drop_back()) || isIds(ids, kept);
  }
  absl::Status status = shapesAs(op, fits);
  status.Update(below(op, 2, op.operand(0), kLogit));
  return status;
}

}  // namespace

Verifier verifierOfRows(llvm::StringRef name) {
  return llvm::StringSwitch<Verifier>(name)
      .Case("integer.layernorm", verifyLayernorm)
      .Case("integer.softmax", verifySoftmax)
      .Case("integer.argmax", verifyArgmax)
      .Default(nullptr);
}

}  // namespace lindero::ir::integer
