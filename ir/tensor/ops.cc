#include "ir/tensor/ops.h"

namespace lindero::ir::tensor {

namespace {

using enum Arity;
using enum AttrKind;

constexpr llvm::StringLiteral kBroadcasts = "the result's shape is the operands' shapes, broadcast";
constexpr llvm::StringLiteral kSameShape = "the result has the shape of the operand";
constexpr llvm::StringLiteral kAxisInRange = "0 <= axis < rank";

OpDef unary(llvm::StringRef name, llvm::StringRef summary) {
  return {.name = name,
          .summary = summary,
          .operands = {{"x", kOne, ""}},
          .results = {{"y", kOne, ""}},
          .constraints = {kSameShape}};
}

OpDef binary(llvm::StringRef name, llvm::StringRef summary) {
  return {.name = name,
          .summary = summary,
          .operands = {{"a", kOne, ""}, {"b", kOne, ""}},
          .results = {{"y", kOne, ""}},
          .constraints = {kBroadcasts}};
}

OpDef reduction(llvm::StringRef name, llvm::StringRef summary) {
  return {.name = name,
          .summary = summary,
          .operands = {{"x", kOne, ""}},
          .results = {{"y", kOne, "the reduced axes have size 1, or are gone"}},
          .attributes = {{"axes", kInts, true, "reduced axes, ascending"},
                         {"keepdims", kBool, true, "keep the reduced axes, with size 1"}},
          .constraints = {"0 <= axis < rank for each axis, ascending",
                          "the result's shape is the operand's without the axes, or with size 1"}};
}

void addElementwise(std::vector<OpDef>& ops) {
  ops.push_back(unary("tensor.sqrt", "y = sqrt(x)"));
  ops.push_back(unary("tensor.erf", "y = erf(x), the Gauss error function"));
  ops.push_back(unary("tensor.tanh", "y = tanh(x)"));
  ops.push_back(unary("tensor.exp", "y = e^x"));
  ops.push_back(unary("tensor.log", "y = ln(x)"));
  ops.push_back(unary("tensor.neg", "y = -x"));
  ops.push_back(unary("tensor.abs", "y = |x|"));
  ops.push_back(unary("tensor.reciprocal", "y = 1 / x"));
  ops.push_back(unary("tensor.relu", "y = max(x, 0)"));
  ops.push_back(unary("tensor.sigmoid", "y = 1 / (1 + e^-x)"));
  ops.push_back(unary("tensor.sin", "y = sin(x)"));
  ops.push_back(unary("tensor.cos", "y = cos(x)"));
  ops.push_back(unary("tensor.floor", "y = the greatest integer <= x"));
  ops.push_back(unary("tensor.sign", "y = -1, 0 or 1"));
  ops.push_back(unary("tensor.not", "y = not x, on i1"));
  ops.push_back(unary("tensor.is_nan", "y = whether x is not a number; an i1"));
  ops.push_back(unary("tensor.cast", "y = x as the result's element type, as ONNX Cast"));
  OpDef gelu = unary("tensor.gelu", "y = x * Phi(x), or its tanh approximation");
  gelu.attributes = {{"approximate", kString, true, "\"none\" or \"tanh\""}};
  ops.push_back(gelu);
  ops.push_back(binary("tensor.add", "y = a + b; after import cleanup the residual sum"));
  ops.push_back(binary("tensor.sub", "y = a - b"));
  ops.push_back(binary("tensor.mul", "y = a * b"));
  ops.push_back(binary("tensor.div", "y = a / b; on i64 rounded toward zero"));
  ops.push_back(binary("tensor.mod", "y = a mod b, with the sign of b"));
  ops.push_back(binary("tensor.pow", "y = a^b"));
  ops.push_back(binary("tensor.min", "y = min(a, b)"));
  ops.push_back(binary("tensor.max", "y = max(a, b)"));
  ops.push_back(binary("tensor.equal", "y = a == b; an i1"));
  ops.push_back(binary("tensor.less", "y = a < b; an i1"));
  ops.push_back(binary("tensor.less_or_equal", "y = a <= b; an i1"));
  ops.push_back(binary("tensor.greater", "y = a > b; an i1"));
  ops.push_back(binary("tensor.greater_or_equal", "y = a >= b; an i1"));
  ops.push_back(binary("tensor.and", "y = a and b, on i1"));
  ops.push_back(binary("tensor.or", "y = a or b, on i1"));
  ops.push_back({.name = "tensor.where",
                 .summary = "y = condition ? a : b",
                 .operands = {{"condition", kOne, "i1"}, {"a", kOne, ""}, {"b", kOne, ""}},
                 .results = {{"y", kOne, ""}},
                 .constraints = {kBroadcasts}});
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
                 .constraints = {kSameShape, kAxisInRange}});
  ops.push_back({.name = "tensor.cumsum",
                 .summary = "Inclusive running sum along an axis",
                 .operands = {{"x", kOne, ""}},
                 .results = {{"y", kOne, ""}},
                 .attributes = {{"axis", kInt, true, ""}},
                 .constraints = {kSameShape, kAxisInRange}});
  ops.push_back({.name = "tensor.argmax",
                 .summary = "Index of the maximum along an axis; ties to the lowest index",
                 .operands = {{"x", kOne, ""}},
                 .results = {{"ids", kOne, "i64"}},
                 .attributes = {{"axis", kInt, false, "the last one if absent"},
                                {"keepdims", kBool, false, "false if absent"}},
                 .constraints = {kAxisInRange}});
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
  ops.push_back({.name = "tensor.reshape",
                 .summary = "The same elements, in row-major order, with another shape",
                 .operands = x,
                 .results = y,
                 .attributes = {{"shape", kInts, true, "of the result"}},
                 .constraints = {"the result's shape is `shape`",
                                 "operand and result have as many elements"}});
  ops.push_back({.name = "tensor.expand",
                 .summary = "Broadcasts to a shape",
                 .operands = x,
                 .results = y,
                 .attributes = {{"shape", kInts, true, "of the result"}},
                 .constraints = {"the result's shape is `shape`",
                                 "the operand's shape broadcasts to `shape`"}});
  ops.push_back({.name = "tensor.unsqueeze",
                 .summary = "Inserts axes of size 1",
                 .operands = x,
                 .results = y,
                 .attributes = {{"axes", kInts, true, "in the result, ascending"}},
                 .constraints = {"the result without the axes has the operand's shape"}});
  ops.push_back({.name = "tensor.squeeze",
                 .summary = "Removes axes of size 1",
                 .operands = x,
                 .results = y,
                 .attributes = {{"axes", kInts, true, "in the operand, ascending"}},
                 .constraints = {"the operand without the axes has the result's shape"}});
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
  ops.push_back({.name = "tensor.split",
                 .summary = "Consecutive parts of an axis",
                 .operands = x,
                 .results = {{"parts", kVariadic, ""}},
                 .attributes = {{"axis", kInt, true, ""}, {"sizes", kInts, true, ""}},
                 .constraints = {kAxisInRange, "the sizes sum to the operand's size on the axis",
                                 "there is a result per size, with that size on the axis"}});
  ops.push_back({.name = "tensor.concat",
                 .summary = "Joins operands along an axis",
                 .operands = {{"parts", kVariadic, ""}},
                 .results = y,
                 .attributes = {{"axis", kInt, true, ""}},
                 .constraints = {kAxisInRange, "the operands agree on all other axes",
                                 "the result's size on the axis is the sum of theirs"}});
  ops.push_back(
      {.name = "tensor.gather",
       .summary = "Picks slices of an axis by index, as ONNX Gather",
       .operands = {{"data", kOne, ""}, {"indices", kOne, "i64; negative counts from the end"}},
       .results = y,
       .attributes = {{"axis", kInt, true, ""}},
       .constraints = {kAxisInRange,
                       "the result's shape is data's with the indices' in place of the axis"}});
  ops.push_back(
      {.name = "tensor.trilu",
       .summary = "Keeps the upper or lower triangle of the last two axes, zero elsewhere",
       .operands = x,
       .results = y,
       .attributes = {{"upper", kBool, true, ""}, {"k", kInt, true, "diagonal"}},
       .constraints = {kSameShape}});
}

