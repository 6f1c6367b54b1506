#include "ir/integer/ops.h"

#include "absl/strings/str_cat.h"
#include "ir/integer/verify.h"
#include "ir/region/segment.h"

namespace lindero::ir::integer {

namespace {

using enum Arity;
using enum AttrKind;

constexpr llvm::StringLiteral kShapes = "shapes and elements are as listed";
constexpr llvm::StringLiteral kConstants =
    "shapes and elements are as listed; constants are results of integer.constant";

void addProducts(std::vector<OpDef>& ops) {
  ops.push_back({.name = "integer.embedding",
                 .summary = "y[t] = table[ids[t]] + addend[t]",
                 .operands = {{"ids", kOne, "[...], i64"},
                              {"table", kOne, "[V, D], constant"},
                              {"addend", kOptional, "[..., D], constant or of integer.embedding"}},
                 .results = {{"y", kOne, "[..., D]"}},
                 .constraints = {kConstants, "table, addend and result have one exponent",
                                 "the result's range holds the sum of table's and addend's, column "
                                 "by column"}});
  ops.push_back(
      {.name = "integer.linear",
       .summary = "acc = x w + b",
       .operands = {{"x", kOne, "[..., in]"},
                    {"w", kOne, "[in, out], constant"},
                    {"b", kOptional, "[out], constant"}},
       .results = {{"acc", kOne, "[..., out]; its range is the static bound for x's range"}},
       .constraints = {kConstants, "exponent of acc = exponent of b = sum of x's and w's",
                       "|acc| < 2^30", "acc's range holds x w + b for every x of its range"}});
  ops.push_back(
      {.name = "integer.scores",
       .summary = "acc[h, i, j] = sum over head h's columns c of q[i, c] k[j, c]",
       .operands = {{"q", kOne, "[T, D]"}, {"k", kOne, "[K, D]"}},
       .results = {{"acc", kOne, "[heads, T, K]"}},
       .attributes = {{"heads", kInt, true, "head h has columns h D / heads and following"}},
       .constraints = {kShapes, "heads >= 1 divides D", "exponent of acc = sum of q's and k's",
                       "acc's range holds D / heads times the products of q's and k's ranges",
                       "|acc| < 2^30"}});
  ops.push_back(
      {.name = "integer.mix",
       .summary = "acc[i, c] = sum over j of p[h, i, j] v[j, c], h the head of column c",
       .operands = {{"p", kOne, "[heads, T, K]"}, {"v", kOne, "[K, D]"}},
       .results = {{"acc", kOne, "[T, D]"}},
       .attributes = {{"heads", kInt, true, ""}},
       .constraints = {kShapes, "heads >= 1 divides D", "exponent of acc = sum of p's and v's",
                       "acc's range holds 2^P times v's and 0 where p is of integer.softmax, whose "
                       "rows sum to at most 2^P, else K times the products of p's and v's ranges",
                       "|acc| < 2^30"}});
}

void addRounding(std::vector<OpDef>& ops) {
  ops.push_back(
      {.name = "integer.requantize",
       .summary = "q = (acc + addend 2^addend_shift + 2^(shift-1)) >> shift",
       .operands = {{"acc", kOne, ""}, {"addend", kOptional, "the residual stream"}},
       .results = {{"q", kOne, "a value outside of `bits` signed bits is an error"}},
       .attributes = {{"shift", kInt, true, ""},
                      {"bits", kInt, true, "of q, signed"},
                      {"addend_shift", kInt, false, "with an addend only; then required"}},
       .constraints = {"acc, addend and q have one shape", "1 <= shift <= 16", "2 <= bits <= 16",
                       "2^(bits-1+shift) + 2^(shift-1) + B < 2^31 - 1, B = the bound of "
                       "|acc + addend 2^addend_shift|: no second witness is accepted",
                       "q's range is [-2^(bits-1), 2^(bits-1) - 1]",
                       "exponent of q = acc's - shift; addend's = acc's - addend_shift",
                       "addend_shift >= 0 is there if and only if addend is"}});
  ops.push_back(
      {.name = "integer.multiply",
       .summary = "q = (a b + 2^(shift-1)) >> shift, element by element",
       .operands = {{"a", kOne, ""}, {"b", kOne, ""}},
       .results = {{"q", kOne, "a value outside of `bits` signed bits is an error"}},
       .attributes = {{"shift", kInt, true, ""}, {"bits", kInt, true, "of q, signed"}},
       .constraints = {"a, b and q have one shape", "1 <= shift <= 16", "2 <= bits <= 16",
                       "2^(bits-1+shift) + 2^(shift-1) + B < 2^31 - 1, B = the bound of |a b|: no "
                       "second witness is accepted",
                       "q's range is [-2^(bits-1), 2^(bits-1) - 1]",
                       "exponent of q = a's + b's - shift"}});
  ops.push_back(
      {.name = "integer.divide",
       .summary = "q = floor(a 2^shift / b + 1/2), element by element",
       .operands = {{"a", kOne, ""}, {"b", kOne, "0 is an error"}},
       .results = {{"q", kOne, "a value outside of `bits` signed bits is an error"}},
       .attributes = {{"shift", kInt, true, ""}, {"bits", kInt, true, "of q, signed"}},
       .constraints = {
           "a, b and q have one shape", "0 <= shift <= 29", "2 <= bits <= 16", "|b| <= 2^15",
           "2^(shift+1) A + 2^bits B + B + 2^16 < 2^31 - 1, A and B the bounds of |a| and |b|: no "
           "second witness is accepted",
           "q's range is [-2^(bits-1), 2^(bits-1) - 1]", "exponent of q = a's - b's + shift"}});
  ops.push_back(
      {.name = "integer.affine",
       .summary = "q = (x m + c + y n + 2^(shift-1)) >> shift, element by element; "
                  "q = x m + c + y n with shift 0",
       .operands = {{"x", kOne, ""},
                    {"m", kOne, "constant"},
                    {"c", kOne, "constant"},
                    {"y", kOptional, ""},
                    {"n", kOptional, "constant"}},
       .results = {{"q", kOne, "a value outside of `bits` signed bits is an error"}},
       .attributes = {{"shift", kInt, true, ""}, {"bits", kInt, true, "of q, signed"}},
       .constraints = {
           "x, y and q have one shape; m, n and c have it, too, or that of its last "
           "axis, or [1]; they are results of integer.constant",
           "n is there if and only if y is", "0 <= shift <= 16",
           "2 <= bits <= 16; up to 29 for an exact sum that cannot leave them: shift 0, "
           "and B < 2^(bits-1)",
           "2^(bits-1+shift) + 2^(shift-1) + B < 2^31 - 1, B = |x| |m| + |c| + |y| |n|, "
           "each the largest: no second witness is accepted",
           "q's range is [-2^(bits-1), 2^(bits-1) - 1]; of more than 16 bits: it is within "
           "that, and holds -B and B",
           "x's exponent + m's = y's + n's = c's = q's + shift"}});
  ops.push_back(
      {.name = "integer.lookup",
       .summary = "y = table[u - low], u = (acc + 2^(shift-1)) >> shift",
       .operands = {{"acc", kOne, ""}, {"table", kOne, "[keys], constant"}},
       .results = {{"y", kOne, "of acc's shape, table's exponent and range"}},
       .attributes = {{"shift", kInt, true, ""},
                      {"bits", kInt, true, "of the key u, signed; u outside is an error"},
                      {"low", kInt, false,
                       "the first key: a key outside of [low, low + keys) is an error; "
                       "-2^(bits-1) and 2^bits keys if absent"},
                      {"function", kString, true, "what is tabulated, as in tensor.activation"}},
       .constraints = {"y has acc's shape, table the shape [keys]; it is an integer.constant",
                       "1 <= shift <= 16", "2 <= bits <= 16",
                       "2^(bits-1+shift) + 2^(shift-1) + B < 2^31 - 1, B = the bound of |acc|",
                       "y's exponent is table's, y's range holds table's",
                       "-2^(bits-1) <= low, low + keys <= 2^(bits-1)"}});
}

void addRows(std::vector<OpDef>& ops) {
  ops.push_back(
      {.name = "integer.layernorm",
       .summary = "z = (x - mean) / standard deviation per row, by tabulated reciprocal root",
       .operands = {{"x", kOne, "[..., n]"},
                    {"rsqrt", kOne, "[65536, 2], constant: R and t0 for each mantissa m"}},
       .results = {{"z", kOne, "[..., n]"}},
       .attributes = {{"square_shift", kInt, true, "q: v = (d^2 + 2^(q-1)) >> q"},
                      {"epsilon", kInt, true, "added to V = sum v"},
                      {"output_bits", kInt, true, "of z, signed; z outside is an error"},
                      {"max_exponent", kInt, true, "of j; a larger variance is an error"},
                      {"has_mean", kBool, true, "false: mean = 0 (RMSNorm)"},
                      {"row_shift", kInt, false,
                       "x is wide: each row is shifted right by the least e at which 16 bits hold "
                       "its deviations, e <= row_shift"}},
       .constraints = {kConstants, "1 <= square_shift <= 16 and n <= 2^square_shift: V < 2^30",
                       "0 <= epsilon < 2^29", "2 <= output_bits <= 16", "0 <= max_exponent <= 7",
                       "z's range is [-2^(output_bits-1), 2^(output_bits-1) - 1]",
                       "1 <= row_shift <= 10, and then n <= 2^15 and |x| < 2^27"}});
  ops.push_back(
      {.name = "integer.softmax",
       .summary =
           "p[..., j] = EXP(L - s'[..., j]), L the least integer with sum over j of p <= 2^P, "
           "s' = -((2^(score_shift-1) - s) >> score_shift)",
       .operands = {{"s", kOne,
                     "[..., K]; causal: [heads, T, K], K = T without open_windows, else a "
                     "multiple n T, n > 1"},
                    {"exp", kOne, "[live_rows], constant: EXP(0), EXP(1), ..., nonincreasing"},
                    {"open_windows", kOptional,
                     "[1], i64, at most n - 1: before the last T keys, that many windows of T keys "
                     "are seen by all queries, and earlier ones by none"}},
       .results = {{"p", kOne, "of s's shape"}},
       .attributes =
           {{"score_shift", kInt, true, ""},
            {"probability_bits", kInt, true, "P"},
            {"causal", kBool, true,
             "query i sees keys 0 .. i of the last T; p = 0 elsewhere. With open_windows: true"},
            {"live_rows", kInt, true, "U: EXP(k) = 0 for k >= U - 1"},
            {"dead_width", kInt, true, "a dead row stands for 2^dead_width bins"},
            {"dead_rows", kInt, true, "their number"},
            {"normalizer_low", kInt, true, "L >= normalizer_low"},
            {"normalizer_bits", kInt, true, "L < normalizer_low + 2^normalizer_bits"},
            {"exp_at_minus_one", kInt, true, "EXP(-1) >= EXP(0)"}},
       .constraints = {kConstants,
                       "1 <= probability_bits <= 16 is p's exponent; p's range is [0, 2^P]",
                       "0 <= score_shift, 0 <= dead_width, score_shift + dead_width <= 16",
                       "live_rows >= 1, dead_rows >= 0, live_rows + dead_rows <= 65536",
                       "S = (L - k) 2^score_shift + 2^(score_shift-1) - r: the two sides differ by "
                       "less than 2^31 - 1 over all L, all rows of the table and s's range",
                       "K EXP(-1) + 2^17 < 2^31 - 1",
                       "the table spans s's range: (live_rows + dead_rows 2^dead_width) "
                       "2^score_shift > high - low",
                       "0 <= normalizer_bits <= 31, 0 <= exp <= EXP(-1)"}});
  ops.push_back({.name = "integer.argmax",
                 .summary = "ids[...] = the lowest index of the maximum of logits[...]",
                 .operands = {{"logits", kOne, "[..., V]"}},
                 .results = {{"ids", kOne, "[...] or [..., 1], i64"}},
                 .constraints = {kShapes, "|logit| < 2^29"}});
}

void addViews(std::vector<OpDef>& ops) {
  ops.push_back({.name = "integer.copy",
                 .summary = "y[i] = the elements of all xs, one after the other, at indices[i]",
                 .operands = {{"xs", kVariadic, "of any shapes; constants, too"}},
                 .results = {{"y", kOne, "of any shape"}},
                 .attributes = {{"indices", kConstant, true,
                                 "of i32 or i64; elements are in row-major order"}},
                 .constraints = {"there is an operand; indices have as many elements as y, each in "
                                 "[0, elements of all xs)",
                                 "xs and y have one exponent", "y's range holds those of all xs"}});
  ops.push_back({.name = "integer.slice",
                 .summary = "y[t, c] = x[t, start + c]",
                 .operands = {{"x", kOne, "[T, n]"}},
                 .results = {{"y", kOne, "[T, size]"}},
                 .attributes = {{"start", kInt, true, ""}, {"size", kInt, true, ""}},
                 .constraints = {kShapes, "0 <= start, 1 <= size, start + size <= n",
                                 "x and y have one range; the exponent is that of the columns"}});
  ops.push_back({.name = "integer.select_rows",
                 .summary = "y[i] = x[rows[i]]",
                 .operands = {{"x", kOne, "[T, D]"}},
                 .results = {{"y", kOne, "[number of rows, D]"}},
                 .attributes = {{"rows", kInts, true, ""}},
                 .constraints = {kShapes, "0 <= row < T for each row",
                                 "x and y have one exponent and range"}});
  ops.push_back({.name = "integer.append_rows",
                 .summary = "The rows of x, then those of y",
                 .operands = {{"x", kOne, "[S, D]"}, {"y", kOne, "[T, D]"}},
                 .results = {{"z", kOne, "[S + T, D]"}},
                 .constraints = {kShapes, "x, y and z have one exponent and range"}});
  ops.push_back(
      {.name = "integer.constant",
       .summary = "A constant of the pool: weights or a table",
       .results = {{"y", kOne, "its range holds every element"}},
       .attributes = {{"value", kConstant, true, "of integers"}},
       .constraints = {"the constant holds integers", "the result's shape is the constant's",
                       "the result's range holds every element"}});
  ops.push_back({.name = "integer.return",
                 .summary = "The function's outputs",
                 .operands = {{"outputs", kVariadic, ""}},
                 .attributes = {{"names", kStrings, false, "one per output"}},
                 .constraints = {"there are as many names as outputs"},
                 .terminator = true});
}

// Whatever an op computes, it may say to which proof it belongs, if no region around it does.
OpVerifier segmentVerifier(const Function&) {
  return [](const Op& op) -> absl::Status {
    const std::string wrong = region::wrongSegment(op);
    if (wrong.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        describe(op), ": segment >= 0, and no region around it has one; here ", wrong));
  };
}

}  // namespace

std::vector<OpDef> ops() {
  std::vector<OpDef> ops;
  addProducts(ops);
  addRounding(ops);
  addRows(ops);
  addViews(ops);
  for (OpDef& op : ops) {
    op.pure = !op.terminator;
    if (op.pure && op.name != "integer.constant") {
      op.attributes.push_back({"segment", kInt, false, "the proof that it belongs to"});
      op.verifier_in = segmentVerifier;
    }
    op.verify = verifierOf(op.name);
  }
  return ops;
}

}  // namespace lindero::ir::integer
