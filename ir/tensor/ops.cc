#include "ir/tensor/ops.h"

#include "ir/tensor/infer.h"

namespace lindero::ir::tensor {

namespace {

using enum Arity;
using enum AttrKind;

// The last constraint of an op states its result's type; verifyType() cites it by that position.
constexpr llvm::StringLiteral kReal = "x is of f32";
constexpr llvm::StringLiteral kNumber = "x is of f32 or i64";
constexpr llvm::StringLiteral kBoolean = "x is of i1";
constexpr llvm::StringLiteral kBroadcasts = "the shapes broadcast";
constexpr llvm::StringLiteral kSameType = "the result has the type of x";
constexpr llvm::StringLiteral kAxisInRange = "0 <= axis < rank";
constexpr llvm::StringLiteral kBooleanResult = "the result is of i1, with the broadcast shape";

OpDef unary(llvm::StringRef name, llvm::StringRef summary, llvm::StringRef domain = kReal) {
  return {.name = name,
          .summary = summary,
          .operands = {{"x", kOne, ""}},
          .results = {{"y", kOne, ""}},
          .constraints = {domain, kSameType}};
}

OpDef limb(llvm::StringRef name, llvm::StringRef summary) {
  OpDef op = unary(name, summary);
  op.attributes = {{"shift", kInt, true, ""}};
  op.constraints = {kReal, "1 <= shift <= 16", kSameType};
  return op;
}

OpDef binary(llvm::StringRef name, llvm::StringRef summary, llvm::StringRef domain,
             llvm::StringRef result) {
  return {.name = name,
          .summary = summary,
          .operands = {{"a", kOne, ""}, {"b", kOne, ""}},
          .results = {{"y", kOne, ""}},
          .constraints = {domain, kBroadcasts, result}};
}

OpDef arithmetic(llvm::StringRef name, llvm::StringRef summary) {
  return binary(name, summary, "a and b are both of f32 or both of i64",
                "the result has their element type and the broadcast shape");
}

OpDef comparison(llvm::StringRef name, llvm::StringRef summary) {
  return binary(name, summary, "a and b have the same element type", kBooleanResult);
}

OpDef reduction(llvm::StringRef name, llvm::StringRef summary) {
  return {.name = name,
          .summary = summary,
          .operands = {{"x", kOne, ""}},
          .results = {{"y", kOne, "the reduced axes have size 1, or are gone"}},
          .attributes = {{"axes", kInts, true, "reduced axes"},
                         {"keepdims", kBool, true, "keep the reduced axes, with size 1"}},
          .constraints = {"0 <= axis < rank for each axis", kNumber,
                          "the result's shape is the operand's without the axes, or with size 1"}};
}

void addElementwise(std::vector<OpDef>& ops) {
  ops.push_back(unary("tensor.sqrt", "y = sqrt(x)"));
  ops.push_back(unary("tensor.erf", "y = erf(x), the Gauss error function"));
  ops.push_back(unary("tensor.tanh", "y = tanh(x)"));
  ops.push_back(unary("tensor.exp", "y = e^x"));
  ops.push_back(unary("tensor.log", "y = ln(x)"));
  ops.push_back(unary("tensor.neg", "y = -x", kNumber));
  ops.push_back(unary("tensor.abs", "y = |x|", kNumber));
  ops.push_back(unary("tensor.reciprocal", "y = 1 / x"));
  ops.push_back(unary("tensor.relu", "y = max(x, 0)", kNumber));
  ops.push_back(unary("tensor.sigmoid", "y = 1 / (1 + e^-x)"));
  ops.push_back(unary("tensor.sin", "y = sin(x)"));
  ops.push_back(unary("tensor.cos", "y = cos(x)"));
  ops.push_back(unary("tensor.floor", "y = the greatest integer <= x"));
  ops.push_back(unary("tensor.ceil", "y = the least integer >= x"));
  ops.push_back(unary("tensor.round", "y = the nearest integer to x, halves to even"));
  ops.push_back(unary("tensor.sign", "y = -1, 0 or 1", kNumber));
  ops.push_back(limb("tensor.high_limb", "y = floor(x / 2^shift + 1/2), of a whole number x"));
  ops.push_back(
      limb("tensor.low_limb", "y = x - 2^shift high_limb(x), in [-2^(shift-1), 2^(shift-1))"));
  ops.push_back(unary("tensor.not", "y = not x, on i1", kBoolean));
  ops.push_back({.name = "tensor.is_nan",
                 .summary = "y = whether x is not a number",
                 .operands = {{"x", kOne, ""}},
                 .results = {{"y", kOne, ""}},
                 .constraints = {kReal, "the result is of i1, with the shape of x"}});
  ops.push_back(
      {.name = "tensor.cast",
       .summary = "y = x in another element type; to i64 it truncates, to i1 it is x != 0",
       .operands = {{"x", kOne, ""}},
       .results = {{"y", kOne, ""}},
       .attributes = {{"to", kString, true, "\"float\" (f32), \"int\" (i64), \"bool\" (i1)"},
                      {"low", kInt, false,
                       "of an integer input: what it is at least; it is exact, and so has to be "
                       "what is computed of it in whole numbers. Runs with others are refused"},
                      {"high", kInt, false, "and at most"}},
       .constraints = {"`to` is one of those listed",
                       "the result has that element type and the shape of x"}});
  ops.push_back(arithmetic("tensor.add", "y = a + b; after import cleanup the residual sum"));
  ops.push_back(arithmetic("tensor.sub", "y = a - b"));
  ops.push_back(arithmetic("tensor.mul", "y = a * b"));
  ops.push_back(arithmetic("tensor.div", "y = a / b; on i64 rounded toward zero"));
  ops.push_back(arithmetic("tensor.whole_quotient", "y = floor(a / b), of whole numbers"));
  ops.push_back(arithmetic("tensor.pow", "y = a^b"));
  ops.push_back(arithmetic("tensor.min", "y = min(a, b)"));
  ops.push_back(arithmetic("tensor.max", "y = max(a, b)"));
  ops.push_back(comparison("tensor.equal", "y = a == b"));
  ops.push_back(comparison("tensor.less", "y = a < b"));
  ops.push_back(comparison("tensor.less_or_equal", "y = a <= b"));
  ops.push_back(comparison("tensor.greater", "y = a > b"));
  ops.push_back(comparison("tensor.greater_or_equal", "y = a >= b"));
  OpDef bits = binary("tensor.bit_and", "y = the bits that a and b share, in two's complement",
                      "a and b are of i64", "the result is of i64, with the broadcast shape");
  ops.push_back(std::move(bits));
  OpDef wrap = unary("tensor.wrap", "y = x modulo 2^bits, as an integer of so many bits holds it");
  wrap.attributes = {{"bits", kInt, true, ""}, {"signed", kBool, true, ""}};
  wrap.constraints = {"x is of i64", "1 <= bits <= 64", kSameType};
  ops.push_back(std::move(wrap));
  OpDef narrow = unary(
      "tensor.narrow",
      "y = the nearest number of a type of 16 bits where x is whole, or beyond it; else x", kReal);
  narrow.attributes = {{"type", kString, true, "f16 or bf16"}};
  narrow.constraints.push_back("`type` is one of these");
  ops.push_back(std::move(narrow));
  ops.push_back(binary("tensor.and", "y = a and b", "a and b are of i1", kBooleanResult));
  ops.push_back(binary("tensor.or", "y = a or b", "a and b are of i1", kBooleanResult));
  ops.push_back(
      {.name = "tensor.where",
       .summary = "y = condition ? a : b",
       .operands = {{"condition", kOne, "i1"}, {"a", kOne, ""}, {"b", kOne, ""}},
       .results = {{"y", kOne, ""}},
       .constraints = {"the condition is of i1; a and b have one element type", kBroadcasts,
                       "the result has that element type and the broadcast shape"}});
}

void addReductions(std::vector<OpDef>& ops) {
  ops.push_back(reduction("tensor.reduce_mean", "Mean over axes"));
  ops.push_back(reduction("tensor.reduce_sum", "Sum over axes"));
  ops.push_back(reduction("tensor.reduce_max", "Maximum over axes"));
  ops.push_back(reduction("tensor.reduce_min", "Minimum over axes"));
  ops.push_back({.name = "tensor.softmax",
                 .summary = "y = e^x / sum e^x along an axis",
                 .operands = {{"x", kOne, ""}},
                 .results = {{"y", kOne, ""}},
                 .attributes = {{"axis", kInt, true, ""}},
                 .constraints = {kAxisInRange, kReal, kSameType}});
  ops.push_back({.name = "tensor.argmax",
                 .summary = "Index of the maximum along an axis; ties to the lowest index",
                 .operands = {{"x", kOne, ""}},
                 .results = {{"ids", kOne, "i64"}},
                 .attributes = {{"axis", kInt, false, "the last one if absent"},
                                {"keepdims", kBool, false, "false if absent"}},
                 .constraints = {kAxisInRange, "the axis is not empty",
                                 "the result is of i64, without the axis or with size 1"}});
}

void addShapes(std::vector<OpDef>& ops) {
  const std::vector<ValueSpec> x = {{"x", kOne, ""}};
  const std::vector<ValueSpec> y = {{"y", kOne, ""}};
  ops.push_back({.name = "tensor.transpose",
                 .summary = "Permutes axes: axis i of the result is axis perm[i] of the operand",
                 .operands = x,
                 .results = y,
                 .attributes = {{"perm", kInts, true, ""}},
                 .constraints = {"perm is a permutation of 0 .. rank - 1",
                                 "the result's size on axis i is the operand's on axis perm[i]"}});
  ops.push_back(
      {.name = "tensor.reshape",
       .summary = "The same elements, in row-major order, with another shape",
       .operands = x,
       .results = y,
       .attributes = {{"shape", kInts, true, "of the result"}},
       .constraints = {"`shape` has as many elements as x", "the result's shape is `shape`"}});
  ops.push_back(
      {.name = "tensor.expand",
       .summary = "Broadcasts to a shape",
       .operands = x,
       .results = y,
       .attributes = {{"shape", kInts, true, "of the result"}},
       .constraints = {"the shape of x broadcasts to `shape`", "the result's shape is `shape`"}});
  ops.push_back({.name = "tensor.slice",
                 .summary = "`size` elements of an axis from `start` on, every `step`-th",
                 .operands = x,
                 .results = y,
                 .attributes = {{"axis", kInt, true, ""},
                                {"start", kInt, true, ""},
                                {"size", kInt, true, "of the result along the axis"},
                                {"step", kInt, false, "1 if absent; may be negative"}},
                 .constraints = {kAxisInRange,
                                 "0 <= start + i * step < the operand's size, for 0 <= i < size",
                                 "the result's shape is the operand's with `size` on the axis"}});
  ops.push_back({.name = "tensor.concat",
                 .summary = "Joins operands along an axis",
                 .operands = {{"parts", kVariadic, "at least one"}},
                 .results = y,
                 .attributes = {{"axis", kInt, true, ""}},
                 .constraints = {kAxisInRange,
                                 "the operands have one element type and agree on all other axes",
                                 "the result's size on the axis is the sum of theirs"}});
  ops.push_back(
      {.name = "tensor.gather",
       .summary = "Picks slices of an axis by index, as ONNX Gather",
       .operands = {{"data", kOne, ""}, {"indices", kOne, "i64; negative counts from the end"}},
       .results = y,
       .attributes = {{"axis", kInt, true, ""}},
       .constraints = {kAxisInRange, "the indices are of i64",
                       "the result's shape is data's with the indices' in place of the axis"}});
  ops.push_back(
      {.name = "tensor.trilu",
       .summary = "Keeps the upper or lower triangle of the last two axes, zero elsewhere",
       .operands = x,
       .results = y,
       .attributes = {{"upper", kBool, true, ""}, {"k", kInt, true, "diagonal"}},
       .constraints = {"x has two axes or more", kSameType}});
}

void addProducts(std::vector<OpDef>& ops) {
  ops.push_back(
      {.name = "tensor.matmul",
       .summary = "Matrix product of the last two axes; the others broadcast, as numpy.matmul",
       .operands = {{"a", kOne, "[..., m, k]"}, {"b", kOne, "[..., k, n]"}},
       .results = {{"y", kOne, "[..., m, n]"}},
       .constraints = {"a and b are of f32 and have an axis or more", "the inner sizes agree",
                       "the other axes broadcast", "the result's shape is [..., m, n]"}});
  ops.push_back(
      {.name = "tensor.layernorm",
       .summary = "y = (x - mean) / sqrt(variance + epsilon) * gamma + beta along the last axis",
       .operands = {{"x", kOne, "[..., D]"}, {"gamma", kOne, "[D]"}, {"beta", kOne, "[D]"}},
       .results = {{"y", kOne, ""}},
       .attributes = {{"epsilon", kFloat, true, ""},
                      {"has_mean", kBool, false, "false: mean = 0 (RMSNorm); true if absent"}},
       .constraints = {"x is of f32 and has an axis or more", "gamma and beta are of f32, [D]",
                       kSameType}});
}

void addCanonical(std::vector<OpDef>& ops) {
  ops.push_back({.name = "tensor.constant",
                 .summary = "A constant of the pool",
                 .results = {{"y", kOne, "f32 of f32 or f64, i64 of any integer, i1 of bool"}},
                 .attributes = {{"value", kConstant, true, ""}},
                 .constraints = {"the result's shape is the constant's"}});
  ops.push_back({.name = "tensor.return",
                 .summary = "The function's outputs",
                 .operands = {{"outputs", kVariadic, ""}},
                 .attributes = {{"names", kStrings, false, "one per output"}},
                 .constraints = {"there are as many names as outputs"},
                 .terminator = true});
  ops.push_back({.name = "tensor.embedding",
                 .summary = "y[t] = table[ids[t]] + addend[t]",
                 .operands = {{"ids", kOne, "[...], i64"},
                              {"table", kOne, "[V, D], constant"},
                              {"addend", kOptional, "[..., D], constant (positions)"}},
                 .results = {{"y", kOne, "[..., D]"}},
                 .attributes = {{"exact", kBool, false,
                                 "its entries are integers or truth values of the model: what is "
                                 "computed of them in whole numbers has to be exact, too"}},
                 .constraints = {"ids is of i64; table is of f32, [V, D]",
                                 "the addend is of f32 and has the result's shape",
                                 "the result is of f32, with ids' axes and D"}});
  ops.push_back({.name = "tensor.linear",
                 .summary = "y = x w + b",
                 .operands = {{"x", kOne, "[T, in]"},
                              {"w", kOne, "[in, out], constant"},
                              {"b", kOptional, "[out], constant"}},
                 .results = {{"y", kOne, "[T, out]"}},
                 .constraints = {"x is of f32, [T, in]; w is of f32, [in, out]",
                                 "b is of f32, [out]", "the result is of f32, [T, out]"}});
  ops.push_back(
      {.name = "tensor.attention",
       .summary = "y = softmax(q k' * scale + mask) v per head",
       .operands = {{"q", kOne, "[T, D]"}, {"k", kOne, "[T, D]"}, {"v", kOne, "[T, D]"}},
       .results = {{"y", kOne, "[T, D]"}},
       .attributes =
           {{"heads", kInt, true, "head h has columns h D / heads and following"},
            {"scale", kFloat, true, "of the scores"},
            {"causal", kBool, true, "query t sees keys 0 .. t"},
            {"masked", kFloat, false,
             "the most that the model puts in place of a masked score, or adds to it; "
             "-inf if absent. Here it counts as -inf: quantize sees to it that this makes "
             "no difference"}},
       .constraints = {"q, k and v are of f32 and have one shape [T, D]", "heads >= 1 divides D",
                       "the result has the type of q"}});
  ops.push_back(
      {.name = "tensor.activation",
       .summary = "y = f(x) element by element; its table holds f, correctly rounded",
       .operands = {{"x", kOne, ""}},
       .results = {{"y", kOne, ""}},
       .attributes = {{"function", kString, true,
                       "f(x), of elementwise ops and numbers: \"mul(x, sigmoid(x))\"; gelu(x), "
                       "gelu_tanh(x), relu(x) and silu(x) are short for their definitions"}},
       .constraints = {kReal, "`function` is an expression in x", kSameType}});
  ops.push_back(
      {.name = "tensor.mask",
       .summary = "y = x where open is not 0, less than all others elsewhere",
       .operands = {{"x", kOne, "scores, which a softmax or an argmax alone reads"},
                    {"open", kOne, "broadcasts to the shape of x"}},
       .results = {{"y", kOne, ""}},
       .attributes =
           {{"masked", kFloat, false,
             "the most that the model puts in place of a masked score, or adds to it; "
             "-inf if absent. Here it counts as -inf: quantize sees to it that this makes "
             "no difference"},
            {"added", kBool, false,
             "masked scores are x + `masked`, which orders rows that are masked altogether, too"}},
       .constraints = {"x and open are of f32", "the shape of open broadcasts to that of x",
                       kSameType, "what is added is given"}});
  OpDef within = unary("tensor.within", "y = x, which is no larger than `most` in any run", kReal);
  within.attributes = {
      {"most", kFloat, true, "of magnitudes: quantize refuses a model of which it cannot say so"}};
  ops.push_back(std::move(within));
  ops.push_back({.name = "tensor.select_rows",
                 .summary = "y[i] = x[rows[i]]",
                 .operands = {{"x", kOne, "[T, ...]"}},
                 .results = {{"y", kOne, "[number of rows, ...]"}},
                 .attributes = {{"rows", kInts, true, ""}},
                 .constraints = {"x has an axis or more", "0 <= row < T for each row",
                                 "the result's shape is that of x with as many rows as listed"}});
}

}  // namespace

std::vector<OpDef> ops() {
  std::vector<OpDef> ops;
  addElementwise(ops);
  addReductions(ops);
  addShapes(ops);
  addProducts(ops);
  addCanonical(ops);
  for (OpDef& op : ops) {
    op.pure = !op.terminator;
    if (hasTypeRule(op.name)) op.verify = verifyType;
  }
  return ops;
}

}  // namespace lindero::ir::tensor
