#include "passes/import_cleanup/fuse_attention/attention_pattern.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "ir/core/op_table.h"
#include "ir/core/status_macros.h"
#include "passes/import_cleanup/support/cone.h"
#include "passes/import_cleanup/support/rewrite.h"
#include "passes/quantize/masks.h"

namespace lindero::passes {
namespace {

using ir::Op;
using ir::Value;
using ir::tensor::Array;

absl::Status no(std::string why) { return absl::InvalidArgumentError(std::move(why)); }

// The product of the probabilities with v. A guard against rows without any key (where(is_nan(p),
// 0, p)) is looked through: a causal row has one.
absl::StatusOr<Op*> findMix(const Op& softmax, llvm::SmallVectorImpl<const Op*>& ops) {
  const Value* p = softmax.result();
  if (p->users().size() == 2) {
    Op* test = p->users()[0]->is("tensor.is_nan") ? p->users()[0] : p->users()[1];
    Op* guard = p->users()[0] == test ? p->users()[1] : p->users()[0];
    if (test->is("tensor.is_nan") && guard->is("tensor.where") &&
        guard->operand(0) == test->result() && test->result()->hasOneUse() &&
        isConstant(guard->operand(1)) && guard->operand(2) == p) {
      ops.append({test, guard});
      p = guard->result();
    }
  }
  if (!p->hasOneUse()) return no("its probabilities are read by more than one op");
  Op* mix = p->users()[0];
  if (!mix->is("tensor.matmul") || mix->operand(0) != p || isConstant(mix->operand(1))) {
    return no(absl::StrCat("its probabilities are read by ", ir::describe(*mix),
                           ", not by a product with values"));
  }
  return mix;
}

bool isMaskOp(const Op& op) {
  if (op.is("tensor.max")) {
    // A floor below every score, as in max(scores, lowest float).
    std::optional<WithConstant> parts = splitConstant(op);
    std::optional<double> floor = parts ? scalarOf(parts->constant) : std::nullopt;
    return floor && *floor <= -1e30;
  }
  return op.is("tensor.add") || op.is("tensor.sub") || op.is("tensor.mul") || op.is("tensor.div") ||
         op.is("tensor.neg") || op.is("tensor.where");
}

// The one operand that is not constant; null if there are none or several.
Value* variableOperand(const Op& op) {
  Value* variable = nullptr;
  for (Value* operand : op.operands()) {
    if (isConstant(operand)) continue;
    if (variable) return nullptr;
    variable = operand;
  }
  return variable;
}

// From the softmax's operand up to the product q k', which is the cone's input.
absl::StatusOr<Cone> findMask(const Op& softmax) {
  Cone cone{nullptr, softmax.operand(0), {}};
  Value* value = softmax.operand(0);
  while (!isOp(value, "tensor.matmul")) {
    Op* op = value->definingOp();
    if (!op || !isMaskOp(*op)) {
      return no(absl::StrCat("its operand comes from ", op ? ir::describe(*op) : "an argument",
                             ", not from a product of queries and keys"));
    }
    value = variableOperand(*op);
    if (!value)
      return no(absl::StrCat("the mask in ", ir::describe(*op),
                             " depends on the data; only constant masks are supported"));
    // Dividing by scores would not be affine in them.
    if (op->is("tensor.div") && op->operand(1) == value)
      return no(absl::StrCat(ir::describe(*op), " divides by the scores"));
    cone.ops.insert(cone.ops.begin(), op);
  }
  cone.input = value;
  return cone;
}

struct Mask {
  double scale = 1;
  bool causal = false;
  double masked = -std::numeric_limits<double>::infinity();
};

// The highest floor under the scores, as the softmax reads it: factors may come after it.
absl::StatusOr<double> floorOf(const Cone& cone, Array sample) {
  double highest = -std::numeric_limits<double>::infinity();
  for (auto op = cone.ops.begin(); op != cone.ops.end(); ++op) {
    if (!(*op)->is("tensor.max")) continue;
    const double floor = *scalarOf(splitConstant(**op)->constant);
    sample.reals.assign(sample.reals.size(), floor);
    IR_ASSIGN_OR_RETURN(
        const Array read,
        evaluateCone({(*op)->result(), cone.output, {op + 1, cone.ops.end()}}, sample));
    highest = std::max(highest, *llvm::max_element(read.reals));
  }
  if (highest > kMasked)
    return no(absl::StrCat("its scores have a floor at ", highest, ", which some may reach"));
  return highest;
}

// The function of the scores, element by element: a chain of sums, products with constants and
// choices by constants is affine, so that scores 0 and 1 tell all; a floor is as good as none where
// scores stay above it, and is seen to as masked scores are.
absl::StatusOr<Mask> evaluateMask(const Cone& cone, int64_t tokens, size_t rank) {
  if (cone.ops.empty()) return Mask{1, tokens == 1};
  Array sample = rank == 3 ? Array::zeros(ir::Element::kFloat, {1, tokens, tokens})
                           : Array::zeros(ir::Element::kFloat, {tokens, tokens});
  IR_ASSIGN_OR_RETURN(const Array at_zero, evaluateCone(cone, sample));
  sample.reals.assign(sample.reals.size(), 1.0);
  IR_ASSIGN_OR_RETURN(const Array at_one, evaluateCone(cone, sample));
  IR_ASSIGN_OR_RETURN(const double floor, floorOf(cone, sample));
  Mask mask{at_one.reals[0] - at_zero.reals[0], true, floor};
  bool masked_none = true;
  for (size_t n = 0; n < at_zero.reals.size(); ++n) {
    const int64_t key = int64_t(n) % tokens, query = int64_t(n) / tokens % tokens;
    const double low = at_zero.reals[n], high = at_one.reals[n];
    // Beside a large number, a score may drown.
    const bool slope =
        low == high || std::abs(high - low) <= std::abs(mask.scale) + 1e-12 * std::abs(low);
    const bool dead = low <= kMasked && slope;
    const bool live = low == 0 && high == mask.scale;
    if (!dead && !live) {
      return no(absl::StrCat("for query ", query, " and key ", key, ", a score s becomes ", low,
                             " + ", high - low, " s: neither scaled like the others nor masked"));
    }
    if (dead) masked_none = false;
    if (dead) mask.masked = std::max(mask.masked, low);
    if (dead != (key > query)) mask.causal = false;
  }
  if (!mask.causal && !masked_none)
    return no("its mask is not causal: not exactly the keys after the query are masked");
  if (!(std::abs(mask.scale) > 0) || !std::isfinite(mask.scale))
    return no(absl::StrCat("its scores are scaled by ", mask.scale));
  return mask;
}

// `head_axes` says on which axes of the value (counted without heads) token and feature stand.
absl::StatusOr<HeadColumns> findColumns(const StridedView& view, bool transposed,
                                        const AttentionPattern& found, const char* what) {
  llvm::SmallVector<ViewAxis, 4> axes = view.axes;
  if (axes.size() == 2) axes.insert(axes.begin(), ViewAxis{1, 0});
  if (axes.size() != 3)
    return no(
        absl::StrCat(what, " has ", axes.size(), " axes; expected heads, tokens and features"));
  const ViewAxis head = axes[0], token = axes[transposed ? 2 : 1],
                 feature = axes[transposed ? 1 : 2];
  if (head.size != found.heads || token.size != found.tokens || feature.size != found.depth) {
    return no(absl::StrCat(what, " has ", head.size, " heads of ", token.size, " tokens and ",
                           feature.size, " features; expected ", found.heads, ", ", found.tokens,
                           " and ", found.depth));
  }
  const int64_t elements = view.source->type().elements();
  HeadColumns columns{.source = view.source,
                      .width = elements / found.tokens,
                      .offset = view.offset,
                      .head_stride = head.size == 1 ? 0 : head.stride,
                      .stride = feature.size == 1 ? 0 : feature.stride,
                      .chain = {view.chain.rbegin(), view.chain.rend()}};
  const bool by_rows =
      elements % found.tokens == 0 && (found.tokens == 1 || token.stride == columns.width);
  const int64_t last =
      columns.offset + (found.heads - 1) * columns.head_stride + (found.depth - 1) * columns.stride;
  if (!by_rows || columns.head_stride < 0 || columns.stride < 0 || columns.offset < 0 ||
      last >= columns.width) {
    return no(absl::StrCat(what, " does not take columns of a matrix with one row per token"));
  }
  return columns;
}

}  // namespace

absl::StatusOr<AttentionPattern> matchAttention(const Op& softmax) {
  AttentionPattern found;
  const auto& shape = softmax.result()->type().shape;
  const size_t rank = shape.size();
  if ((rank != 2 && rank != 3) || softmax.intAttr("axis") != int64_t(rank) - 1) {
    return no(
        "its scores are not [heads, T, T] or [T, T], with the softmax over the last axis; is the "
        "batch 1?");
  }
  found.tokens = shape[rank - 2];
  found.heads = rank == 3 ? shape[0] : 1;
  if (shape[rank - 1] != found.tokens) {
    return no(absl::StrCat(found.tokens, " queries see ", shape[rank - 1],
                           " keys; of a cache, leave the past length symbolic"));
  }
  llvm::SmallVector<const Op*, 2> guards;
  IR_ASSIGN_OR_RETURN(found.mix, findMix(softmax, guards));
  IR_ASSIGN_OR_RETURN(const Cone cone, findMask(softmax));
  const Op* product = cone.input->definingOp();
  if (isConstant(product->operand(0)) || isConstant(product->operand(1)) ||
      !(cone.input->type() == softmax.result()->type())) {
    return no(absl::StrCat("its scores come from ", ir::describe(*product),
                           ", not from a product of queries and keys"));
  }
  IR_ASSIGN_OR_RETURN(const Mask mask, evaluateMask(cone, found.tokens, rank));
  const StridedView q = viewOf(product->operand(0), true), k = viewOf(product->operand(1), true),
                    v = viewOf(found.mix->operand(1));
  found.depth = product->operand(0)->type().shape.back();
  found.causal = mask.causal;
  found.scale = mask.scale * q.scale * k.scale;
  found.masked = mask.masked;
  IR_ASSIGN_OR_RETURN(found.q, findColumns(q, false, found, "the query"));
  IR_ASSIGN_OR_RETURN(found.k, findColumns(k, true, found, "the key"));
  IR_ASSIGN_OR_RETURN(found.v, findColumns(v, false, found, "the value"));
  for (const HeadColumns* columns : {&found.q, &found.k, &found.v})
    found.ops.append(columns->chain);
  found.ops.push_back(product);
  found.ops.append(cone.ops.begin(), cone.ops.end());
  found.ops.push_back(&softmax);
  found.ops.append(guards.begin(), guards.end());
  found.ops.push_back(found.mix);
  return found;
}

}  // namespace lindero::passes
