#include "ir/trace/ops.h"

#include "ir/trace/verify.h"

namespace lindero::ir::trace {

namespace {

using enum Arity;
using enum AttrKind;

const AttrSpec kRegion = {"region", kString, false, "\"layer0/attention/normalize\", for messages"};

constexpr llvm::StringLiteral kColumns =
    "table is an air.table of @circuit, column an air.column in it, with as many after it as lanes "
    "say";
constexpr llvm::StringLiteral kLoops =
    "counts, row_strides and value_strides have one length; counts, lanes >= 1";
constexpr llvm::StringLiteral kRows = "every row is within the table";
constexpr llvm::StringLiteral kSizes = "buffers have the sizes that the attributes say";

// What program.proto calls a Placement, but for the buffer.
std::vector<AttrSpec> placement(std::vector<AttrSpec> more = {}) {
  std::vector<AttrSpec> attributes = {
      {"table", kSymbol, true, "an air.table"},
      {"column", kString, true, "name of the first lane's column"},
      {"lanes", kInt, true, "consecutive columns of one phase"},
      {"lane_stride", kInt, true, "buffer indices from a lane to the next"},
      {"first_row", kInt, true, ""},
      {"offset", kInt, true, "buffer index at the origin"},
      {"counts", kInts, true, "size of each dimension"},
      {"row_strides", kInts, true, "rows per step of each dimension"},
      {"value_strides", kInts, true, "buffer indices per step of each dimension"}};
  attributes.insert(attributes.end(), more.begin(), more.end());
  attributes.push_back(kRegion);
  return attributes;
}

void addInputsAndOutputs(std::vector<OpDef>& ops) {
  ops.push_back({.name = "trace.input",
                 .summary = "The values of an input, after their range check",
                 .results = {{"out", kOne, ""}},
                 .attributes = {{"tensor", kString, true, ""}, kRegion},
                 .constraints = {"tensor is the name of an air.public of kind input"}});
  ops.push_back({.name = "trace.load",
                 .summary = "A buffer from fixed columns, by the placement",
                 .results = {{"out", kOne, ""}},
                 .attributes = placement(),
                 .constraints = {kColumns, kLoops, kRows}});
  ops.push_back({.name = "trace.output",
                 .summary = "The buffer is the value of an output",
                 .operands = {{"buffer", kOne, ""}},
                 .attributes = {{"tensor", kString, true, ""}, kRegion},
                 .constraints = {"tensor is the name of an air.public of kind output"}});
  ops.push_back({.name = "trace.place",
                 .summary = "Writes a buffer to witness columns, by the placement",
                 .operands = {{"buffer", kOne, ""}},
                 .attributes = placement(),
                 .constraints = {kColumns, kLoops, kRows}});
}

void addSteps(std::vector<OpDef>& ops) {
  ops.push_back(
      {.name = "trace.gather_rows",
       .summary =
           "out[t, :] = table[ids[t], :] + addend[t, :]; the placement is of the whole table",
       .operands = {{"ids", kOne, ""}, {"addend", kOptional, ""}},
       .results = {{"out", kOne, ""}},
       .attributes = placement({{"vocabulary", kInt, true, "rows of the table"},
                                {"padding", kInt, true, "elements before each row"},
                                {"width", kInt, true, "of a row, without them"}}),
       .constraints = {kColumns, kLoops, kRows,
                       "vocabulary, width >= 1, padding >= 0; out and addend have width elements "
                       "per id"}});
  ops.push_back(
      {.name = "trace.matmul",
       .summary =
           "out[b, i, j] = sum_k lhs[b, i, k] rhs[b, k, j] + bias[j]; strides are [batch, row, "
           "column, offset]",
       .operands = {{"lhs", kOne, ""}, {"rhs", kOne, ""}, {"bias", kOptional, ""}},
       .results = {{"out", kOne, ""}},
       .attributes = {{"batch", kInt, true, ""},
                      {"m", kInt, true, ""},
                      {"k", kInt, true, ""},
                      {"n", kInt, true, ""},
                      {"lhs_strides", kInts, true, "of (b, i, k)"},
                      {"rhs_strides", kInts, true, "of (b, k, j)"},
                      {"out_strides", kInts, true, "of (b, i, j)"},
                      kRegion},
       .constraints = {"batch, m, k, n >= 1", "strides have 4 elements",
                       "every index is within its buffer"}});
  ops.push_back({.name = "trace.requantize",
                 .summary = "As integer.requantize; the remainder is in [0, 2^shift)",
                 .operands = {{"acc", kOne, ""}, {"addend", kOptional, ""}},
                 .results = {{"quotient", kOne, ""}, {"remainder", kOne, ""}},
                 .attributes = {{"addend_shift", kInt, false, "with an addend only; then required"},
                                {"shift", kInt, true, ""},
                                {"bits", kInt, true, "of the quotient, signed"},
                                kRegion},
                 .constraints = {"buffers have one size", "addend_shift is there if addend is"}});
  ops.push_back({.name = "trace.table_lookup",
                 .summary = "out[i] = column[first_row + key[i] - low], a fixed column",
                 .operands = {{"key", kOne, ""}},
                 .results = {{"out", kOne, ""}},
                 .attributes = {{"table", kSymbol, true, "an air.table"},
                                {"column", kString, true, ""},
                                {"first_row", kInt, true, ""},
                                {"low", kInt, true, "least key"},
                                {"rows", kInt, true, "number of keys"},
                                kRegion},
                 .constraints = {"table is an air.table of @circuit, column an air.column in it",
                                 kRows, "key and out have one size"}});
  ops.push_back(
      {.name = "trace.copy_rows",
       .summary = "out[i, :] = in[rows[i], :]",
       .operands = {{"in", kOne, ""}},
       .results = {{"out", kOne, ""}},
       .attributes = {{"width", kInt, true, "of a row"}, {"rows", kInts, true, ""}, kRegion},
       .constraints = {"width >= 1; in is whole rows, out as many as listed",
                       "0 <= row < number of rows of in"}});
  ops.push_back({.name = "trace.decode",
                 .summary = "The steps of a decode run from its tokens; Decode in program.proto",
                 .operands = {{"tape", kOne, "a token more than steps"},
                              {"lengths", kOne, "steps before and behind; given ones"}},
                 .results = {{"active", kOne, ""},
                             {"chosen", kOne, ""},
                             {"frontier_in", kOne, ""},
                             {"frontier_out", kOne, ""},
                             {"given_in", kOne, ""},
                             {"given_out", kOne, ""},
                             {"token_in", kOne, ""},
                             {"token_out", kOne, ""}},
                 .attributes = {kRegion},
                 .constraints = {kSizes}});
  ops.push_back({.name = "trace.mask",
                 .summary = "out[i] = value[i] where keep[i] is 1, else 0",
                 .operands = {{"keep", kOne, ""}, {"value", kOne, ""}},
                 .results = {{"out", kOne, ""}},
                 .attributes = {kRegion},
                 .constraints = {"buffers have one size"}});
  ops.push_back({.name = "trace.append_rows",
                 .summary = "out = first, then second",
                 .operands = {{"first", kOne, ""}, {"second", kOne, ""}},
                 .results = {{"out", kOne, ""}},
                 .attributes = {kRegion},
                 .constraints = {"out has as many elements as both"}});
  ops.push_back({.name = "trace.carry_in",
                 .summary = "What the block before left in a slot; zeros in the first block",
                 .results = {{"out", kOne, ""}},
                 .attributes = {{"slot", kInt, true, ""}, kRegion}});
  ops.push_back({.name = "trace.carry_out",
                 .summary = "Leaves the last elements of a buffer in a slot",
                 .operands = {{"buffer", kOne, ""}},
                 .attributes = {{"slot", kInt, true, ""},
                                {"elements", kInt, true, "as many as carry_in has"},
                                kRegion}});
  ops.push_back({.name = "trace.return", .summary = "Ends the program", .terminator = true});
}

void addGadgets(std::vector<OpDef>& ops) {
  const AttrSpec lanes = {"lanes", kInt, true, "elements per row block"};
  ops.push_back(
      {.name = "trace.layernorm",
       .summary = "As integer.layernorm, with the gadget's witness; LayerNorm in program.proto",
       .operands = {{"x", kOne, "rows x width"}},
       .results = {{"mean", kOne, "per row"},
                   {"reciprocal", kOne, "per row"},
                   {"shift", kOne, "per row"},
                   {"shift_power", kOne, "per row"},
                   {"mantissa", kOne, "per row"},
                   {"exponent", kOne, "per row"},
                   {"exponent_power", kOne, "per row"},
                   {"variance_remainder", kOne, "per row"},
                   {"square", kOne, "per element"},
                   {"out", kOne, "per element"},
                   {"remainder", kOne, "per element"},
                   {"deviation_sums", kOne, "per row and block of lanes"},
                   {"square_sums", kOne, "per row and block of lanes"}},
       .attributes = {{"rows", kInt, true, ""},
                      {"width", kInt, true, ""},
                      lanes,
                      {"has_mean", kBool, true, ""},
                      {"square_shift", kInt, true, ""},
                      {"epsilon", kInt, true, ""},
                      {"output_bits", kInt, true, ""},
                      {"max_exponent", kInt, true, ""},
                      {"rsqrt_table", kSymbol, true, "an air.table"},
                      {"rsqrt_column", kString, true, "R; t0 is the next column"},
                      {"rsqrt_first_row", kInt, true, "row of m = 0"},
                      kRegion},
       .constraints = {kSizes, "rsqrt_column and the next are columns of rsqrt_table"}});
  ops.push_back(
      {.name = "trace.softmax",
       .summary = "As integer.softmax, with the gadget's witness; Softmax in program.proto",
       .operands = {{"scores", kOne, "heads x queries x keys"},
                    {"block", kOptional, "how many blocks of earlier keys are open"}},
       .results = {{"normalizer_low_limb", kOne, "per row: (L - normalizer_low) mod 2^16"},
                   {"normalizer_high_limb", kOne, "per row: the rest, over 2^16"},
                   {"key", kOne, "per element"},
                   {"width", kOne, "per element"},
                   {"remainder", kOne, "per element"},
                   {"probability", kOne, "per element"},
                   {"previous_probability", kOne, "per element"},
                   {"probability_sums", kOne, "per row and block of lanes"},
                   {"previous_probability_sums", kOne, "per row and block of lanes"},
                   {"open", kOptional, "with block: per row and block of lanes"}},
       .attributes = {{"heads", kInt, true, ""},
                      {"queries", kInt, true, ""},
                      {"keys", kInt, true, ""},
                      lanes,
                      {"causal", kBool, true, ""},
                      {"score_shift", kInt, true, ""},
                      {"probability_bits", kInt, true, ""},
                      {"normalizer_low", kInt, true, ""},
                      {"normalizer_bits", kInt, true, ""},
                      {"exp_table", kSymbol, true, "an air.table"},
                      {"exp_column", kString, true, "k; then w, p, p- follow"},
                      {"exp_first_row", kInt, true, "row of k = 0"},
                      {"live_rows", kInt, true, ""},
                      {"dead_rows", kInt, true, ""},
                      {"dead_width", kInt, true, ""},
                      {"exp_at_minus_one", kInt, true, ""},
                      kRegion},
       .constraints = {kSizes, "exp_column and the next three are columns of exp_table"}});
  ops.push_back(
      {.name = "trace.argmax",
       .summary = "As integer.argmax, with the gadget's witness; Argmax in program.proto",
       .operands = {{"values", kOne, "rows x width"}},
       .results = {{"index", kOne, "per row"},
                   {"maximum", kOne, "per row"},
                   {"before", kOne, "per element"},
                   {"high", kOne, "per element"},
                   {"low", kOne, "per element"},
                   {"index_sums", kOne, "per row and block of lanes"}},
       .attributes = {{"rows", kInt, true, ""}, {"width", kInt, true, ""}, lanes, kRegion},
       .constraints = {kSizes}});
}

}  // namespace

std::vector<OpDef> ops() {
  std::vector<OpDef> ops;
  addInputsAndOutputs(ops);
  addSteps(ops);
  addGadgets(ops);
  for (OpDef& op : ops) op.verify = verifierOf(op.name);
  return ops;
}

}  // namespace lindero::ir::trace