void addProducts(std::vector<OpDef>& ops) {
  ops.push_back(
      {.name = "tensor.matmul",
       .summary = "Matrix product of the last two axes; the others broadcast, as numpy.matmul",
       .operands = {{"a", kOne, "[..., m, k]"}, {"b", kOne, "[..., k, n]"}},
       .results = {{"y", kOne, "[..., m, n]"}},
       .constraints = {"the inner sizes agree", "the result's shape is [..., m, n]"}});
  ops.push_back(
      {.name = "tensor.gemm",
       .summary = "y = alpha * a' b' + beta * c, where ' is an optional transposition",
       .operands = {{"a", kOne, ""}, {"b", kOne, ""}, {"c", kOptional, "broadcasts to [m, n]"}},
       .results = {{"y", kOne, "[m, n]"}},
       .attributes = {{"alpha", kFloat, true, ""},
                      {"beta", kFloat, true, ""},
                      {"transpose_a", kBool, true, ""},
                      {"transpose_b", kBool, true, ""}},
       .constraints = {"the inner sizes agree", "the result's shape is [m, n]"}});
  ops.push_back(
      {.name = "tensor.layernorm",
       .summary = "y = (x - mean) / sqrt(variance + epsilon) * gamma + beta along the last axes",
       .operands = {{"x", kOne, "[..., D]"}, {"gamma", kOne, "[D]"}, {"beta", kOptional, "[D]"}},
       .results = {{"y", kOne, ""}},
       .attributes = {{"epsilon", kFloat, true, ""},
                      {"axis", kInt, false, "first normalized axis; the last one if absent"},
                      {"has_mean", kBool, false, "false: mean = 0 (RMSNorm); true if absent"}},
       .constraints = {kSameShape, kAxisInRange}});
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
                 .operands = {{"ids", kOne, "[T], i64"},
                              {"table", kOne, "[V, D], constant"},
                              {"addend", kOptional, "[T, D], constant (positions)"}},
                 .results = {{"y", kOne, "[T, D]"}},
                 .constraints = {"the shapes are as listed"}});
  ops.push_back({.name = "tensor.linear",
                 .summary = "y = x w + b",
                 .operands = {{"x", kOne, "[T, in]"},
                              {"w", kOne, "[in, out], constant"},
                              {"b", kOptional, "[out], constant"}},
                 .results = {{"y", kOne, "[T, out]"}},
                 .constraints = {"the shapes are as listed"}});
  ops.push_back(
      {.name = "tensor.attention",
       .summary = "y = softmax(q k' * scale + mask) v per head",
       .operands = {{"q", kOne, "[T, D]"}, {"k", kOne, "[T, D]"}, {"v", kOne, "[T, D]"}},
       .results = {{"y", kOne, "[T, D]"}},
       .attributes = {{"heads", kInt, true, "head h has columns h D / heads and following"},
                      {"scale", kFloat, true, "of the scores"},
                      {"causal", kBool, true, "query t sees keys 0 .. t"}},
       .constraints = {"the shapes are as listed", "heads >= 1 divides D"}});
  ops.push_back(
      {.name = "tensor.activation",
       .summary = "y = f(x) element by element, f by name",
       .operands = {{"x", kOne, ""}},
       .results = {{"y", kOne, ""}},
       .attributes = {{"kind", kString, true, "gelu, gelu_tanh, relu, silu, tanh or sigmoid"}},
       .constraints = {kSameShape, "kind is one of those listed"}});
  ops.push_back({.name = "tensor.select_rows",
                 .summary = "y[i] = x[rows[i]]",
                 .operands = {{"x", kOne, "[T, D]"}},
                 .results = {{"y", kOne, "[number of rows, D]"}},
                 .attributes = {{"rows", kInts, true, ""}},
                 .constraints = {"the shapes are as listed", "0 <= row < T for each row"}});
}

}  // namespace

std::vector<OpDef> ops() {
  std::vector<OpDef> ops;
  addElementwise(ops);
  addReductions(ops);
  addShapes(ops);
  addProducts(ops);
  addCanonical(ops);
  return ops;
}

}  // namespace lindero::ir::tensor
